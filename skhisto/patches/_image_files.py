"""Strict reading of image files, with errors that say what is wrong with a file."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from skhisto.patches._missing_files import check_all_exist
from skhisto.patches._tiff import (
    as_stored,
    orientation_applied_by_pillow,
    stored_size,
    unreadable_content,
)


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
"""Pixels that a file may hold, by the name of Pillow's mode."""

# Lossless and photographic formats. Pillow reads forty more. Some of them start other
# programs (EPS) or silently reduce 16 bits to 8 (JPEG 2000).
FILE_FORMATS = ("TIFF", "PNG", "JPEG", "WEBP", "BMP")

_FILES_PER_TASK = 64


def read_image(
    path: str | os.PathLike[str],
    mode: str = "RGB",
    *,
    size: tuple[int, int] | None = None,
    window: tuple[slice, slice] | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Read one image file without implicit conversions.

    Palette images without transparency are read as RGB, and 1-bit images as grey (0 and
    255), because these formats only store the same pixels in another way. Nothing else
    is converted. Pixels are returned as they are stored in the file: the orientation
    tag of TIFF files and the EXIF orientation of other formats are ignored.

    Parameters
    ----------
    path : str or path-like
        The file.
    mode : {"RGB", "RGBA", "L", "I;16"}, default="RGB"
        Required content of the file: 8-bit RGB, 8-bit RGB with alpha, 8-bit grey, or
        unsigned 16-bit grey.
    size : tuple of int (height, width), default=None
        Required size in pixels. None accepts all sizes.
    window : tuple of slice (rows, columns), default=None
        The part of the image to return. None returns the whole image.
    out : ndarray of shape (height, width, n_channels), default=None
        Array for the pixels, with the shape of the window and the dtype of the mode.
        None makes a new array.

    Returns
    -------
    image : ndarray of shape (height, width, n_channels)
        uint8, or uint16 for mode "I;16".

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    IsADirectoryError
        If the path is a folder.
    ValueError
        If the file does not hold exactly one complete image of this mode and size. The
        message names the file and the probable cause.
    """
    with _opened(path, mode) as (image, file):
        height, width = stored_size(image)
        if size is not None and (height, width) != size:
            raise ValueError(
                f"'{path}' is {height}x{width} pixels (height x width), but "
                f"{size[0]}x{size[1]} was expected. All patches must have the same "
                "size."
            )
        with _explained(path, file):
            orientation = orientation_applied_by_pillow(image)
            expand = image.mode in ("P", "1")
            pixels = np.asarray(image.convert(mode) if expand else image)
            pixels = as_stored(pixels, orientation)
    pixels = pixels.reshape(*pixels.shape[:2], PIXEL_FORMATS[mode].channels)
    if window is not None:
        pixels = pixels[window]
    if out is None:
        out = np.empty(pixels.shape, dtype=PIXEL_FORMATS[mode].dtype)
    out[...] = pixels
    return out


class ImageFiles:
    """Image files of one size and mode as a source of patches.

    The first file determines the size. The size of the others is checked when they are
    read.

    Parameters
    ----------
    paths : sequence of str
        The files, one patch each.
    mode : {"RGB", "RGBA", "L", "I;16"}, default="RGB"
        Required content of the files, see :func:`read_image`.
    n_jobs : int, default=None
        Number of threads that read files. None means 1, -1 all processors.

    Raises
    ------
    FileNotFoundError
        If some of the files do not exist. The message counts all of them and names the
        first ten.
    ValueError
        If there are no paths, or if the first file cannot be read.
    """

    def __init__(
        self, paths: Sequence[str], mode: str = "RGB", *, n_jobs: int | None = None
    ) -> None:
        if len(paths) == 0:
            raise ValueError("No image files were given.")
        check_all_exist(paths)
        self.paths = list(paths)
        self.mode = mode
        self.n_jobs = n_jobs
        with _opened(self.paths[0], mode) as (image, _):
            self._size = stored_size(image)

    def __repr__(self) -> str:
        return f"ImageFiles({len(self.paths)} {self.mode} files from {self.paths[0]!r})"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of files, height and width in pixels, number of channels."""
        return (len(self.paths), *self._size, PIXEL_FORMATS[self.mode].channels)

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        return PIXEL_FORMATS[self.mode].dtype

    def read(self, rows: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
        """Decode some of the files.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            Numbers of the files, integers from 0, in any order. They may repeat.
        window : tuple of slice (rows, columns)
            The part of each image to return.

        Returns
        -------
        patches : ndarray of shape (n_rows, height, width, n_channels)
            The pixels of the window.
        """
        height, width = (
            len(range(*side.indices(n)))
            for side, n in zip(window, self._size, strict=True)
        )
        patches = np.empty((len(rows), height, width, self.shape[3]), dtype=self.dtype)
        if self.n_jobs in (None, 1):
            self._read_into(patches, rows, window)
            return patches
        starts = range(0, len(rows), _FILES_PER_TASK)
        parts = [slice(start, start + _FILES_PER_TASK) for start in starts]
        # sharedmem, not only prefer="threads": under a user's process-based
        # parallel_config the workers would fill copies of the array.
        Parallel(n_jobs=self.n_jobs, require="sharedmem")(
            delayed(self._read_into)(patches[part], rows[part], window)
            for part in parts
        )
        return patches

    def _read_into(
        self, patches: np.ndarray, rows: np.ndarray, window: tuple[slice, slice]
    ) -> None:
        for patch, row in zip(patches, rows, strict=True):
            path = self.paths[row]
            read_image(path, self.mode, size=self._size, window=window, out=patch)


@contextmanager
def _opened(
    path: str | os.PathLike[str], mode: str
) -> Iterator[tuple[Image.Image, BinaryIO]]:
    """Open an image and check its header. No pixel is decoded yet."""
    with _opened_bytes(path) as file:
        with _explained(path, file):
            image = Image.open(file, formats=FILE_FORMATS)
            # Check before counting frames, for which WebP allocates whole canvases.
            _check_pixel_count(image)
            n_frames = getattr(image, "n_frames", 1)
        if n_frames > 1:
            raise ValueError(
                f"'{path}' holds {n_frames} images (frames, pages or pyramid levels), "
                "but one patch per file was expected. Save each patch in a file of its "
                "own."
            )
        _check_mode(path, image, mode)
        yield image, file


@contextmanager
def _opened_bytes(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    # A file that Pillow opens itself may stay open after an error, or be memory-mapped.
    try:
        file = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        raise FileNotFoundError(f"The image file '{path}' does not exist.") from None
    except OSError:
        # IsADirectoryError, or PermissionError on Windows.
        if os.path.isdir(path):
            raise IsADirectoryError(
                f"'{path}' is a folder, but an image file was expected."
            ) from None
        raise
    with file:
        yield file


def _check_pixel_count(image: Image.Image) -> None:
    # Pillow itself only warns between once and twice its limit.
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and image.width * image.height > limit:
        raise Image.DecompressionBombError(
            f"{image.height}x{image.width} pixels, the limit is {limit} in all"
        )


@contextmanager
def _explained(path: str | os.PathLike[str], file: BinaryIO) -> Iterator[None]:
    """Turn all errors that Pillow raises on bad contents into a ValueError."""
    try:
        yield
    except MemoryError:
        raise
    # Pillow's warning is raised where warnings are errors.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(
            f"'{path}' is far too large for a patch ({error}). It may be a whole slide "
            "or a decompression bomb. Cut patches from it first."
        ) from None
    except Exception as error:  # Pillow's decoders raise a dozen unrelated types
        cause = (
            probable_cause(file)
            or unreadable_content(file, error)
            or f"it is truncated, corrupt, or none of {', '.join(FILE_FORMATS)} "
            f"(Pillow says: {error})"
        )
        raise ValueError(f"'{path}' cannot be read as an image: {cause}.") from error


def probable_cause(file: BinaryIO) -> str | None:
    """Recognise other content by the first bytes of a file, such as a web page."""
    file.seek(0)
    head = file.read(512)
    if not head:
        return "the file is empty (0 bytes), probably an interrupted copy or download"
    if head.startswith(b"\x00\x05\x16\x07"):
        return (
            "it is an AppleDouble file, made by macOS when it copied the real file; "
            "delete it"
        )
    if head.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the file itself; run 'git lfs pull'"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "it is a web page (HTML), probably a failed download"
    return None


def _check_mode(
    path: str | os.PathLike[str], image: Image.Image, expected: str
) -> None:
    found = _mode_when_expanded(image)
    if found == expected:
        return
    holds = PIXEL_FORMATS[found].name if found in PIXEL_FORMATS else found
    advice = f"Convert it to {PIXEL_FORMATS[expected].name}"
    if found in PIXEL_FORMATS:
        advice += f", or pass mode={found!r} if all files are like this one"
    raise ValueError(
        f"'{path}' holds {holds}, but {PIXEL_FORMATS[expected].name} was expected "
        f"(mode={expected!r}). {advice}."
    )


def _mode_when_expanded(image: Image.Image) -> str:
    """Return a key of PIXEL_FORMATS, or a description of other pixels."""
    if image.mode == "P" and not image.has_transparency_data:
        return "RGB"
    if image.mode == "1":
        return "L"
    if image.mode == "I;16B":  # the other byte order
        return "I;16"
    if image.mode in ("RGB", "RGBA") and _is_narrowed(image):
        return f"{image.mode} with 16 bits per channel, of which Pillow drops 8"
    if image.mode in PIXEL_FORMATS:
        return image.mode
    return {
        "P": "a palette with transparency",
        "I": "signed or 32-bit integers",
        "F": "floating-point numbers",
    }.get(image.mode, f"pixels of Pillow's mode {image.mode!r}")


def _is_narrowed(image: Image.Image) -> bool:
    # The raw mode ("RGB;16B") describes the pixels in the file. It is the only argument
    # of the decoder, or the first of several.
    for tile in getattr(image, "tile", ()):
        raw_mode = tile[3][0] if isinstance(tile[3], tuple) else tile[3]
        if str(raw_mode).startswith("RGB") and ";16" in str(raw_mode):
            return True
    return False
