"""Synthetic slides."""

import numpy as np
import pytest
from scipy import ndimage

shapely = pytest.importorskip("shapely")

from skhisto import make_slide  # noqa: E402
from skhisto.datasets import _synthetic_slide  # noqa: E402
from skhisto.datasets._position_noise import (  # noqa: E402
    fine_noise_at,
    smooth_noise_at,
    uniform_at,
)


@pytest.fixture(scope="module")
def slide():
    # More than one block in both directions.
    return make_slide((600, 700), random_state=0)


def test_a_slide_has_pixels_a_mask_and_polygons(slide):
    assert slide.image.shape == (600, 700, 3)
    assert slide.image.dtype == np.uint8
    assert slide.mask.shape == (600, 700)
    assert slide.mask.dtype == bool
    assert slide.shape == (600, 700)
    assert slide.mpp == 0.97
    assert slide.annotations.classes == ["Tumor"]
    assert len(slide.annotations.polygons) >= 2


def pixel_boxes(mask):
    rows, columns = np.nonzero(mask)
    return np.stack([columns, rows, columns + 1, rows + 1], axis=1)


def test_polygons_cover_the_mask_and_little_else(slide):
    polygons = slide.annotations
    assert (polygons.share(pixel_boxes(slide.mask)) > 1 - 1e-9).all()
    # What is covered beyond it is a rim of a pixel, and tears in the tissue.
    inside = polygons.touched(pixel_boxes(np.ones(slide.shape, bool)))
    assert slide.mask.sum() > 0.9 * inside.sum()


def test_tissue_is_surrounded_by_glass(slide):
    rim = np.ones(slide.shape, bool)
    rim[12:-12, 12:-12] = False
    assert (slide.image[rim] == slide.image[0, 0]).all()
    assert slide.image[0, 0].min() > 220
    is_glass = (slide.image == slide.image[0, 0]).all(axis=-1)
    assert 0.3 < is_glass.mean() < 0.7


def test_tumour_has_larger_nuclei_that_are_paler_inside(slide):
    # Lymphocytes are dark and small: in tumour, fewer pixels are at an outline.
    tissue = (slide.image != slide.image[0, 0]).any(axis=-1)
    dark = slide.image[..., 0] < np.median(slide.image[..., 0][tissue]) - 15
    edges = dark[:, 1:] != dark[:, :-1]
    tumour, other = slide.mask[:, 1:], tissue[:, 1:] & ~slide.mask[:, 1:]
    assert dark[:, 1:][tumour].mean() > dark[:, 1:][other].mean()
    shares = [edges[area].sum() / dark[:, 1:][area].sum() for area in (tumour, other)]
    assert shares[0] < 0.8 * shares[1]


def test_the_seed_determines_the_slide(slide):
    again = make_slide((600, 700), random_state=np.random.RandomState(0))
    other = make_slide((600, 700), random_state=1)
    np.testing.assert_array_equal(again.image, slide.image)
    np.testing.assert_array_equal(again.mask, slide.mask)
    assert again.annotations == slide.annotations
    assert (other.image != slide.image).mean() > 0.5


def test_slides_are_stained_differently():
    colors = [
        np.median(
            make_slide((256, 256), random_state=i).image[100:156, 100:156], axis=(0, 1)
        )
        for i in range(4)
    ]
    assert np.std(colors, axis=0).max() > 8


def test_blocks_fit_together_whatever_their_size(monkeypatch, slide):
    monkeypatch.setattr(_synthetic_slide, "BLOCK", 128)
    small = make_slide((600, 700), random_state=0)
    np.testing.assert_array_equal(small.image, slide.image)
    np.testing.assert_array_equal(small.mask, slide.mask)


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_about_the_wanted_share_of_the_tissue_is_tumour(share):
    slide = make_slide((1000, 1000), tumor_share=share, random_state=0)
    tissue = (slide.image != slide.image[0, 0]).any(axis=-1).sum()
    assert 0.7 * share < slide.mask.sum() / tissue < 1.3 * share


def test_a_slide_without_tumour_has_no_polygons():
    slide = make_slide((256, 256), tumor_share=0, random_state=0)
    assert not slide.mask.any()
    assert slide.annotations.classes == []


def median_nucleus(image):
    """The number of pixels of dark spots of more than a few pixels."""
    red = image[128:384, 128:384, 0]
    labels, _ = ndimage.label(red < np.median(red) - 40)
    areas = np.bincount(labels.ravel())[1:]
    return np.median(areas[areas > 12])


