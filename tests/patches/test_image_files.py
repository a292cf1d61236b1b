"""One file becomes one array, or one clear error that names the file."""

import contextlib
import hashlib
import os
import shutil
import struct
import warnings
import zlib

import joblib
import numpy as np
import pytest
from PIL import Image, ImageFile

from skhisto.patches._image_files import ImageFiles, read_image

APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        "
LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 27648\n"
)
WEB_PAGE = b"\n<!DOCTYPE html><html><head><title>503</title></head></html>"
WHOLE = (slice(None), slice(None))


def random_pixels(*shape, dtype=np.uint8, seed=0):
    high = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(
        0, high, shape, dtype=dtype, endpoint=True
    )


def save_rgb(path, height=6, width=5, seed=0, **options):
    pixels = random_pixels(height, width, 3, seed=seed)
    Image.fromarray(pixels).save(path, **options)
    return pixels


def png_bytes(width, height, bit_depth, colour_type, data=b""):
    """Write a PNG by hand, for what Pillow cannot write."""

    def chunk(kind, body):
        check = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, bit_depth, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def tiff_bytes(data, *, order="<", bigtiff=False, n_bytes=None, **tags):
    """Write a TIFF by hand, of one strip of 5x6 pixels, for what Pillow cannot write."""
    numbers = {"bits": 258, "compression": 259, "colours": 262, "channels": 277} | {
        "sample_format": 339
    }
    length, offset = (8, 16) if bigtiff else (4, 8)
    entries = {256: 5, 257: 6, 259: 1, 262: 1, 277: 1, 278: 6}
    entries |= {numbers[name]: value for name, value in tags.items()}
    entries |= {273: offset, 279: len(data) if n_bytes is None else n_bytes}
    directory = struct.pack(order + ("Q" if bigtiff else "H"), len(entries))
    for number, value in sorted(entries.items()):
        kind = order + ("HHQQ" if bigtiff else "HHII")
        if order == ">" and number not in (273, 279):
            value <<= 8 * (length - 2)  # a SHORT is in the first bytes
        directory += struct.pack(
            kind, number, 4 if number in (273, 279) else 3, 1, value
        )
    directory += bytes(length)
    byte_order = b"II" if order == "<" else b"MM"
    header = (
        struct.pack(order + "HHHQ", 43, 8, 0, offset + len(data))
        if bigtiff
        else struct.pack(order + "HI", 42, offset + len(data))
    )
    return byte_order + header + data + directory


# What is read


@pytest.mark.parametrize("suffix", [".tif", ".png"])
@pytest.mark.parametrize(
    ("mode", "channels", "dtype"),
    [
        ("RGB", 3, np.uint8),
        ("RGBA", 4, np.uint8),
        ("L", 1, np.uint8),
        ("I;16", 1, np.uint16),
    ],
)
def test_each_mode_is_read_exactly_in_its_own_dtype(
    tmp_path, suffix, mode, channels, dtype
):
    pixels = random_pixels(6, 5, channels, dtype=dtype)
    path = tmp_path / f"patch{suffix}"
    Image.fromarray(pixels.squeeze()).save(path)

    image = read_image(path, mode)

    assert image.dtype == dtype
    np.testing.assert_array_equal(image, pixels)


@pytest.mark.parametrize(
    ("name", "options"), [("patch.bmp", {}), ("patch.webp", {"lossless": True})]
)
def test_other_lossless_formats_are_read_exactly(tmp_path, name, options):
    pixels = save_rgb(tmp_path / name, **options)
    np.testing.assert_array_equal(read_image(tmp_path / name), pixels)


def test_jpeg_is_read_as_pillow_decodes_it(tmp_path):
    save_rgb(tmp_path / "patch.jpg")
    with Image.open(tmp_path / "patch.jpg") as image:
        decoded = np.asarray(image)
    np.testing.assert_array_equal(read_image(tmp_path / "patch.jpg"), decoded)


