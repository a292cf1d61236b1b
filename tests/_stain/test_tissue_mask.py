"""Tissue is told from background, and a reference is the median of its patches."""

import numpy as np
import pytest

from skhisto._stain.density import mix_stains
from skhisto._stain.tissue_mask import (
    Measurement,
    as_planes,
    density_planes,
    find_tissue,
    from_planes,
    is_tissue,
    median_reference,
)


def with_tissue(n_pixels):
    """A white patch of 20x20 pixels, of which some are tissue."""
    patch = np.full((400, 3), 255, np.uint8)
    patch[:n_pixels] = [150, 60, 140]
    return patch.reshape(20, 20, 3)


def measure_first_pixel(patches):
    """Red, and all colours, of the first pixel; patches where it is odd are unclear."""
    rows, density, tissue = find_tissue(patches)
    n_bare = len(patches) - len(rows)
    clear = patches[rows, 0, 0, 0] % 2 == 0
    rows, density, tissue = rows[clear], density[clear], tissue[clear]
    pixels = patches[rows, 0, 0].astype(float)
    return Measurement(rows, density, tissue, (pixels[:, 0], pixels), n_bare)


def dark(*reds):
    patches = np.full((len(reds), 20, 20, 3), 50, np.uint8)
    patches[..., 0] = np.reshape(reds, (-1, 1, 1))
    return patches


def test_pixels_survive_the_way_to_planes_and_back():
    patches = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3))
    planes = as_planes(patches)
    np.testing.assert_array_equal(planes[1, 2], patches[1, :, :, 2].ravel())
    np.testing.assert_array_equal(from_planes(planes, patches.shape[1:]), patches)


def test_pale_eosin_is_tissue_though_it_absorbs_no_red():
    white, eosin = density_planes(mix_stains([[[[0, 0], [0, 0.2]]]]))[0].T
    assert eosin[0] < 0.02
    assert is_tissue(np.stack([white, eosin], axis=1)[None]).tolist() == [[False, True]]


def test_a_hundred_pixels_are_enough_tissue():
    patches = np.stack([with_tissue(n) for n in (0, 100, 99, 400)])
    rows, density, tissue = find_tissue(patches)
    assert rows.tolist() == [1, 3]
    assert tissue.sum(axis=1).tolist() == [100, 400]
    np.testing.assert_array_equal(density, density_planes(patches)[rows])


def test_a_reference_is_the_median_of_what_can_be_measured():
    parts = [dark(10, 11, 90), np.full((2, 20, 20, 3), 255, np.uint8), dark(20, 13)]
    red, pixel = median_reference(parts, measure_first_pixel, "odd")
    assert red == 20
    np.testing.assert_array_equal(pixel, [20, 50, 50])


@pytest.mark.parametrize(
    ("parts", "n_patches", "n_bare", "n_unclear"),
    [
        ([], 0, 0, 0),
        ([dark(1, 3), dark(5)], 3, 0, 3),
        ([dark(1), np.stack([with_tissue(99), with_tissue(0)])], 3, 2, 1),
    ],
)
def test_a_reference_that_cannot_be_measured_is_refused_with_the_reasons(
    parts, n_patches, n_bare, n_unclear
):
    message = (
        rf"None of the {n_patches} reference patches can be measured: too little "
        rf"tissue \(fewer than 100 .*\) in {n_bare}, odd in {n_unclear}\."
    )
    with pytest.raises(ValueError, match=message):
        median_reference(parts, measure_first_pixel, "odd")
