"""Optical density and stain vectors."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skhisto._stain.density import (
    EOSIN,
    HAEMATOXYLIN,
    HE_STAINS,
    mix_stains,
    optical_density,
    rgb_from_density,
    unit_length,
)

pixels = hnp.arrays(
    np.uint8, st.tuples(st.integers(1, 5), st.just(3)), elements=st.integers(1, 255)
)


def test_stain_vectors_are_those_of_ruifrok_and_johnston_at_unit_length():
    np.testing.assert_allclose(np.linalg.norm(HE_STAINS, axis=1), 1)
    np.testing.assert_allclose(HAEMATOXYLIN, [0.65, 0.70, 0.29], atol=0.002)
    np.testing.assert_allclose(EOSIN, [0.07, 0.99, 0.11], atol=0.002)


def test_stain_vectors_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        HAEMATOXYLIN[0] = 1


def test_a_tenth_of_the_light_is_an_optical_density_of_one():
    density = optical_density([[250, 25, 2.5]], background=250)
    np.testing.assert_allclose(density, [[0, 1, 2]], atol=1e-12)


def test_black_has_the_density_of_intensity_one():
    black, one = optical_density(np.array([[0, 0, 0], [1, 1, 1]], dtype=np.uint8))
    assert np.isfinite(black).all()
    np.testing.assert_array_equal(black, one)


def test_no_stain_has_the_colour_of_the_background():
    rgb = mix_stains([0, 0], background=[240, 238, 235])
    assert rgb.dtype == np.uint8
    assert rgb.tolist() == [240, 238, 235]


def test_haematoxylin_is_blue_and_eosin_is_pink():
    red, green, blue = mix_stains([0.8, 0]).astype(int)
    assert blue > red > green
    red, green, blue = mix_stains([0, 0.4]).astype(int)
    assert red > blue > green


def test_stains_add_up_in_density():
    mixed = optical_density(mix_stains([0.4, 0.3]))
    np.testing.assert_allclose(mixed, 0.4 * HAEMATOXYLIN + 0.3 * EOSIN, atol=0.005)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_floating_type_is_kept(dtype):
    assert optical_density(np.ones(3, dtype)).dtype == dtype
    assert optical_density(np.ones(3, np.uint8)).dtype == np.float32


def test_more_light_than_white_is_clipped():
    assert rgb_from_density([-1, 0, 9]).tolist() == [255, 255, 0]


@given(pixels, st.floats(200, 255))
def test_pixels_survive_the_way_to_density_and_back(rgb, background):
    density = optical_density(rgb, background)
    np.testing.assert_array_equal(rgb_from_density(density, background), rgb)


@given(hnp.arrays(np.float64, (4, 2), elements=st.floats(0, 0.6)))
def test_concentrations_survive_the_way_to_pixels_and_back(concentrations):
    density = optical_density(mix_stains(concentrations))
    found = density @ np.linalg.pinv(HE_STAINS)
    np.testing.assert_allclose(found, concentrations, atol=0.03)


@given(hnp.arrays(np.float64, (3, 3), elements=st.floats(0.01, 9)))
def test_unit_length_changes_no_direction(vectors):
    unit = unit_length(vectors)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1)
    np.testing.assert_allclose(np.cross(unit, vectors), 0, atol=1e-12)