@pytest.mark.parametrize("suffix", [".webp", ".bmp", ".png", ".tif"])
def test_the_name_does_not_decide_the_format(tmp_path, suffix):
    pixels = save_rgb(tmp_path / "patch", format="PNG")
    shutil.copy(tmp_path / "patch", tmp_path / f"patch{suffix}")
    np.testing.assert_array_equal(read_image(tmp_path / f"patch{suffix}"), pixels)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_compressed_tiff_is_read(tmp_path, compression):
    pixels = save_rgb(tmp_path / "patch.tif", compression=compression)
    np.testing.assert_array_equal(read_image(tmp_path / "patch.tif"), pixels)


def test_a_palette_without_transparency_counts_as_rgb(tmp_path):
    image = Image.fromarray(random_pixels(6, 5, 3)).quantize(16)
    image.save(tmp_path / "patch.png")
    np.testing.assert_array_equal(
        read_image(tmp_path / "patch.png"), np.asarray(image.convert("RGB"))
    )


def test_a_one_bit_image_counts_as_grey(tmp_path):
    bits = random_pixels(6, 5) > 127
    Image.fromarray(bits).save(tmp_path / "patch.png")
    np.testing.assert_array_equal(
        read_image(tmp_path / "patch.png", "L")[:, :, 0], np.where(bits, 255, 0)
    )


def test_big_endian_16_bit_grey_is_read_in_native_byte_order(tmp_path):
    pixels = random_pixels(6, 5, dtype=np.uint16)
    Image.fromarray(pixels.astype(">u2")).save(tmp_path / "patch.tif")
    with Image.open(tmp_path / "patch.tif") as image:
        assert image.mode == "I;16B"

    image = read_image(tmp_path / "patch.tif", "I;16")

    assert image.dtype.isnative
    np.testing.assert_array_equal(image[:, :, 0], pixels)


def test_a_window_is_that_part_of_the_image(tmp_path):
    pixels = save_rgb(tmp_path / "patch.png")
    image = read_image(tmp_path / "patch.png", window=(slice(1, 4), slice(2, 5)))
    np.testing.assert_array_equal(image, pixels[1:4, 2:5])


ORIENTATIONS = range(1, 9)


@pytest.mark.parametrize("compression", [None, "tiff_lzw"])
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_orientation_tag_of_a_tiff_is_ignored(tmp_path, orientation, compression):
    path = str(tmp_path / "patch.tif")
    pixels = save_rgb(path, compression=compression, tiffinfo={274: orientation})
    with Image.open(path) as image:
        assert image.getexif()[274] == orientation
    np.testing.assert_array_equal(read_image(path, size=(6, 5)), pixels)
    files = ImageFiles([path])
    assert files.shape == (1, 6, 5, 3)
    window = (slice(1, 3), slice(0, 4))
    np.testing.assert_array_equal(files.read(np.array([0]), window)[0], pixels[1:3, :4])


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_orientation_tag_of_a_palette_tiff_is_ignored(tmp_path, orientation):
    image = Image.fromarray(random_pixels(6, 5, 3)).quantize(16)
    image.save(tmp_path / "patch.tif", tiffinfo={274: orientation})
    np.testing.assert_array_equal(
        read_image(tmp_path / "patch.tif"), np.asarray(image.convert("RGB"))
    )


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("name", "options"),
    [("patch.png", {}), ("patch.webp", {"lossless": True}), ("patch.jpg", {})],
)
def test_the_orientation_in_exif_is_ignored(tmp_path, name, options, orientation):
    exif = Image.Exif()
    exif[274] = orientation
    save_rgb(tmp_path / "upright", format=name[6:].replace("jpg", "jpeg"), **options)
    save_rgb(tmp_path / name, exif=exif, **options)
    np.testing.assert_array_equal(
        read_image(tmp_path / name, size=(6, 5)), read_image(tmp_path / "upright")
    )


