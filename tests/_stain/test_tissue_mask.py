"""Tissue is told from background by the length of its optical density."""

import numpy as np
import pytest

from skhisto._stain.density import mix_stains
from skhisto._stain.tissue_mask import (
    as_planes,
    density_planes,
    from_planes,
    has_tissue,
    is_tissue,
    strength_of,
    tissue_share,
)

WHITE = np.full((1, 3), 255.0)


def test_pixels_survive_the_way_to_planes_and_back():
    patches = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3))
    planes = as_planes(patches)
    np.testing.assert_array_equal(planes[1, 2], patches[1, :, :, 2].ravel())
    np.testing.assert_array_equal(from_planes(planes, patches.shape[1:]), patches)


def test_density_is_relative_to_the_white_of_each_patch():
    patches = np.full((2, 1, 1, 3), [20, 21, 10], np.uint8)
    white = np.array([[200.0, 210.0, 100.0], [20.0, 21.0, 1.0]])
    density = density_planes(patches, white)
    assert density.dtype == np.float32
    np.testing.assert_allclose(density[0, :, 0], 1, atol=1e-6)
    np.testing.assert_allclose(density[1, :, 0], [0, 0, -1], atol=1e-6)


def test_pale_eosin_is_tissue_though_it_absorbs_no_red():
    density = density_planes(mix_stains([[[[0, 0], [0, 0.2]]]]), WHITE)
    assert density[0, 0, 1] < 0.02
    assert is_tissue(strength_of(density)).tolist() == [[False, True]]


def test_what_is_brighter_than_white_is_not_tissue():
    density = density_planes(np.full((1, 1, 1, 3), 255, np.uint8), WHITE / 2)
    assert strength_of(density).tolist() == [[0]]


def test_a_hundred_pixels_are_enough_tissue():
    tissue = np.arange(400) < np.array([[0], [100], [99], [400]])
    assert has_tissue(tissue).tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("strength", "share"),
    [(-1, 0), (0.05, 0), (0.15, 0.15625), (0.25, 0.5), (0.45, 1), (3, 1)],
)
def test_the_share_of_tissue_rises_smoothly(strength, share):
    assert tissue_share(np.array(strength), 0.05, 0.45) == pytest.approx(share)
