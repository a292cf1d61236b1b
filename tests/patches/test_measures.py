import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from skhisto import make_patches
from skhisto.patches._measures import (
    Scale,
    contrast,
    glass_share,
    ink_share,
    sharpness,
    to_grey,
)


def test_sharpness_is_that_of_details_and_not_of_contrast():
    tissue, _ = make_patches(20, size=48, random_state=0)
    grey = to_grey(tissue.astype(np.float32))
    sharp = sharpness(grey)
    blurred = sharpness(gaussian_filter(grey, (0, 2, 2)))
    assert blurred.max() < 0.3 < sharp.min()
    np.testing.assert_allclose(sharpness(grey / 4 + 100), sharp, rtol=1e-3)
    noise = np.random.default_rng(0).normal(size=(1, 96, 96))
    assert sharpness(noise)[0] == pytest.approx(1, abs=0.03)
    ramp = np.broadcast_to(np.arange(20.0), (1, 20, 20))
    assert sharpness(ramp)[0] == 0.25


def test_sharpness_is_unknown_without_anything_to_compare():
    assert np.isnan(sharpness(np.full((1, 9, 9), 7.0)))[0]
    assert np.isnan(sharpness(np.zeros((1, 4, 9))))[0]


@pytest.mark.parametrize(
    ("colour", "share"),
    [((250, 248, 252), 1), ((204, 211, 198), 1), ((230, 150, 190), 0), ((90,) * 3, 0)],
)
def test_glass_is_bright_and_without_colour(colour, share):
    assert glass_share(np.full((1, 4, 4, 3), colour, np.float32)) == share


@pytest.mark.parametrize(
    ("colour", "share"),
    [
        ((30, 60, 160), 1),  # blue ink
        ((30, 120, 60), 1),  # green ink
        ((20, 20, 25), 1),  # black ink
        ((70, 40, 130), 0),  # nuclei
        ((200, 60, 90), 0),  # blood
        ((235, 160, 200), 0),  # stroma
        ((204, 211, 198), 0),  # glass under warm light
    ],
)
def test_ink_is_what_no_stain_looks_like(colour, share):
    assert ink_share(np.full((1, 4, 4, 3), colour, np.float32)) == share


@pytest.mark.parametrize("n_channels", [1, 2])
def test_colours_are_unknown_without_red_green_and_blue(n_channels):
    images = np.full((2, 4, 4, n_channels), 250, np.float32)
    assert np.isnan(glass_share(images)).all()
    assert np.isnan(ink_share(images)).all()
    assert to_grey(images).tolist() == np.full((2, 4, 4), 250).tolist()


def test_contrast_is_that_of_the_strongest_channel():
    image = np.zeros((1, 2, 2, 3), np.float32)
    image[0, 0, :, 1] = 100
    assert contrast(image).tolist() == [50]


@pytest.mark.parametrize(
    ("white", "dtype"),
    [(255, "u1"), (65535, "u2"), (1, "f4"), (1, "?"), (255, "f8"), (255, "i8")],
)
def test_white_is_255_in_any_dtype(white, dtype):
    images = np.array([0, white], dtype).reshape(2, 1, 1, 1)
    scaled = Scale()(images)
    assert scaled.dtype == np.float32
    assert scaled.ravel().tolist() == [0, 255]


def test_all_batches_have_one_scale():
    scale = Scale()
    scale(np.full((1, 1, 1, 1), 200.0))
    assert scale(np.full((1, 1, 1, 1), 1.0)).item() == 1