def test_pixels_go_into_the_array_that_is_given(tmp_path):
    pixels = save_rgb(tmp_path / "patch.png")
    out = np.zeros((2, 6, 5, 3), dtype=np.uint8)
    read_image(tmp_path / "patch.png", out=out[1])
    np.testing.assert_array_equal(out[1], pixels)
    assert not out[0].any()


# What is refused


@pytest.mark.parametrize(
    ("held", "expected", "message"),
    [
        ("RGBA", "RGB", r"contains 8-bit RGB with an alpha channel\. Expected 8-bit RGB \(mode='RGB'\).*mode='RGBA'"),
        ("L", "RGB", r"contains 8-bit grey\. Expected 8-bit RGB.*mode='L'"),
        ("1", "RGB", r"contains 8-bit grey\. Expected 8-bit RGB"),
        ("RGB", "L", r"contains 8-bit RGB\. Expected 8-bit grey.*mode='RGB'"),
        ("I;16", "L", r"contains unsigned 16-bit grey\. Expected 8-bit grey.*mode='I;16'"),
        ("L", "I;16", r"contains 8-bit grey\. Expected unsigned 16-bit grey"),
        ("F", "L", r"contains floating-point numbers\. .* Convert it to 8-bit grey\.$"),
        ("I", "I;16", r"contains signed or 32-bit integers\. .* Convert it to unsigned 16-bit grey\.$"),
        ("LA", "L", r"contains pixels of Pillow's mode 'LA'"),
        ("CMYK", "RGB", r"contains pixels of Pillow's mode 'CMYK'"),
    ],
)  # fmt: skip
def test_another_mode_is_refused_and_the_error_says_what_to_do(
    tmp_path, held, expected, message
):
    path = tmp_path / "patch.tif"
    Image.new(held, (5, 6)).save(path)
    with pytest.raises(ValueError, match=message) as error:
        read_image(path, expected)
    assert str(path) in str(error.value)


def test_a_palette_with_transparency_is_refused(tmp_path):
    image = Image.fromarray(random_pixels(6, 5, 3)).quantize(16)
    image.save(tmp_path / "patch.png", transparency=0)
    with pytest.raises(ValueError, match="contains a palette with transparency"):
        read_image(tmp_path / "patch.png")


@pytest.mark.parametrize(
    ("colour_type", "channels", "mode"), [(2, 3, "RGB"), (6, 4, "RGBA")]
)
def test_16_bit_colour_is_refused_where_pillow_would_narrow_it(
    tmp_path, colour_type, channels, mode
):
    data = (b"\x00" + bytes(5 * channels * 2)) * 6
    (tmp_path / "deep.png").write_bytes(png_bytes(5, 6, 16, colour_type, data))
    with pytest.raises(ValueError, match=f"contains {mode} with 16 bits per channel"):
        read_image(tmp_path / "deep.png", mode)


def test_a_missing_file_is_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.tif' does not exist"):
        read_image(tmp_path / "gone.tif")


def test_a_folder_is_not_an_image(tmp_path):
    with pytest.raises(
        IsADirectoryError, match=r"is a folder\. Expected an image file"
    ):
        read_image(tmp_path)


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "the file is empty"),
        (APPLE_DOUBLE, "AppleDouble file, which macOS made .* Delete it"),
        (LFS_POINTER, "Git LFS pointer.* Run 'git lfs pull'"),
        (WEB_PAGE, r"web page \(HTML\), probably a failed download"),
        (b"\xef\xbb\xbf<HTML>", "web page"),
        (b"id,label\n", "truncated, corrupt, or not one of TIFF, PNG"),
        (bytes(3000), "truncated, corrupt, or not one of TIFF, PNG"),
    ],
)
@pytest.mark.parametrize("name", ["patch.tif", "patch.png"])
def test_other_content_is_recognised(tmp_path, name, content, cause):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(
        ValueError, match=rf"{name}' cannot be read as an image: .*{cause}"
    ):
        read_image(tmp_path / name)


