import multiprocessing
import pickle
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skhisto import Slide
from skhisto.slides import _blocks, _openslide_reader
from skhisto.slides._openslide_reader import OpenSlideReader
from skhisto.slides._reader import open_slides

from .conftest import shrink, textured, write_pyramid

pytest.importorskip("openslide")


def whole(image):
    return image.read(0, 0, *image.shape)


def flat(height, width):
    return np.full((height, width, 3), 200, np.uint8)


# --- readers


@pytest.mark.parametrize("engine", ["auto", "openslide", "pillow"])
def test_all_engines_read_the_same_pixels(pyramid, engine):
    path, pixels = pyramid
    slide = Slide(path, engine=engine)
    assert slide.shape == pixels.shape[:2]
    assert slide.mpp == pytest.approx(0.5)
    assert np.array_equal(whole(slide.at()), pixels)
    assert whole(slide.at()).dtype == np.uint8


@pytest.mark.parametrize("engine", ["openslide", "pillow"])
def test_an_svs_has_the_resolution_that_aperio_states(svs, engine):
    path, pixels = svs
    slide = Slide(path, engine=engine)
    assert slide.mpp == pytest.approx(0.5)
    assert np.array_equal(whole(slide.at()), pixels)


@pytest.mark.parametrize("name", ["region/CMU-1-Small-Region.svs", "slides/boxes.tiff"])
def test_real_slides_have_the_same_pixels_through_openslide_and_pillow(real_data, name):
    by_openslide = Slide(real_data / name, engine="openslide")
    by_pillow = Slide(real_data / name, engine="pillow")
    assert by_openslide.mpp == by_pillow.mpp
    assert np.array_equal(whole(by_openslide.at()), whole(by_pillow.at()))


@pytest.mark.parametrize("name", ["slides/small.svs", "slides/boxes_0.dcm"])
def test_the_smallest_svs_and_dicom_slides_are_read(real_data, name):
    slide = Slide(real_data / name)
    assert slide.shape == (16, 16)
    assert slide.mpp == 0.499
    assert 200 < whole(slide.at()).mean() < 250


def test_levels_are_halves_although_their_sizes_are_rounded(real_data):
    slide = Slide(real_data / "slides" / "boxes.tiff")
    assert slide.level_shapes == ((250, 300), (125, 150), (62, 75), (31, 37))
    assert slide.level_downsamples == (1, 2, 4, 8)


def test_transparent_pixels_are_blended_with_white(tmp_path):
    rgba = np.zeros((8, 8, 4), np.uint8)
    rgba[:4, :, 3] = 255
    Image.fromarray(rgba).save(tmp_path / "a.png")
    pixels = whole(Slide(tmp_path / "a.png").at())
    assert (pixels[:4] == 0).all()
    assert (pixels[4:] == 255).all()


def test_transparent_pixels_of_openslide_are_blended_with_white(pyramid, monkeypatch):
    path, _ = pyramid
    slide = Slide(path, engine="openslide")

    class Sparse:
        def read_region(self, location, level, size):
            return Image.new("RGBA", size, (0, 0, 0, 0))

    monkeypatch.setattr(slide._reader, "_handle", Sparse)
    assert (slide.at().read(0, 0, 9, 9) == 255).all()


def test_grey_images_are_read_and_16_bits_are_refused(tmp_path):
    Image.new("L", (8, 8), 40).save(tmp_path / "grey.png")
    assert (whole(Slide(tmp_path / "grey.png").at()) == 40).all()
    Image.fromarray(np.zeros((8, 8), np.uint16)).save(tmp_path / "deep.png")
    with pytest.raises(ValueError, match=r"deep.png.*contains unsigned 16-bit grey"):
        Slide(tmp_path / "deep.png")


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_images_beyond_the_limit_of_pillow_are_refused(tmp_path, monkeypatch):
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 399)
    with pytest.raises(
        ValueError, match=r"a.png' is too large for Pillow.*skhisto\[slides\]"
    ):
        Slide(tmp_path / "a.png")


