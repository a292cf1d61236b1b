"""Slides read with Pillow, which decodes whole images."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image
from PIL.ExifTags import Base

from skhisto.patches._opening import (
    FILE_FORMATS,
    check_pixel_count,
    explained,
    opened_bytes,
)
from skhisto.patches._pixel_formats import PIXEL_FORMATS, content_of, pixels_of
from skhisto.patches._tiff import (
    as_stored,
    orientation_applied_by_pillow,
    stored_size,
)
from skhisto.slides._openslide_reader import sha256_of_file
from skhisto.slides._reader import Pixels, Shape, Token, decoded_images
from skhisto.slides._resolution import plausible_mpp

_TOO_LARGE = (
    "is too large for Pillow, which decodes whole images ({error}). "
    'Install OpenSlide with: pip install "skhisto[slides]". Or raise the limit '
    "PIL.Image.MAX_IMAGE_PIXELS if memory allows it."
)
_APERIO_MPP = re.compile(r"\|\s*MPP\s*=\s*([0-9.]+)")
_MICRONS_PER_UNIT = {2: 25_400.0, 3: 10_000.0}  # inch, centimetre


class PillowReader:
    """The first image of a TIFF, PNG, JPEG, WebP or BMP file as a slide with one level.

    Only the first image is opened. The other images of an SVS file are smaller levels,
    the label and the macro image.

    Parameters
    ----------
    path : str
        The file.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If the file does not exist or is a folder.
    ValueError
        In the following cases. The message names the file and the cause.

        - The file is not such an image.
        - The pixels are not 8-bit RGB, RGBA or grey.
        - The image has more pixels than ``PIL.Image.MAX_IMAGE_PIXELS``.

    Warns
    -----
    UserWarning
        By Pillow, if the metadata of a file are truncated or damaged. The pixels of the
        first image may still be complete.
    """

    level_shapes: tuple[Shape, ...]
    level_downsamples: tuple[float, ...] = (1.0,)
    mpp: float | None

    def __init__(self, path: str) -> None:
        self.path = path
        self._token = Token()
        with self._opened() as image:
            self.level_shapes = (stored_size(image),)
            self.mpp = _mpp_of_tiff(image) if image.format == "TIFF" else None

    def read(self, level: int, top: int, left: int, height: int, width: int) -> Pixels:
        """Return a box of the image, which is decoded if it is not cached."""
        pixels = decoded_images.get(self._token.key, self._decode, lambda a: a.nbytes)
        return pixels[top : top + height, left : left + width]

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return sha256_of_file(self.path)

    def _decode(self) -> Pixels:
        with self._opened() as image:
            orientation = orientation_applied_by_pillow(image)
            return np.ascontiguousarray(as_stored(pixels_of(image, "RGB"), orientation))

    @contextmanager
    def _opened(self) -> Iterator[Image.Image]:
        """Open the first image. Errors while opening and decoding name the file."""
        with opened_bytes(self.path) as file:
            with explained(self.path, file, too_large=_TOO_LARGE):
                image = Image.open(file, formats=FILE_FORMATS)
                check_pixel_count(image)
                content = content_of(image)
            _check_content(self.path, content)
            with explained(self.path, file):
                yield image


def _check_content(path: str, content: str) -> None:
    is_known = content in PIXEL_FORMATS
    if is_known and PIXEL_FORMATS[content].dtype == np.uint8:
        return
    found = PIXEL_FORMATS[content].name if is_known else content
    raise ValueError(
        f"A slide must be 8-bit RGB, RGB with an alpha channel, or grey, but '{path}' "
        f"contains {found}. Convert it first."
    )


def _mpp_of_tiff(image: Image.Image) -> float | None:
    """Return microns per pixel from Aperio's description or the resolution tags."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    aperio = _APERIO_MPP.search(str(tags.get(Base.ImageDescription, "")))
    if aperio is not None:
        mpp = float(aperio[1])
        return plausible_mpp(mpp, mpp)
    unit = _MICRONS_PER_UNIT.get(tags.get(Base.ResolutionUnit, 2))
    x, y = tags.get(Base.XResolution), tags.get(Base.YResolution)
    if unit is None or not x or not y:
        return None
    return plausible_mpp(unit / float(x), unit / float(y))