@pytest.mark.parametrize("kept", [0.02, 0.2, 0.5, 0.9])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("patch.tif", {}),
        ("patch.tif", {"compression": "tiff_lzw"}),
        ("patch.tif", {"compression": "tiff_adobe_deflate"}),
        ("patch.png", {}),
        ("patch.jpg", {}),
        ("patch.webp", {}),
        ("patch.bmp", {}),
    ],
)
@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_truncated_image_is_never_read(tmp_path, name, options, kept):
    path = tmp_path / name
    save_rgb(path, 24, 20, **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(
        ValueError, match=rf"{name}' cannot be read .*truncated, corrupt"
    ):
        read_image(path)


def test_the_tiffs_of_these_tests_are_valid(tmp_path):
    pixels = random_pixels(6, 5)
    for options in ({}, {"order": ">"}, {"bigtiff": True}):
        content = tiff_bytes(pixels.tobytes(), bits=8, **options)
        (tmp_path / "patch.tif").write_bytes(content)
        image = read_image(tmp_path / "patch.tif", "L")
        np.testing.assert_array_equal(image[..., 0], pixels)


FORMS_OF_TIFF = [{}, {"order": ">"}, {"bigtiff": True}]


@pytest.mark.parametrize("form", FORMS_OF_TIFF)
@pytest.mark.parametrize(
    ("compression", "name"),
    [(50001, "WebP"), (34712, "JPEG 2000"), (33005, "JPEG 2000"), (50002, "JPEG XL")],
)
def test_a_compression_that_pillow_cannot_decode_is_named(
    tmp_path, compression, name, form
):
    content = tiff_bytes(bytes(90), bits=8, compression=compression, **form)
    (tmp_path / "patch.tif").write_bytes(content)
    with pytest.raises(
        ValueError,
        match=rf"patch\.tif' cannot be read as an image: it is a TIFF with {name} "
        r"compression, .*uncompressed.* imagecodecs: tifffile\.imwrite\(new, .*\)\.$",
    ):
        read_image(tmp_path / "patch.tif", "L")


@pytest.mark.parametrize("form", FORMS_OF_TIFF)
@pytest.mark.parametrize(
    ("tags", "pixels"),
    [
        (
            {"bits": 64, "sample_format": 3},
            "1 channel of 64-bit floating-point numbers",
        ),
        (
            {"bits": 16, "sample_format": 3},
            "1 channel of 16-bit floating-point numbers",
        ),
        (
            {"bits": 32, "sample_format": 3, "channels": 3, "colours": 2},
            "3 channels of 32-bit floating-point numbers",
        ),
        ({"bits": 64}, "1 channel of 64-bit unsigned integers"),
        (
            {"bits": 64, "sample_format": 6},
            "1 channel of 64-bit complex floating-point",
        ),
        ({"bits": 8, "channels": 7}, "7 channels of 8-bit unsigned integers"),
        (
            {"bits": 8, "channels": 3},
            r"3 channels of 8-bit unsigned integers \(photometric interpretation 1\)",
        ),
    ],
)
def test_pixels_of_a_tiff_that_pillow_cannot_decode_are_named(
    tmp_path, tags, pixels, form
):
    n_bytes = 30 * tags["bits"] // 8 * tags.get("channels", 1)
    (tmp_path / "patch.tif").write_bytes(tiff_bytes(bytes(n_bytes), **tags, **form))
    with pytest.raises(
        ValueError,
        match=rf"it is a TIFF with {pixels}.*, which Pillow cannot decode\. Convert it to "
        r"8-bit RGB, .* with tifffile and use the patches as an array\.$",
    ):
        read_image(tmp_path / "patch.tif")


def test_floating_point_pixels_that_pillow_decodes_are_refused(tmp_path):
    Image.new("F", (5, 6)).save(tmp_path / "patch.tif")
    with pytest.raises(ValueError, match="contains floating-point numbers"):
        read_image(tmp_path / "patch.tif", "L")


@pytest.mark.parametrize("name", ["lzw", "jpeg"])
def test_a_tiff_with_damaged_pixels_is_corrupt(tmp_path, name):
    compression = {"lzw": 5, "jpeg": 7}[name]
    content = tiff_bytes(b"\xff" * 90, bits=8, compression=compression)
    (tmp_path / "patch.tif").write_bytes(content)
    with pytest.raises(ValueError, match="truncated, corrupt, or not one of TIFF"):
        read_image(tmp_path / "patch.tif", "L")


@pytest.mark.parametrize("tags", [{"compression": 50001, "bits": 8}, {"bits": 64}])
def test_a_truncated_tiff_is_truncated_whatever_it_holds(tmp_path, tags):
    content = tiff_bytes(bytes(90), n_bytes=10**6, **tags)
    (tmp_path / "patch.tif").write_bytes(content)
    with pytest.raises(ValueError, match="truncated, corrupt, or not one of TIFF"):
        read_image(tmp_path / "patch.tif", "L")


def test_a_corrupt_image_says_what_pillow_said(tmp_path):
    save_rgb(tmp_path / "patch.png", 24, 20)
    content = bytearray((tmp_path / "patch.png").read_bytes())
    content[600:700] = bytes(100)
    (tmp_path / "patch.png").write_bytes(content)
    with pytest.raises(
        ValueError, match=r"patch\.png' cannot be read .*Pillow says: .*broken"
    ):
        read_image(tmp_path / "patch.png")


@pytest.mark.parametrize("name", ["patch.tif", "patch.png"])
@pytest.mark.filterwarnings("ignore")
def test_damage_anywhere_raises_nothing_but_value_errors(tmp_path, name):
    path = tmp_path / name
    save_rgb(path)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= rng.integers(1, 256)
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):
            read_image(path)  # damaged pixels cannot be told from others


