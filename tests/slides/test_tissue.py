import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from skhisto import Slide, make_patches
from skhisto.slides import TissueMask, tissue_mask
from skhisto.slides._box_shares import box_shares
from skhisto.slides._tissue import MAX_THRESHOLD, MIN_THRESHOLD, otsu


def glass(height, width, colour=(236, 238, 235), seed=0):
    rng = np.random.default_rng(seed)
    noise = rng.normal(colour, 3, (height, width, 3))
    return noise.clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def tissue_pixels():
    """768x768 pixels that are all tissue, at about one micron."""
    patches, _ = make_patches(64, random_state=0)
    mosaic = patches.reshape(8, 8, 96, 96, 3).transpose(0, 2, 1, 3, 4)
    return mosaic.reshape(768, 768, 3)


@pytest.mark.parametrize("colour", [(255, 255, 255), (236, 238, 235), (222, 240, 226)])
def test_a_blank_slide_has_no_tissue(colour):
    tissue = tissue_mask(Slide(glass(1000, 1000, colour), mpp=0.5))
    assert tissue.tissue_share == 0
    assert tissue.skipped_share == 1
    assert tissue.threshold == MIN_THRESHOLD
    assert np.isnan(tissue.blurred_share)


def test_a_slide_full_of_tissue_is_not_split(tissue_pixels):
    tissue = tissue_mask(Slide(tissue_pixels, mpp=1.0))
    assert tissue.tissue_share > 0.99
    assert tissue.threshold == MAX_THRESHOLD


def test_tissue_is_found_beside_glass(tissue_pixels):
    pixels = np.hstack([glass(768, 768), tissue_pixels])
    tissue = tissue_mask(Slide(pixels, mpp=1.0))
    n_columns = tissue.mask.shape[1]
    assert tissue.mask[:, : n_columns // 2 - 1].mean() < 0.01
    assert tissue.mask[:, n_columns // 2 + 1 :].mean() > 0.99
    assert tissue.skipped_share == pytest.approx(0.5, abs=0.02)


def test_specks_are_removed():
    pixels = glass(800, 800)
    pixels[400:416, 400:416] = (150, 60, 140)
    assert tissue_mask(Slide(pixels, mpp=0.5)).tissue_share == 0


def test_a_region_of_a_real_slide(real_data):
    tissue = tissue_mask(Slide(real_data / "region" / "CMU-1-Small-Region.svs"))
    assert 0.33 < tissue.tissue_share < 0.40
    assert tissue.covers([[0, 500, 600, 900], [800, 2000, 1200, 2400]]).tolist() == [
        False,
        True,
    ]
    assert tissue.blurred_share == 0


@pytest.mark.parametrize("colour", [(20, 60, 160), (30, 140, 80), (28, 30, 32)])
def test_pen_is_flagged(colour):
    pixels = glass(800, 800)
    pixels[200:360] = colour
    tissue = tissue_mask(Slide(pixels, mpp=0.5))
    assert tissue.pen_share == pytest.approx(0.2, abs=0.021)  # a row is 0.02
    assert tissue.pen.shape == tissue.mask.shape


def test_tissue_is_not_flagged(tissue_pixels):
    tissue = tissue_mask(Slide(tissue_pixels, mpp=1.0))
    assert tissue.pen_share < 0.01
    assert tissue.blurred_share == 0
    assert tissue.n_examined > 40


def test_blur_is_flagged_where_it_is(tissue_pixels):
    pixels = tissue_pixels.copy()
    blurred = Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(3))
    pixels[384:] = np.asarray(blurred)[384:]
    tissue = tissue_mask(Slide(pixels, mpp=1.0))
    assert tissue.blurred_share == pytest.approx(0.5, abs=0.05)
    assert (tissue.blurred[:, 1] >= 384).all()


def test_without_a_resolution_a_pixel_covers_16_pixels():
    tissue = tissue_mask(Slide(glass(800, 640)))
    assert tissue.downsample == (16, 16)
    assert tissue.mask.shape == (50, 40)


def test_a_tiny_slide_has_a_mask():
    assert tissue_mask(Slide(glass(5, 3))).mask.shape == (1, 1)


def test_a_narrow_slide_has_a_mask():
    assert tissue_mask(Slide(glass(20, 20_000), mpp=1.0)).mask.shape == (2, 2500)


@pytest.mark.parametrize("mpp", [-1, 0, 50])
def test_the_resolution_of_a_mask_is_plausible(mpp):
    with pytest.raises(ValueError, match=r"mpp must be a number from 0\.05 to 20"):
        tissue_mask(Slide(glass(50, 50), mpp=1.0), mpp=mpp)


def test_otsu_separates_two_classes():
    values = np.array([10] * 50 + [12] * 30 + [200] * 20, np.uint8)
    assert 13 <= otsu(values) <= 200
    assert otsu(np.full(9, 7, np.uint8)) == 0


coordinate = st.floats(-10, 70, allow_nan=False)


@given(st.integers(0, 2**32 - 1), coordinate, coordinate)
def test_shares_of_boxes_are_exact(seed, left, top):
    rng = np.random.default_rng(seed)
    mask = rng.random((7, 9)) < 0.5
    width, height = rng.uniform(0.5, 40, 2)
    tissue = TissueMask(mask, (8.0, 5.0))
    bottom, right = top + height, left + width
    inside_y = np.clip(
        np.minimum(bottom, 8.0 * np.arange(1, 8)) - np.maximum(top, 8.0 * np.arange(7)),
        0,
        None,
    )
    inside_x = np.clip(
        np.minimum(right, 5.0 * np.arange(1, 10))
        - np.maximum(left, 5.0 * np.arange(9)),
        0,
        None,
    )
    expected = (mask * np.outer(inside_y, inside_x)).sum() / (width * height)
    box = [[left, top, right, bottom]]
    assert tissue.share(box)[0] == pytest.approx(expected, abs=1e-9)


def test_rounding_leads_to_no_share_outside_of_0_to_1():
    rng = np.random.default_rng(0)
    mask = np.ones((40, 40), bool)
    mask[10:] = False
    corners = np.sort(rng.uniform(0, 40, (2000, 2, 2)), axis=1)
    shares = box_shares(mask, corners.reshape(-1, 4))
    assert shares.min() == 0
    assert shares.max() == 1


def test_a_box_is_covered_from_the_least_share_on():
    tissue = TissueMask(np.eye(2, dtype=bool), (10, 10))
    boxes = [[0, 0, 20, 20], [10, 0, 20, 10], [-90, -90, 10, 10]]
    assert tissue.covers(boxes).tolist() == [True, False, False]
    assert tissue.covers(boxes, min_share=0.6).tolist() == [False, False, False]
    assert tissue.covers(boxes, min_share=0.01).tolist() == [True, False, True]