@pytest.mark.parametrize(
    "pixels",
    [flat(8, 8)[..., :2], flat(8, 8).astype(float), flat(8, 8)[0], flat(0, 8)],
)
def test_an_array_must_be_rgb_of_8_bits(pixels):
    with pytest.raises(ValueError, match="must be an RGB array of dtype uint8"):
        Slide(pixels)


def test_what_is_no_slide_is_refused():
    with pytest.raises(TypeError, match=r"path or a uint8 array.*got int"):
        Slide(3)
    with pytest.raises(ValueError, match="engine must be one of"):
        Slide(flat(8, 8), engine="tiffslide")


# --- files that cannot be read


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone.svs' does not exist"):
        Slide(tmp_path / "gone.svs")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        Slide(tmp_path)


@pytest.mark.parametrize("engine", ["auto", "openslide", "pillow"])
def test_a_truncated_slide_is_named(pyramid, tmp_path, engine):
    broken = tmp_path / "broken.tiff"
    broken.write_bytes(pyramid[0].read_bytes()[:10_000])
    with pytest.raises(
        ValueError, match=r"broken.tiff' cannot be .*truncated, corrupt"
    ):
        whole(Slide(broken, engine=engine).at())


def test_a_web_page_named_svs_is_recognised(tmp_path):
    (tmp_path / "a.svs").write_text("<html>Not found</html>")
    for engine in ["auto", "openslide", "pillow"]:
        with pytest.raises(ValueError, match=r"a.svs' cannot be read .*web page"):
            Slide(tmp_path / "a.svs", engine=engine)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("slides/unopenable.tiff", "cannot be read as a slide.*52479"),
        ("slides/unreadable.svs", "cannot be decoded at level 0.*truncated or corrupt"),
        ("badfiles/broken-html.svs", "web page"),
        ("badfiles/camelyonpatch_level_2_split_test_x.h5", "Git LFS pointer"),
        ("badfiles/int16_two_frames.tif", "must be 8-bit RGB.*unsigned 16-bit grey"),
        ("badfiles/._0000d563d5cfafc4e68acb7c9829258a298d9b6a.tif", "AppleDouble"),
    ],
)
def test_real_bad_files_raise_one_clear_error(real_data, name, message):
    with pytest.raises(ValueError, match=message) as caught:
        whole(Slide(real_data / name).at())
    assert name in str(caught.value)


def corrupt_last_tile(path, target):
    """Overwrite the end of level 0, which has one level."""
    content = bytearray(path.read_bytes())
    with pytest.importorskip("tifffile").TiffFile(path) as tiff:
        page = tiff.pages[0]
        start, n_bytes = page.dataoffsets[-1], page.databytecounts[-1]
    content[start : start + n_bytes] = b"\x00" * n_bytes
    target.write_bytes(content)
    return target


def test_a_bad_tile_does_not_spoil_the_rest_of_the_slide(tmp_path):
    pixels = textured(512, 512)
    good = write_pyramid(tmp_path / "good.tiff", pixels, factors=(1,))
    bad = corrupt_last_tile(good, tmp_path / "bad.tiff")
    image = Slide(bad, engine="openslide").at()
    for _ in range(2):
        with pytest.raises(ValueError, match=r"bad.tiff' cannot be decoded at level 0"):
            image.read(256, 256, 256, 256)
        assert np.array_equal(image.read(0, 0, 256, 512), pixels[:256])


def test_without_openslide_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    (tmp_path / "a.mrxs").write_bytes(b"unknown")
    monkeypatch.setattr("skhisto.slides._opening.is_openslide_installed", lambda: False)
    with pytest.raises(ValueError, match=r'a.mrxs.*pip install "skhisto\[slides\]"'):
        Slide(tmp_path / "a.mrxs")
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(ImportError, match=r'pip install "skhisto\[slides\]"'):
        Slide(tmp_path / "a.mrxs", engine="openslide")


