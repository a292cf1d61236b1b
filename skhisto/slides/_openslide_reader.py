"""Slides read with OpenSlide."""

import hashlib
from types import ModuleType
from typing import Any

import numpy as np

from skhisto.patches._opening import opened_bytes, probable_cause
from skhisto.patches._pixel_formats import over_white
from skhisto.slides._reader import Pixels, Shape, Token, open_slides
from skhisto.slides._resolution import plausible_mpp

# OpenSlide interpolates if a position is between two pixels of a level. Among this many
# pixels, one is close to a position that OpenSlide can address.
_N_STARTS = 32
# OpenSlide decodes whole tiles and terminates the process if memory is insufficient.
# Tiles from scanners have at most 2,048 x 2,048 pixels.
_MAX_TILE_PIXELS = 2**25


class UnrecognisedSlideError(ValueError):
    """The error for files in a format that OpenSlide does not support."""


class OpenSlideReader:
    """A slide in one of the formats of OpenSlide.

    Only levels of the pyramid and the properties `openslide.mpp-x`, `openslide.mpp-y`
    and `openslide.quickhash-1` are read. Associated images are never opened.

    Parameters
    ----------
    path : str
        The file.

    Raises
    ------
    ImportError
        If OpenSlide is not installed.
    FileNotFoundError, IsADirectoryError
        If the file does not exist or is a folder.
    ValueError
        If OpenSlide cannot open the file, or if its tiles have more than 33 million
        pixels. The message names the file and the cause.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._token = Token()
        handle = self._handle()
        _check_tiles(path, handle)
        width, height = handle.dimensions
        self.level_shapes: tuple[Shape, ...] = tuple(
            (h, w) for w, h in handle.level_dimensions
        )
        self._downsamples = tuple(handle.level_downsamples)
        self.level_downsamples = tuple(
            _exact_downsample((height, width), shape, downsample)
            for shape, downsample in zip(
                self.level_shapes, self._downsamples, strict=True
            )
        )
        properties = handle.properties
        self.mpp = plausible_mpp(
            _number(properties.get("openslide.mpp-x")),
            _number(properties.get("openslide.mpp-y")),
        )
        self._quickhash = properties.get("openslide.quickhash-1")

    def read(self, level: int, top: int, left: int, height: int, width: int) -> Pixels:
        """Decode a box of a level.

        Raises
        ------
        ValueError
            If the file is damaged there. The message names the file.
        """
        downsample = self._downsamples[level]
        first_row, y = _addressable(top, downsample)
        first_column, x = _addressable(left, downsample)
        size = (left - first_column + width, top - first_row + height)
        try:
            image = self._handle().read_region((x, y), level, size)
        except import_openslide().OpenSlideError as error:
            # From now on, the handle would return this error for all regions.
            open_slides.forget(self._token.key)
            raise ValueError(
                f"'{self.path}' cannot be decoded at level {level}, rows {top} to "
                f"{top + height}, columns {left} to {left + width}: it is truncated or "
                f"corrupt (OpenSlide says: {error})."
            ) from error
        pixels = np.asarray(image)[top - first_row :, left - first_column :]
        if pixels[..., 3].min() == 255:
            return pixels[..., :3]
        return over_white(pixels)

    def fingerprint(self) -> str:
        """Return OpenSlide's quickhash-1, or the SHA-256 of the file without one."""
        return self._quickhash or sha256_of_file(self.path)

    def _handle(self) -> Any:
        return open_slides.get(self._token.key, lambda: _open(self.path))


def is_openslide_installed() -> bool:
    """Return whether OpenSlide can be imported."""
    try:
        import_openslide()
    except ImportError:
        return False
    return True


def import_openslide() -> ModuleType:
    """Return OpenSlide, or raise an ImportError that says how to install it."""
    try:
        import openslide
    except (ImportError, OSError):  # OSError if the C library is missing
        raise ImportError(
            "Reading this slide needs OpenSlide, which is not installed. Install it "
            'with: pip install "skhisto[slides]"'
        ) from None
    return openslide


def sha256_of_file(path: str) -> str:
    """Return the SHA-256 of the content of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _open(path: str) -> Any:
    openslide = import_openslide()
    with opened_bytes(path) as file:  # its errors are clearer than OpenSlide's
        cause = probable_cause(file)
    try:
        return openslide.OpenSlide(path)
    except openslide.OpenSlideUnsupportedFormatError:
        cause = cause or (
            "it is truncated, corrupt, or in a format that OpenSlide does not support"
        )
        raise UnrecognisedSlideError(
            f"'{path}' cannot be read as a slide: {cause}."
        ) from None
    except openslide.OpenSlideError as error:
        raise ValueError(
            f"'{path}' cannot be read as a slide: it is truncated, corrupt, or of an "
            f"unusual kind (OpenSlide says: {error})."
        ) from error


def _check_tiles(path: str, handle: Any) -> None:
    for level in range(handle.level_count):
        width, height = (
            _number(handle.properties.get(f"openslide.level[{level}].tile-{side}")) or 0
            for side in ("width", "height")
        )
        if width * height > _MAX_TILE_PIXELS:
            raise ValueError(
                f"'{path}' cannot be read as a slide: it is corrupt or meant to "
                f"exhaust memory. Level {level} has tiles of {height:.0f}x{width:.0f} "
                f"pixels, but the limit is {_MAX_TILE_PIXELS} in total."
            )


def _exact_downsample(
    full: tuple[int, int], shape: tuple[int, int], downsample: float
) -> float:
    """Return the integer by which a level was reduced, if the sizes allow one.

    OpenSlide divides the rounded sizes of both levels, which is less accurate. For
    example, 62 of 250 pixels give 4.03 instead of 4.
    """
    rounded = max(1, round(downsample))
    is_integer = all(
        abs(length / rounded - reduced) < 1
        for length, reduced in zip(full, shape, strict=True)
    )
    return float(rounded) if is_integer else downsample


def _addressable(start: int, downsample: float) -> tuple[int, int]:
    """Return a pixel of a level at or before `start`, and its position in level 0.

    Of several candidates, the pixel whose position is closest to an integer is used.
    """
    if downsample == round(downsample):
        return start, start * round(downsample)
    starts = np.arange(start, max(-1, start - _N_STARTS), -1)
    positions = np.rint(starts * downsample)
    nearest = np.argmin(np.abs(positions - starts * downsample))
    return int(starts[nearest]), int(positions[nearest])


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
