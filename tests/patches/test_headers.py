"""Headers of image files are read once, and as Pillow reads them."""

import os
import struct
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from skhisto.patches import _headers
from skhisto.patches._headers import Header, read_headers

seeded = settings(derandomize=True, deadline=None, max_examples=60)


@pytest.fixture(autouse=True)
def parsed(monkeypatch):
    """Paths that Pillow opened, with nothing known at the start."""
    monkeypatch.setattr(_headers, "_files", {})
    monkeypatch.setattr(_headers, "_heads", {})
    paths = []
    opened_image = _headers.opened_image

    def noting(path):
        paths.append(os.path.basename(path))
        return opened_image(path)

    monkeypatch.setattr(_headers, "opened_image", noting)
    return paths


def save(folder, name, size=(6, 5), mode="RGB", seed=0, **options):
    """Save an image with other pixels for each seed."""
    shape = (size[0], size[1], len(mode)) if len(mode) > 1 else size
    pixels = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    path = str(folder / name)
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.mark.parametrize("suffix", ["tif", "bmp", "png"])
def test_equal_heads_are_parsed_once(tmp_path, parsed, suffix):
    paths = [save(tmp_path, f"{i}.{suffix}", seed=i) for i in range(4)]
    paths.append(save(tmp_path, f"larger.{suffix}", (7, 5)))
    paths.append(save(tmp_path, f"grey.{suffix}", mode="L"))
    headers = read_headers(paths)
    assert headers[:4] == [Header((6, 5), "RGB")] * 4
    assert headers[4:] == [Header((7, 5), "RGB"), Header((6, 5), "L")]
    assert parsed == [f"0.{suffix}", f"larger.{suffix}", f"grey.{suffix}"]


def test_heads_of_other_formats_are_never_shared(tmp_path, parsed):
    paths = [save(tmp_path, f"{i}.jpg", seed=i) for i in range(3)]
    assert read_headers(paths) == [Header((6, 5), "RGB")] * 3
    assert len(parsed) == 3


def test_a_png_whose_pixels_begin_behind_the_head_is_not_shared(tmp_path, parsed):
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * _headers._HEAD_BYTES)
    paths = [save(tmp_path, f"{name}.png", pnginfo=text) for name in "ab"]
    assert read_headers(paths) == [Header((6, 5), "RGB")] * 2
    assert sorted(parsed) == ["a.png", "b.png"]


def test_a_file_is_read_again_only_if_it_has_changed(tmp_path, parsed):
    path = save(tmp_path, "a.jpg")
    assert read_headers([path]) == read_headers([path]) == [Header((6, 5), "RGB")]
    assert parsed == ["a.jpg"]
    save(tmp_path, "a.jpg", (8, 9))
    os.utime(path, ns=(1, 1))
    assert read_headers([path]) == [Header((8, 9), "RGB")]
    assert parsed == ["a.jpg", "a.jpg"]


def test_the_memory_of_headers_is_bounded(tmp_path, parsed, monkeypatch):
    monkeypatch.setattr(_headers, "_MAX_FILES", 3)
    paths = [save(tmp_path, f"{i}.jpg", seed=i) for i in range(5)]
    read_headers(paths)
    read_headers(paths[2:])
    assert len(parsed) == 5
    read_headers(paths[:1])
    assert parsed[-1] == "0.jpg"
    assert len(_headers._files) == 3


def test_many_files_are_read_in_the_order_given(tmp_path):
    sizes = [(1 + i % 7, 1 + i % 5) for i in range(600)]
    paths = [save(tmp_path, f"{i}.png", size) for i, size in enumerate(sizes)]
    assert [header.size for header in read_headers(paths)] == sizes


def test_a_transparent_palette_after_an_opaque_one_is_noticed(tmp_path):
    image = Image.fromarray(np.arange(30, dtype=np.uint8).reshape(6, 5))
    image = image.convert("P")
    image.save(tmp_path / "opaque.png")
    image.save(tmp_path / "transparent.png", transparency=3)
    headers = read_headers(
        [str(tmp_path / f"{n}.png") for n in ("opaque", "transparent")]
    )
    assert [header.content for header in headers] == [
        "RGB",
        "a palette with transparency",
    ]


def test_a_second_image_in_a_tiff_is_noticed(tmp_path):
    good = save(tmp_path, "a.tif")
    frame = Image.new("RGB", (5, 6))
    frame.save(tmp_path / "b.tif", save_all=True, append_images=[frame])
    with pytest.raises(ValueError, match=r"b\.tif' contains 2 images"):
        read_headers([good, str(tmp_path / "b.tif")])


def test_all_files_that_cannot_be_read_are_listed(tmp_path):
    paths = [save(tmp_path, f"{i}.png") for i in range(15)]
    for path in paths[3:]:
        with open(path, "wb") as file:
            file.write(b"<html>" if path == paths[3] else b"")
    with pytest.raises(
        ValueError, match=r"^12 of 15 image files cannot be read"
    ) as error:
        read_headers(paths)
    assert "3.png' cannot be read as an image: it is a web page" in str(error.value)
    assert str(error.value).count(".png'") == 10
    assert str(error.value).endswith("and 2 more")


@seeded
@given(
    st.sampled_from(["RGB", "L", "RGBA"]),
    st.sampled_from(["tiff", "png", "bmp"]),
    st.integers(1, 300),
    st.integers(1, 300),
    st.text("abc", max_size=30),
)
def test_metadata_end_before_the_pixels(mode, kind, height, width, text):
    options = {}
    if kind == "png":
        options["pnginfo"] = PngImagePlugin.PngInfo()
        options["pnginfo"].add_text("Comment", text)
    elif kind == "tiff":
        options["description"] = text
    heads = []
    for value in (0, 200):
        file = BytesIO()
        Image.new(mode, (width, height), value).save(file, kind, **options)
        heads.append(file.getvalue()[: _headers._HEAD_BYTES])
    first, second = (_headers._metadata(head, 7) for head in heads)
    assert first == second is not None
    other = BytesIO()
    Image.new(mode, (width + 1, height)).save(other, kind, **options)
    assert _headers._metadata(other.getvalue(), 7) != first


@seeded
@given(st.binary(max_size=300), st.sampled_from([b"II*\x00", b"MM\x00*", b"BM", b""]))
def test_damaged_heads_have_metadata_or_not_but_raise_nothing(data, signature):
    key = _headers._metadata(signature + data, 300)
    assert key is None or (signature + data).startswith(key[0])


def test_values_of_tags_belong_to_the_metadata():
    keys = set()
    for text in ("a" * 20, "b" * 20):
        file = BytesIO()
        Image.new("RGB", (5, 6)).save(file, "tiff", description=text)
        keys.add(_headers._metadata(file.getvalue(), 7))
    assert len(keys) == 2


def test_tags_behind_the_pixels_are_not_shared():
    head = b"II*\x00" + struct.pack("<I", 10_000) + bytes(2_000)
    assert _headers._metadata(head, 20_000) is None