def test_levels_of_any_factor_are_read_without_interpolation(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    levels = [textured(300, 500), textured(90, 150, seed=1)]  # a factor of 10 / 3
    with tifffile.TiffWriter(tmp_path / "a.tiff") as tiff:
        for number, pixels in enumerate(levels):
            tiff.write(
                pixels,
                tile=(64, 64),
                photometric="rgb",
                subfiletype=number,
                metadata=None,
            )
    reader = OpenSlideReader(str(tmp_path / "a.tiff"))
    for start in range(40, 44):
        found = reader.read(1, start, start + 5, 7, 9)
        expected = levels[1][start : start + 7, start + 5 : start + 14]
        assert np.array_equal(found, expected)


def test_a_resolution_that_is_no_number_is_unknown():
    assert _openslide_reader._number("0.25") == 0.25
    assert _openslide_reader._number("unknown") is None


def test_a_tiff_without_a_unit_has_no_known_resolution(tmp_path):
    image = Image.fromarray(flat(20, 30))
    image.save(tmp_path / "a.tif", resolution_unit=1, resolution=20_000)
    assert Slide(tmp_path / "a.tif", engine="pillow").mpp is None


def test_importing_skhisto_does_not_import_openslide():
    code = "import sys, skhisto, skhisto.slides; assert 'openslide' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


# --- resolution


@pytest.mark.parametrize("mpp", [0.01, 352, -1, float("nan"), "0.5", None])
def test_an_implausible_resolution_is_refused(mpp):
    if mpp is None:
        assert Slide(flat(8, 8)).mpp is None
        return
    with pytest.raises(ValueError, match=r"mpp must be a number from 0.05 to 20"):
        Slide(flat(8, 8), mpp=mpp)
    with pytest.raises(ValueError, match=r"mpp must be a number from 0.05 to 20"):
        Slide(flat(8, 8), mpp=1).at(mpp)


@pytest.mark.parametrize("engine", ["openslide", "pillow"])
@pytest.mark.parametrize("dots", [72, 300])
def test_a_resolution_for_printing_counts_as_unknown(tmp_path, engine, dots):
    path = write_pyramid(tmp_path / "a.tiff", textured(64, 64), (1,), mpp=25_400 / dots)
    assert Slide(path, engine=engine).mpp is None


def test_an_unknown_resolution_must_be_given():
    with pytest.raises(ValueError, match=r"'a' is unknown.*Slide\(..., mpp=0.25\)"):
        Slide(flat(8, 8), name="a").at(0.97)


def test_pixels_that_are_not_square_have_no_known_resolution():
    from skhisto.slides._resolution import plausible_mpp

    assert plausible_mpp(0.5, 0.51) == pytest.approx(0.505, abs=1e-4)
    assert plausible_mpp(0.5, 0.55) is None
    assert plausible_mpp(0.5, None) is None
    assert plausible_mpp(0.5, float("nan")) is None


def test_the_resolution_of_the_file_is_overridden(pyramid):
    assert Slide(pyramid[0], mpp=0.25).mpp == 0.25


def test_a_level_near_the_requested_resolution_is_read_as_it_is(pyramid):
    path, pixels = pyramid
    image = Slide(path).at(1.005)
    assert image.scale == 2
    assert image.mpp == pytest.approx(1.0)
    assert np.array_equal(whole(image), shrink(pixels, 2))


def test_the_next_finer_level_is_resampled(pyramid):
    path, pixels = pyramid
    image = Slide(path).at(1.5)
    assert image.scale == pytest.approx(3)
    assert image.shape == (100, 166)
    finer = Image.fromarray(shrink(pixels, 2))
    expected = finer.resize((166, 100), Image.Resampling.BILINEAR, box=(0, 0, 249, 150))
    assert np.abs(whole(image).astype(int) - np.asarray(expected)).max() <= 1


def test_blocks_join_without_seams():
    pixels = textured(700, 600)
    image = Slide(pixels, mpp=0.499).at(0.97)
    assert min(image.shape) > _blocks.BLOCK
    height, width = image.shape
    box = (0, 0, width * image.scale, height * image.scale)
    expected = Image.fromarray(pixels).resize(
        (width, height), Image.Resampling.BILINEAR, box=box
    )
    assert np.abs(whole(image).astype(int) - np.asarray(expected)).max() <= 1


def test_finer_pixels_than_level_0_are_interpolated():
    image = Slide(textured(64, 64), mpp=1.0).at(0.5)
    assert image.shape == (128, 128)
    assert whole(image).std() > 10


def test_coarse_pixels_are_read_in_small_boxes(monkeypatch):
    slide = Slide(flat(4100, 4100), mpp=0.05)
    read, largest = slide._reader.read, []

    def spy(level, top, left, height, width):
        largest.append(max(height, width))
        return read(level, top, left, height, width)

    monkeypatch.setattr(slide._reader, "read", spy)
    image = slide.at(5)
    assert (whole(image) == 200).all()
    assert max(largest) < 2 * 2048


def test_nothing_is_left_of_a_slide_smaller_than_a_pixel():
    with pytest.raises(ValueError, match="would be empty"):
        Slide(flat(8, 8), mpp=0.5).at(20)


# --- regions


@pytest.fixture(scope="module", params=["array", "level", "resampled", "native"])
def resampled(pyramid, request):
    """An image whose pixels come from an array, a level, or two levels."""
    kind = request.param
    slide = Slide(pyramid[1], mpp=0.5) if kind == "array" else Slide(pyramid[0])
    return slide.at(
        {"array": 0.97, "level": 1.0, "resampled": 0.7, "native": None}[kind]
    )


@settings(max_examples=30)
@given(data=st.data())
def test_a_pixel_does_not_depend_on_the_region_it_is_read_with(resampled, data):
    image = resampled
    height, width = image.shape
    top = data.draw(st.integers(-20, height))
    left = data.draw(st.integers(-20, width))
    n_rows, n_columns = data.draw(st.integers(1, 300)), data.draw(st.integers(1, 300))
    row, column = (
        data.draw(st.integers(0, n_rows)),
        data.draw(st.integers(0, n_columns)),
    )
    region = image.read(top, left, n_rows, n_columns)
    parts = np.vstack(
        [
            np.hstack(
                [
                    image.read(top + y, left + x, h, w)
                    for x, w in [(0, column), (column, n_columns - column)]
                ]
            )
            for y, h in [(0, row), (row, n_rows - row)]
        ]
    )
    assert np.array_equal(region, parts)
    padded = np.full((height + 640, width + 640, 3), 255, np.uint8)
    padded[320:-320, 320:-320] = whole(image)
    from_whole = padded[top + 320 :, left + 320 :][:n_rows, :n_columns]
    assert np.array_equal(region[: len(from_whole), : from_whole.shape[1]], from_whole)


def test_regions_outside_of_the_slide_are_white():
    image = Slide(flat(10, 10)).at()
    region = image.read(-5, 5, 10, 10)
    assert (region[5:, :5] == 200).all()
    assert (region[:5] == 255).all()
    assert (region[:, 5:] == 255).all()
    assert (image.read(500, -700, 3, 4) == 255).all()
    assert image.read(0, 0, 0, 4).shape == (0, 4, 3)


def test_the_caller_may_change_what_was_read():
    pixels = flat(10, 10)
    image = Slide(pixels).at()
    image.read(0, 0, 10, 10)[:] = 0
    assert (image.read(0, 0, 10, 10) == 200).all()
    assert (pixels == 200).all()


def test_thumbnails_are_made_from_the_pyramid(svs):
    path, pixels = svs
    thumbnail = Slide(path).thumbnail(64)
    assert thumbnail.shape == (64, 64, 3)
    assert np.abs(thumbnail.astype(int) - shrink(pixels, 8)).mean() < 12
    assert Slide(flat(8, 9)).thumbnail(512).shape == (8, 9, 3)


def test_the_thumbnail_of_a_narrow_slide_has_at_least_one_row():
    assert Slide(flat(5, 4000)).thumbnail(100).shape == (1, 800, 3)


@pytest.mark.parametrize("max_size", [0, -1, 2.5])
def test_the_size_of_a_thumbnail_is_positive(max_size):
    with pytest.raises(ValueError, match="max_size must be a positive integer, got"):
        Slide(flat(8, 9)).thumbnail(max_size)


# --- one value in many places


def test_a_pickle_holds_no_handles_and_no_decoded_pixels(pyramid):
    path, _ = pyramid
    for engine in ["openslide", "pillow"]:
        image = Slide(path, engine=engine).at(0.97)
        expected = whole(image)
        content = pickle.dumps(image)
        assert len(content) < 2_000
        assert np.array_equal(whole(pickle.loads(content)), expected)


def test_copies_do_not_share_cached_pixels(tmp_path):
    image = Slide(flat(10, 10)).at()
    whole(image)
    changed = pickle.loads(pickle.dumps(image))
    changed.slide._reader.pixels[:] = 0
    assert (whole(changed) == 0).all()
    assert (whole(image) == 200).all()


@pytest.mark.parametrize("engine", ["openslide", "pillow"])
def test_several_threads_read_from_one_slide(pyramid, engine, monkeypatch):
    monkeypatch.setattr(_blocks, "_cache", _blocks.LRU(100_000))  # two blocks
    image = Slide(pyramid[0], engine=engine).at(0.55)
    expected = whole(image)
    tops = list(range(0, 200, 10)) * 3
    with ThreadPoolExecutor(8) as pool:
        found = pool.map(lambda top: image.read(top, 20, 60, 400), tops)
        for top, region in zip(tops, found, strict=True):
            assert np.array_equal(region, expected[top : top + 60, 20:420])


def read_in_child(image, queue):
    n_inherited = open_slides.weight
    queue.put((n_inherited, whole(image), open_slides.weight))


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
def test_a_forked_process_opens_its_own_handle(pyramid):
    image = Slide(pyramid[0], engine="openslide").at(0.97)
    expected = whole(image)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=read_in_child, args=(image, queue))
    child.start()
    n_inherited, pixels, n_handles = queue.get(timeout=60)
    child.join()
    assert np.array_equal(pixels, expected)
    assert (n_inherited, n_handles) == (0, 1)