def test_an_image_with_several_frames_is_refused(tmp_path):
    frames = [Image.new("RGB", (5, 6)) for _ in range(3)]
    frames[0].save(tmp_path / "stack.tif", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match=r"stack\.tif' contains 3 images"):
        read_image(tmp_path / "stack.tif")


@pytest.mark.parametrize("action", ["ignore", "error"])
@pytest.mark.parametrize("times_the_limit", [1.5, 4])
def test_a_decompression_bomb_is_refused_by_its_header(
    tmp_path, monkeypatch, action, times_the_limit
):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    # No pixels in it: decoding would give another error.
    bomb = png_bytes(10, int(10 * times_the_limit), 8, 2)
    (tmp_path / "bomb.png").write_bytes(bomb)
    with warnings.catch_warnings():
        warnings.simplefilter(action, Image.DecompressionBombWarning)
        with pytest.raises(
            ValueError, match=r"bomb\.png' is far too large for a patch"
        ):
            read_image(tmp_path / "bomb.png")


def test_no_limit_on_pixels_is_the_users_choice(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    save_rgb(tmp_path / "patch.png")
    assert read_image(tmp_path / "patch.png").shape == (6, 5, 3)


def test_another_size_is_refused_by_its_header(tmp_path):
    # No pixels in it: decoding would give another error.
    (tmp_path / "large.png").write_bytes(png_bytes(7, 8, 8, 2))
    with pytest.raises(
        ValueError, match=r"large\.png' has 8x7 pixels .* Expected 6x5 pixels"
    ):
        read_image(tmp_path / "large.png", size=(6, 5))


@pytest.mark.skipif(
    not os.path.isdir("/proc/self/fd"), reason="needs Linux's list of open files"
)
def test_no_file_is_left_open(tmp_path):
    save_rgb(tmp_path / "good.tif")
    (tmp_path / "bad.tif").write_bytes(LFS_POINTER)
    before = os.listdir("/proc/self/fd")
    images = [read_image(tmp_path / "good.tif")]
    files = ImageFiles([str(tmp_path / "good.tif")] * 2)
    images.append(files.read(np.arange(2), WHOLE))
    for wrong in ({"mode": "L"}, {"size": (1, 1)}):
        with pytest.raises(ValueError, match=r"[Ee]xpected") as error:
            read_image(tmp_path / "good.tif", **wrong)
        images.append(error)
    with pytest.raises(ValueError, match="LFS") as error:
        read_image(tmp_path / "bad.tif")
    assert os.listdir("/proc/self/fd") == before


def test_no_setting_of_pillow_and_no_warning_filter_is_changed(tmp_path):
    save_rgb(tmp_path / "patch.png")
    before = (
        Image.MAX_IMAGE_PIXELS,
        ImageFile.LOAD_TRUNCATED_IMAGES,
        list(warnings.filters),
    )
    read_image(tmp_path / "patch.png")
    after = (
        Image.MAX_IMAGE_PIXELS,
        ImageFile.LOAD_TRUNCATED_IMAGES,
        list(warnings.filters),
    )
    assert after == before


# Many files


@pytest.fixture
def folder(tmp_path):
    """200 small files, more than one task of the threaded reader."""
    pixels = np.stack([save_rgb(tmp_path / f"{i:03}.png", seed=i) for i in range(200)])
    paths = [str(tmp_path / f"{i:03}.png") for i in range(200)]
    return paths, pixels


def test_shape_and_dtype_come_from_the_first_file(tmp_path):
    Image.fromarray(random_pixels(6, 5, dtype=np.uint16)).save(tmp_path / "a.png")
    files = ImageFiles([str(tmp_path / "a.png")] * 3, "I;16")
    assert files.shape == (3, 6, 5, 1)
    assert files.dtype == np.uint16
    assert repr(files) == f"ImageFiles(3 I;16 files from {str(tmp_path / 'a.png')!r})"


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1])
def test_rows_are_read_in_the_order_asked_for(folder, n_jobs):
    paths, pixels = folder
    rows = np.random.default_rng(0).integers(0, 200, 300)
    patches = ImageFiles(paths, n_jobs=n_jobs).read(rows, (slice(1, 4), slice(0, 2)))
    assert patches.dtype == np.uint8
    np.testing.assert_array_equal(patches, pixels[rows, 1:4, 0:2])


