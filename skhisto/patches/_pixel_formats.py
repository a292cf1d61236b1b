"""Pixel formats of image files, and conversion between them."""

from typing import NamedTuple

import numpy as np
from PIL import Image


class _PixelFormat(NamedTuple):
    dtype: np.dtype
    channels: int
    name: str


PIXEL_FORMATS = {
    "RGB": _PixelFormat(np.dtype(np.uint8), 3, "8-bit RGB"),
    "RGBA": _PixelFormat(np.dtype(np.uint8), 4, "8-bit RGB with an alpha channel"),
    "L": _PixelFormat(np.dtype(np.uint8), 1, "8-bit grey"),
    "I;16": _PixelFormat(np.dtype(np.uint16), 1, "unsigned 16-bit grey"),
}
"""Supported pixel formats, by the name of Pillow's mode."""

_RGB_16 = "RGB with 16 bits per channel (Pillow reads only 8 of them)"
_RGBA_16 = "RGBA with 16 bits per channel (Pillow reads only 8 of them)"
_GREY_ALPHA = "pixels of Pillow's mode 'LA'"
_PALETTE_ALPHA = "a palette with transparency"

_TRANSPARENT = {"RGBA", _RGBA_16, _GREY_ALPHA, _PALETTE_ALPHA}
_CONVERTIBLE = {
    "RGB": {"L", "I;16", _RGB_16} | _TRANSPARENT,
    "RGBA": {_RGBA_16},
    "L": {"I;16", _GREY_ALPHA},
    "I;16": set(),
}


_PIXELS_AT_ONCE = 2**18


def content_of(image: Image.Image) -> str:
    """Return a key of PIXEL_FORMATS, or a description of another format.

    Palette images without transparency count as RGB, and 1-bit images as grey.
    """
    if image.mode == "P":
        return _PALETTE_ALPHA if image.has_transparency_data else "RGB"
    if image.mode == "1":
        return "L"
    if image.mode == "I;16B":  # the other byte order
        return "I;16"
    if image.mode in ("RGB", "RGBA") and _is_narrowed(image):
        return _RGB_16 if image.mode == "RGB" else _RGBA_16
    if image.mode in PIXEL_FORMATS:
        return image.mode
    return {
        "LA": _GREY_ALPHA,
        "I": "signed or 32-bit integers",
        "F": "floating-point numbers",
    }.get(image.mode, f"pixels of Pillow's mode {image.mode!r}")


def content_problem(content: str, mode: str, convert: bool) -> str | None:
    """Return why a file of some content cannot be read in a mode, or None."""
    convertible = content in _CONVERTIBLE[mode]
    if content == mode or (convert and convertible):
        return None
    found = PIXEL_FORMATS[content].name if content in PIXEL_FORMATS else content
    expected = PIXEL_FORMATS[mode].name
    advice = f"Convert it to {expected}"
    if convertible:
        advice += ", for example with convert=True"
    if content in PIXEL_FORMATS:
        advice += f", or pass mode={content!r} if all files are like this one"
    return f"contains {found}. Expected {expected} (mode={mode!r}). {advice}."


def pixels_of(image: Image.Image, mode: str) -> np.ndarray:
    """Decode an image in a mode for which `content_problem` returns None.

    Parameters
    ----------
    image : Image
        An opened image.
    mode : {"RGB", "RGBA", "L", "I;16"}

    Returns
    -------
    pixels : ndarray of shape (height, width, n_channels)
        Transparent pixels are blended with white. Grey is repeated in all channels.
        16-bit values are reduced to their high 8 bits.
    """
    content = content_of(image)
    if content == "I;16" and mode != "I;16":
        pixels = (np.asarray(image) >> 8).astype(np.uint8)
    elif content in _TRANSPARENT and mode != "RGBA":
        is_rgba = image.mode == "RGBA"
        pixels = over_white(np.asarray(image if is_rgba else image.convert("RGBA")))
    else:
        is_coded = image.mode in ("P", "1")  # palette indices, or single bits
        pixels = np.asarray(image.convert(content) if is_coded else image)
    if pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    n_channels = PIXEL_FORMATS[mode].channels
    if pixels.shape[2] == 1:
        return np.repeat(pixels, n_channels, axis=2) if n_channels > 1 else pixels
    return pixels[..., :n_channels]


def over_white(pixels: np.ndarray) -> np.ndarray:
    """Blend RGBA pixels with white, rounded to integers."""
    blended = np.empty((*pixels.shape[:-1], 3), np.uint8)
    # Blended a few rows at a time, because the sums take four times the memory.
    n_rows = max(1, _PIXELS_AT_ONCE // max(1, pixels.shape[1]))
    for start in range(0, len(pixels), n_rows):
        rows = pixels[start : start + n_rows]
        alpha = rows[..., 3:].astype(np.uint32)
        sums = rows[..., :3] * alpha + 255 * (255 - alpha)
        blended[start : start + n_rows] = (sums + 127) // 255
    return blended


def _is_narrowed(image: Image.Image) -> bool:
    # The raw mode ("RGB;16B") describes the pixels in the file. It is the only or the
    # first argument of the decoder.
    for tile in getattr(image, "tile", ()):
        raw_mode = tile[3][0] if isinstance(tile[3], tuple) else tile[3]
        if str(raw_mode).startswith("RGB") and ";16" in str(raw_mode):
            return True
    return False