def test_only_some_slides_stay_open(pyramid, monkeypatch):
    monkeypatch.setattr(_openslide_reader, "open_slides", _blocks.LRU(2))
    images = [Slide(pyramid[0], engine="openslide").at() for _ in range(4)]
    assert all(np.array_equal(whole(image), pyramid[1]) for image in images)
    assert _openslide_reader.open_slides.weight == 2


# --- names and fingerprints


def test_names_default_to_the_stem_of_the_file(pyramid):
    assert Slide(pyramid[0]).name == "p"
    assert Slide(str(pyramid[0]), name="one").name == "one"
    assert Slide(flat(8, 8)).name == "slide"


def test_fingerprints_identify_pixels_and_not_paths(pyramid, tmp_path):
    path, pixels = pyramid
    copy = tmp_path / "copy.tiff"
    copy.write_bytes(path.read_bytes())
    for engine in ["openslide", "pillow"]:
        first, second = Slide(path, engine=engine), Slide(copy, engine=engine)
        assert first.fingerprint == second.fingerprint
        assert len(first.fingerprint) == 64
    assert Slide(pixels).fingerprint == Slide(np.asfortranarray(pixels)).fingerprint
    assert Slide(pixels).fingerprint != Slide(pixels[::-1]).fingerprint


def test_the_representation_shows_no_path(pyramid):
    slide = Slide(pyramid[0], name="one")
    assert repr(slide) == "Slide(name='one', shape=(300, 500), mpp=0.5)"
    assert str(pyramid[0]) not in repr(slide.at(0.97))


def with_tags(path, **values):
    """Change tags of the first image of a little-endian TIFF file."""
    content = bytearray(path.read_bytes())
    (start,) = struct.unpack_from("<I", content, 4)
    (n_tags,) = struct.unpack_from("<H", content, start)
    for entry in range(start + 2, start + 2 + 12 * n_tags, 12):
        tag, _ = struct.unpack_from("<HH", content, entry)
        if f"tag_{tag}" in values:
            struct.pack_into("<HHII", content, entry, tag, 4, 1, values[f"tag_{tag}"])
    path.write_bytes(content)


@pytest.mark.parametrize("engine", ["openslide", "pillow", "auto"])
def test_tiles_that_would_exhaust_the_memory_are_refused(tmp_path, engine):
    path = write_pyramid(tmp_path / "p.tiff", textured(128, 128), factors=(1, 2))
    with_tags(path, tag_322=16_384, tag_323=65_536)
    with pytest.raises(ValueError, match=r"p\.tiff' .*tiles of 65536x16384 pixels"):
        Slide(path, engine=engine)