def test_a_process_based_joblib_backend_still_fills_the_one_array(folder):
    paths, pixels = folder
    with joblib.parallel_config(backend="loky", n_jobs=2):
        patches = ImageFiles(paths, n_jobs=2).read(np.arange(200), WHOLE)
    np.testing.assert_array_equal(patches, pixels)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_no_rows_give_an_empty_array(folder, n_jobs):
    paths, _ = folder
    patches = ImageFiles(paths, n_jobs=n_jobs).read(np.arange(0), WHOLE)
    assert patches.shape == (0, 6, 5, 3)


def test_all_missing_files_are_counted_and_ten_are_named(tmp_path):
    save_rgb(tmp_path / "here.png")
    gone = [str(tmp_path / f"gone{i:02}.png") for i in range(25)]
    with pytest.raises(FileNotFoundError) as error:
        ImageFiles([str(tmp_path / "here.png"), *gone])
    message = str(error.value)
    assert message.startswith("25 of 26 image files do not exist:\n")
    assert message.count("gone") == 10
    assert "gone09.png\n  and 15 more\n" in message


def test_a_few_missing_files_are_all_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"^2 of 2 .*\n  a\.png\n  b\.png\nCheck"
    ):
        ImageFiles(["a.png", "b.png"])


def windows_name(name):
    return name.replace("/", "\\")


