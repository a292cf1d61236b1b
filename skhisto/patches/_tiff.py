"""Peculiarities of TIFF files: unsupported content and orientation."""

from typing import Any, BinaryIO

import numpy as np
from PIL import Image, UnidentifiedImageError
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import ImageFileDirectory_v2

_SIGNATURES = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_TILE_WIDTH, _TILE_HEIGHT = 322, 323
_TILE_OFFSETS, _TILE_BYTE_COUNTS = 324, 325
_SAMPLE_FORMAT = 339

_UNREADABLE_COMPRESSIONS = {
    22610: "JPEG XR",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG",
    34934: "JPEG XR",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
"""Compressions that Pillow cannot decode, at least in its own packages (WebP)."""

_SAMPLE_FORMATS = {
    1: "unsigned integers",
    2: "signed integers",
    3: "floating-point numbers",
    5: "complex integers",
    6: "complex floating-point numbers",
}


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Return height and width of an opened image as stored in the file.

    For TIFF files, recent versions of Pillow report the size of the rotated image.
    """
    if image.format != "TIFF":
        return image.height, image.width
    return image.tag_v2[Base.ImageLength], image.tag_v2[Base.ImageWidth]  # type: ignore[attr-defined]


def tile_size(image: Image.Image) -> tuple[int, int]:
    """Return height and width of the tiles of a TIFF file, or (0, 0) without tiles."""
    if image.format != "TIFF":
        return 0, 0
    tags = image.tag_v2  # type: ignore[attr-defined]
    height, width = (_first(tags.get(tag, 0)) for tag in (_TILE_HEIGHT, _TILE_WIDTH))
    return int(height), int(width)


def orientation_applied_by_pillow(image: Image.Image) -> int:
    """Return the EXIF orientation that Pillow applies when it decodes an image.

    Pillow rotates only TIFF files. Call this function before decoding, because decoding
    removes the tag.
    """
    return image.getexif().get(Base.Orientation, 1) if image.format == "TIFF" else 1


def as_stored(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """Undo the rotation or flip of an EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    return pixels


def unreadable_content(file: BinaryIO, error: Exception) -> str | None:
    """Describe the content of a complete TIFF file that Pillow could not read.

    Parameters
    ----------
    file : binary file
        The file that Pillow could not open or decode.
    error : Exception
        The error of Pillow.

    Returns
    -------
    content : str or None
        The content and what to do about it. None if the file is not TIFF, if it is
        incomplete, or if Pillow supports its content.
    """
    tags = _tags(file)
    if tags is None or not _is_complete(tags, file):
        return None
    compression = _first(tags.get(Base.Compression, 1))
    if compression in _UNREADABLE_COMPRESSIONS:
        name = _UNREADABLE_COMPRESSIONS[compression]
        return (
            f"it is a TIFF with {name} compression, which Pillow cannot decode. "
            "Convert it to an uncompressed TIFF, for example with tifffile and "
            "imagecodecs: tifffile.imwrite(new, tifffile.imread(old))"
        )
    if not isinstance(error, UnidentifiedImageError):
        return None
    return (
        f"it is a TIFF with {_pixels(tags)}, which Pillow cannot decode. Convert it to "
        "8-bit RGB, 8-bit grey or unsigned 16-bit grey, or read it with tifffile and "
        "use the patches as an array"
    )


def _tags(file: BinaryIO) -> ImageFileDirectory_v2 | None:
    """Return the tags of the first image, or None if they cannot be read."""
    file.seek(0)
    header = file.read(8)
    if not header.startswith(_SIGNATURES):
        return None
    if b"+" in header[:4]:  # BigTIFF
        header += file.read(8)
    try:
        tags = ImageFileDirectory_v2(header)
        file.seek(tags.next)
        tags.load(file)
        return tags if {Base.ImageWidth, Base.ImageLength} <= set(tags) else None
    except Exception:  # damaged tags raise many unrelated types
        return None


def _is_complete(tags: ImageFileDirectory_v2, file: BinaryIO) -> bool:
    """Return whether all strips or tiles end within the file."""
    try:
        offsets = _all(tags.get(Base.StripOffsets, tags.get(_TILE_OFFSETS)))
        counts = _all(tags.get(Base.StripByteCounts, tags.get(_TILE_BYTE_COUNTS)))
        ends = [start + n for start, n in zip(offsets, counts, strict=True)]
        return 0 < max(ends, default=0) <= file.seek(0, 2)
    except Exception:  # damaged tags contain values of any type
        return False


def _pixels(tags: ImageFileDirectory_v2) -> str:
    """Describe the pixels of an image, for example "1 channel of 64-bit integers"."""
    channels = _first(tags.get(Base.SamplesPerPixel, 1))
    bits = _first(tags.get(Base.BitsPerSample, 1))
    sample_format = _first(tags.get(_SAMPLE_FORMAT, 1))
    colours = _first(tags.get(Base.PhotometricInterpretation, 1))
    return (
        f"{channels} channel{'' if channels == 1 else 's'} of {bits}-bit "
        f"{_SAMPLE_FORMATS.get(sample_format, 'values')} (photometric interpretation "
        f"{colours})"
    )


def _all(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def _first(value: Any) -> Any:
    return _all(value)[0] if _all(value) else None
