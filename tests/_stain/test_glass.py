"""Glass is found where a patch is bright, flat and neutral."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skhisto._stain.density import mix_stains
from skhisto._stain.glass import find_glass

GREENISH = (204, 211, 198)


def tissue(n=1, size=40, *, glass=(255, 255, 255), seed=0):
    """Tissue all over, lit by light of a colour."""
    amounts = np.random.default_rng(seed).uniform(0.1, 0.7, (n, size, size, 2))
    return mix_stains(amounts, background=glass)


def with_glass(colour=GREENISH, *, rows=10, noise=2):
    patch = tissue(glass=colour)
    rng = np.random.default_rng(1)
    patch[:, :rows] = colour + rng.integers(-noise, noise + 1, (1, rows, 40, 3))
    return patch


@pytest.mark.parametrize("colour", [GREENISH, (243, 244, 243), (233, 225, 235)])
def test_the_colour_of_glass_is_found(colour):
    np.testing.assert_allclose(find_glass(with_glass(colour)), [colour], atol=1)


def test_there_is_no_glass_in_tissue():
    assert np.isnan(find_glass(tissue(3))).all()


@pytest.mark.parametrize(
    "colour",
    [(150, 150, 150), (235, 190, 215), (200, 174, 199), (240, 225, 200)],
    ids=["dark", "eosin", "lavender", "yellow"],
)
def test_what_is_dark_or_coloured_is_not_glass(colour):
    assert np.isnan(find_glass(with_glass(colour))).all()


def test_bright_stripes_are_not_glass():
    stripes = np.full((1, 40, 40, 3), 230, np.uint8)
    stripes[:, :, ::2] = 245
    assert np.isnan(find_glass(stripes)).all()
    assert np.isnan(find_glass(stripes.transpose(0, 2, 1, 3))).all()


def test_halos_that_are_brighter_than_glass_do_not_count():
    patch = with_glass()
    patch[:, 10:12] = 255
    np.testing.assert_allclose(find_glass(patch), [GREENISH], atol=1)


def test_pale_tissue_that_is_nearly_neutral_does_not_count():
    patch = with_glass((240, 240, 240), rows=4)
    patch[:, 4:24] = (215, 208, 214)
    np.testing.assert_allclose(find_glass(patch), [[240] * 3], atol=1)


@pytest.mark.parametrize(("n_pixels", "found"), [(15, False), (16, True)])
def test_a_hundredth_of_a_patch_is_enough(n_pixels, found):
    patch = tissue()
    # One row more and one column more: flat pixels have equal neighbours.
    patch[0, :2, : n_pixels + 1] = 240
    assert np.isfinite(find_glass(patch)).all() == found


def test_each_patch_is_measured_by_itself():
    patches = np.concatenate([with_glass(), tissue(), with_glass((240, 240, 240))])
    one_by_one = np.concatenate([find_glass(patch[None]) for patch in patches])
    np.testing.assert_array_equal(find_glass(patches), one_by_one)


@pytest.mark.filterwarnings("error")
@settings(derandomize=True, deadline=None)
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(0, 3), st.integers(1, 9), st.integers(1, 9), st.just(3)),
        elements=st.sampled_from([0, 150, 160, 200, 210, 255]),
    )
)
def test_glass_is_bright_or_missing(patches):
    glass = find_glass(patches)
    assert glass.shape == (len(patches), 3)
    for colour in glass:
        assert np.isnan(colour).all() or (colour >= 160).all()
