"""BrightnessJitter multiplies each patch by a factor."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skhisto import BrightnessJitter

seeded = settings(derandomize=True, deadline=None)

integer_patches = hnp.arrays(
    st.sampled_from([np.uint8, np.uint16]),
    st.tuples(
        st.integers(0, 3), st.integers(1, 6), st.integers(1, 6), st.integers(1, 4)
    ),
)


def grey(value, dtype, n=300):
    return np.full((n, 2, 3, 3), value, dtype=dtype)


# Intensities


@pytest.mark.parametrize(("dtype", "value"), [("uint8", 200), ("uint16", 50_000)])
def test_all_pixels_of_a_patch_are_multiplied_by_one_factor(dtype, value):
    patches = grey(value, dtype)
    patches[:, 0] //= 2
    jittered = BrightnessJitter(strength=0.1)(patches, 0).astype(float)
    factor = jittered[:, 1].mean(axis=(1, 2)) / value
    expected = patches * factor[:, None, None, None]
    np.testing.assert_allclose(jittered, expected, atol=1)


def test_factors_are_distributed_uniformly():
    factors = (
        BrightnessJitter(strength=0.2)(grey(40_000, "uint16"), 0)[:, 0, 0, 0] / 40_000
    )
    np.testing.assert_allclose(
        np.quantile(factors, [0, 0.25, 0.5, 0.75, 1]),
        [0.8, 0.9, 1, 1.1, 1.2],
        atol=0.03,
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_intensities_are_clipped_to_white(dtype):
    white = np.iinfo(dtype).max
    jittered = BrightnessJitter(strength=1)(grey(white, dtype), 0)[:, 0, 0, 0]
    # Factors above 1 do not change white. The others darken it.
    assert 0.4 < (jittered == white).mean() < 0.6
    assert np.median(jittered[jittered < white] / white) == pytest.approx(0.5, abs=0.1)


def test_intensities_are_rounded_to_the_nearest_integer():
    patches = grey(7, "uint8", n=2000)
    jittered = BrightnessJitter(strength=0.1)(patches, 0)[:, 0, 0, 0]
    # From 7 * 0.9 = 6.3 to 7 * 1.1 = 7.7. One seventh is below 6.5, another above 7.5.
    share = np.bincount(jittered, minlength=9)[6:9] / 2000
    np.testing.assert_allclose(share, [1 / 7, 5 / 7, 1 / 7], atol=0.04)


@seeded
@given(integer_patches, st.integers(0, 2**32))
def test_strength_0_is_the_identity(patches, seed):
    np.testing.assert_array_equal(BrightnessJitter(strength=0)(patches, seed), patches)


def test_strength_0_is_the_identity_for_every_16_bit_intensity():
    patches = np.arange(2**16, dtype=np.uint16).reshape(1, 256, 256, 1)
    np.testing.assert_array_equal(BrightnessJitter(strength=0)(patches, 0), patches)


@seeded
@given(integer_patches, st.floats(0, 1), st.integers(0, 2**32))
def test_shape_and_dtype_are_kept_and_the_input_is_not_modified(
    patches, strength, seed
):
    before = patches.copy()
    with np.errstate(all="raise"):
        jittered = BrightnessJitter(strength=strength)(patches, seed)
    assert jittered.shape == patches.shape
    assert jittered.dtype == patches.dtype
    assert (jittered[patches == 0] == 0).all()
    np.testing.assert_array_equal(patches, before)
    assert not np.shares_memory(jittered, patches)


# Draws


def test_each_patch_has_its_own_factor():
    jittered = BrightnessJitter()(grey(30_000, "uint16", n=50), 0)
    assert len(np.unique(jittered)) == 50


def test_a_seed_is_reproducible_and_a_generator_advances():
    patches = grey(200, "uint8", n=20)
    rng = np.random.default_rng(5)
    first, second = (BrightnessJitter()(patches, rng) for _ in range(2))
    np.testing.assert_array_equal(BrightnessJitter()(patches, 5), first)
    assert not np.array_equal(first, second)


# Errors


@pytest.mark.parametrize("pixel_dtype", ["uint8", "uint16"])
def test_integer_pixels_pass_the_check(pixel_dtype):
    BrightnessJitter().check((4, 6, 1), pixel_dtype)


def test_floating_point_patches_raise_an_error():
    message = "BrightnessJitter needs .* uint8 or uint16, .* are treated as float32"
    with pytest.raises(ValueError, match=message):
        BrightnessJitter().check((4, 4, 3), "float32")
    with pytest.raises(ValueError, match=message):
        BrightnessJitter()(np.zeros((1, 4, 4, 3), dtype=np.float32), 0)