@pytest.mark.parametrize(
    ("misspell", "hint"),
    [
        pytest.param(
            windows_name,
            r"contain backslashes, .*replace\('\\\\', '/'\)\.$",
            marks=pytest.mark.skipif(os.sep == "\\", reason="valid on Windows"),
        ),
        pytest.param(
            lambda name: windows_name(name) + " ",
            r"backslashes and begin or end with spaces.*'/'\)\.strip\(\)\.$",
            marks=pytest.mark.skipif(os.sep == "\\", reason="valid on Windows"),
        ),
        (lambda name: name + " ", r"end with spaces, .*name\.strip\(\)\.$"),
        (lambda name: name.replace(".png", "\n.png"), "end with spaces"),
        (lambda name: name.replace("here", " here"), "begin or end with spaces"),
        (lambda name: name.replace("/", " /"), "begin or end with spaces"),
    ],
)
def test_a_correction_of_names_that_finds_a_file_is_a_hint(tmp_path, misspell, hint):
    (tmp_path / "train").mkdir()
    save_rgb(tmp_path / "train" / "here.png")
    paths = [f"{tmp_path}/{misspell(f'train/{name}.png')}" for name in ("gone", "here")]
    with pytest.raises(FileNotFoundError, match=hint) as error:
        ImageFiles(paths)
    assert f"but '{tmp_path}/train/here.png' exists" in str(error.value)
    assert "Check the folder" not in str(error.value)


def test_a_correction_that_finds_no_file_is_no_hint(tmp_path):
    with pytest.raises(FileNotFoundError) as error:
        ImageFiles([f"{tmp_path}/train\\gone .png"])
    assert str(error.value).endswith("suffix (such as '.tif').")


def test_no_files_at_all_are_an_error():
    with pytest.raises(ValueError, match="No image files were given"):
        ImageFiles([])


def test_a_file_that_vanishes_later_is_named(folder):
    paths, _ = folder
    files = ImageFiles(paths)
    os.remove(paths[3])
    with pytest.raises(FileNotFoundError, match=r"003\.png' does not exist"):
        files.read(np.arange(5), WHOLE)


# Real files


def test_real_patches_have_the_pixels_that_their_names_promise(real_data):
    for path in sorted((real_data / "pcam" / "train").glob("*.tif"))[:100]:
        image = read_image(path)
        assert image.shape == (96, 96, 3)
        assert hashlib.sha1(image.tobytes()).hexdigest() == path.stem


@pytest.mark.parametrize("suffix", ["", ".tif"])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("._0000d563d5cfafc4e68acb7c9829258a298d9b6a.tif", "AppleDouble"),
        ("camelyonpatch_level_2_split_test_x.h5", "Git LFS pointer"),
        ("broken-html.svs", "web page"),
        ("rgba.png", "contains 8-bit RGB with an alpha channel"),
        ("int16_two_frames.tif", "contains 2 images"),
    ],
)
def test_real_bad_files_are_recognised_under_any_name(
    real_data, tmp_path, name, message, suffix
):
    path = tmp_path / (name + suffix)
    shutil.copyfile(real_data / "badfiles" / name, path)
    with pytest.raises(ValueError, match=message) as error:
        read_image(path)
    assert str(path) in str(error.value)


def test_every_real_bad_file_has_its_test(real_data):
    assert len(os.listdir(real_data / "badfiles")) == 5


def test_images_far_larger_than_patches_are_refused_by_their_header(tmp_path):
    # Below the limit of Pillow, above that of patches.
    (tmp_path / "large.png").write_bytes(png_bytes(6000, 6000, 8, 2))
    message = r"large\.png' is far too large for a patch \(6000x6000 pixels"
    with pytest.raises(ValueError, match=message):
        read_image(tmp_path / "large.png")


def test_an_image_whose_pixels_cannot_be_described_is_an_error(tmp_path):
    # Numbers of colours without a palette.
    (tmp_path / "a.png").write_bytes(png_bytes(4, 4, 8, 3))
    for read in (read_image, lambda path: ImageFiles([str(path)])):
        with pytest.raises(ValueError, match=r"a\.png' cannot be read as an image"):
            read(tmp_path / "a.png")