def test_nuclei_have_four_times_the_pixels_at_half_the_resolution():
    coarse, fine = (
        make_slide((512, 512), mpp=mpp, tumor_share=0, random_state=0).image
        for mpp in (0.97, 0.485)
    )
    assert 3 < median_nucleus(fine) / median_nucleus(coarse) < 5


@pytest.mark.parametrize("shape", [(128, 128), (128, 1100), (513, 511)])
def test_all_shapes_are_made(shape):
    slide = make_slide(shape, random_state=0, tumor_share=0.5)
    assert slide.image.shape == (*shape, 3)


def test_the_file_has_the_same_pixels_and_a_pyramid(tmp_path, slide):
    pytest.importorskip("tifffile")
    openslide = pytest.importorskip("openslide")
    path = tmp_path / "slide.tif"
    written = make_slide((600, 700), random_state=0, path=path)
    assert set(written) == {"path", "annotations", "mpp", "shape"}
    assert written.path == str(path)
    assert written.annotations == slide.annotations
    with openslide.OpenSlide(path) as file:
        assert file.level_dimensions == ((700, 600), (175, 150))
        assert float(file.properties["openslide.mpp-x"]) == pytest.approx(0.97)
        assert file.properties["openslide.level[0].tile-width"] == "256"
        levels = [
            np.asarray(file.read_region((0, 0), level, size).convert("RGB"))
            for level, size in enumerate(file.level_dimensions)
        ]
    np.testing.assert_array_equal(levels[0], slide.image)
    means = slide.image.reshape(150, 4, 175, 4, 3).mean(axis=(1, 3))
    assert np.abs(levels[1] - means).max() <= 0.5
    assert list(tmp_path.iterdir()) == [path]


def test_the_same_seed_writes_the_same_file(tmp_path):
    pytest.importorskip("tifffile")
    paths = [tmp_path / name for name in ("a.tif", "b.tif")]
    for path in paths:
        make_slide((256, 256), random_state=0, path=path)
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_file_that_cannot_be_finished_leaves_nothing(tmp_path, monkeypatch):
    pytest.importorskip("tifffile")

    def fail(self):
        yield np.zeros((512, 700, 3), np.uint8), None
        raise RuntimeError("stopped")

    monkeypatch.setattr(_synthetic_slide.SyntheticSlide, "rows", fail)
    with pytest.raises(RuntimeError, match="stopped"):
        make_slide((600, 700), random_state=0, path=tmp_path / "slide.tif")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("shape", [(127, 300), (300,), (300, 300, 3), (300.0, 300)])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match="a height and a width of at least 128"):
        make_slide(shape)


@pytest.mark.parametrize(
    ("parameter", "value"), [("tumor_share", 0.6), ("mpp", 0.1), ("mpp", 3.0)]
)
def test_other_values_are_refused(parameter, value):
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter"):
        make_slide((128, 128), **{parameter: value})


def test_the_folder_must_exist(tmp_path):
    pytest.importorskip("tifffile")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        make_slide((128, 128), path=tmp_path / "no" / "slide.tif")


def test_random_numbers_depend_on_seed_stream_and_position():
    rows, columns = np.indices((200, 300)) - 50
    numbers = uniform_at(1, 2, rows, columns)
    assert numbers.min() >= 0
    assert numbers.max() < 1
    assert abs(numbers.mean() - 0.5) < 0.01
    assert abs(numbers.std() - 12**-0.5) < 0.01
    assert abs(np.corrcoef(numbers[:-1].ravel(), numbers[1:].ravel())[0, 1]) < 0.02
    np.testing.assert_array_equal(uniform_at(1, 2, rows[9:], columns[9:]), numbers[9:])
    for other in (uniform_at(2, 2, rows, columns), uniform_at(1, 3, rows, columns)):
        assert abs(np.corrcoef(numbers.ravel(), other.ravel())[0, 1]) < 0.02


@pytest.mark.parametrize(
    ("noise_at", "sigma"), [(smooth_noise_at, 4.0), (fine_noise_at, 1.1)]
)
def test_parts_of_smooth_noise_are_cut_from_one_image(noise_at, sigma):
    rows, columns = np.arange(-100, 300), np.arange(1000, 1500)
    noise = noise_at(1, 2, rows, columns, sigma)
    part = noise_at(1, 2, rows[50:90], columns[100:], sigma)
    np.testing.assert_allclose(part, noise[50:90, 100:], atol=1e-5)
    assert abs(noise.mean()) < 0.05
    assert abs(noise.std() - 1) < 0.05
    lag = round(sigma)
    assert 0.6 < np.corrcoef(noise[lag:].ravel(), noise[:-lag].ravel())[0, 1] < 0.9
