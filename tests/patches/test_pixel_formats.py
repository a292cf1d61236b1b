"""Other pixels are converted on request only."""

import numpy as np
import pytest
from PIL import Image

from skhisto.patches._image_files import ImageFiles, read_image
from skhisto.patches._pixel_formats import over_white
from skhisto.preprocessing import PatchLoader


@pytest.fixture
def files(tmp_path):
    """One pixel, as a file of each kind."""
    images = {
        "RGB": Image.new("RGB", (1, 1), (10, 20, 30)),
        "RGBA": Image.new("RGBA", (1, 1), (10, 20, 30, 51)),  # a fifth opaque
        "L": Image.new("L", (1, 1), 77),
        "LA": Image.new("LA", (1, 1), (77, 0)),
        "I;16": Image.fromarray(np.array([[0x1234]], dtype=np.uint16)),
    }
    for name, image in images.items():
        image.save(tmp_path / f"{name}.png")
    palette = Image.new("P", (2, 1))
    palette.putpalette([10, 20, 30, 40, 50, 60])
    palette.putpixel((1, 0), 1)
    palette.save(tmp_path / "P.png", transparency=0)
    return lambda name: str(tmp_path / f"{name}.png")


@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        ("RGB", "RGB", [10, 20, 30]),
        ("RGBA", "RGB", [206, 208, 210]),
        ("L", "RGB", [77, 77, 77]),
        ("LA", "RGB", [255, 255, 255]),
        ("I;16", "RGB", [0x12, 0x12, 0x12]),
        ("I;16", "L", [0x12]),
        ("LA", "L", [255]),
        ("RGBA", "RGBA", [10, 20, 30, 51]),
    ],
)
def test_pixels_are_converted_on_request(files, content, mode, expected):
    image = read_image(files(content), mode, convert=True)
    assert image.tolist() == [[expected]]
    assert image.dtype == np.uint8
    X = PatchLoader(mode=mode, convert=True).transform([files(content)])
    assert X[0].tolist() == [[expected]]


def test_a_transparent_colour_of_a_palette_is_white(files):
    image = read_image(files("P"), "RGB", convert=True)
    assert image.tolist() == [[[255, 255, 255], [40, 50, 60]]]


@pytest.mark.parametrize("content", ["RGBA", "L", "LA", "I;16", "P"])
def test_nothing_is_converted_without_a_request(files, content):
    with pytest.raises(ValueError, match=r"Expected 8-bit RGB.*convert=True"):
        read_image(files(content), "RGB")


@pytest.mark.parametrize(
    ("content", "mode"), [("RGB", "L"), ("RGB", "RGBA"), ("L", "I;16"), ("RGBA", "L")]
)
def test_colour_and_bits_are_never_invented_or_dropped(files, content, mode):
    with pytest.raises(ValueError, match=r"Expected .*\(mode=") as error:
        ImageFiles([files(content)], mode, convert=True)
    assert "convert=True" not in str(error.value)


def test_all_files_of_other_pixels_are_listed_at_once(files):
    paths = [files(name) for name in ("RGB", "L", "RGBA")]
    with pytest.raises(ValueError, match=r"^2 of 3 image files cannot be read:\n") as e:
        ImageFiles(paths)
    assert "L.png' contains 8-bit grey" in str(e.value)
    assert "RGBA.png' contains 8-bit RGB with an alpha channel" in str(e.value)


def test_a_real_file_with_alpha_is_blended_with_white(real_data):
    path = str(real_data / "badfiles" / "rgba.png")
    with Image.open(path) as image:
        white = Image.new("RGBA", image.size, "white")
        expected = np.asarray(Image.alpha_composite(white, image))[..., :3]
    converted = read_image(path, convert=True)
    assert np.abs(converted.astype(int) - expected).max() <= 1


def test_blending_a_few_rows_at_a_time_gives_the_same_pixels(monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, 4), dtype=np.uint8)
    whole = over_white(pixels)
    alpha = pixels[..., 3:] / 255
    np.testing.assert_array_equal(
        whole, np.rint(pixels[..., :3] * alpha + 255 * (1 - alpha))
    )
    monkeypatch.setattr("skhisto.patches._pixel_formats._PIXELS_AT_ONCE", 12)
    np.testing.assert_array_equal(over_white(pixels), whole)
