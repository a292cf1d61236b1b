"""One image file -> one array, with errors that say what is wrong with the file."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

import numpy as np
from joblib import Parallel, delayed
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
"""What a file may hold, by the name of Pillow's mode."""

# Lossless or photographic formats that patches are kept in. Pillow knows forty more,
# some of which start other programs (EPS) or narrow 16 bits to 8 unseen (JPEG 2000).
FILE_FORMATS = ("TIFF", "PNG", "JPEG", "WEBP", "BMP")

_FILES_PER_TASK = 64
_N_NAMED = 10


def read_image(
    path: str | os.PathLike[str],
    mode: str = "RGB",
    *,
    size: tuple[int, int] | None = None,
    window: tuple[slice, slice] | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Read one image file, strictly.

    Palette images without transparency count as RGB, and 1-bit images as grey (0 and
    255), since these are only ways to store the same pixels. Nothing else is converted.

    Parameters
    ----------
    path : str or path-like
        The file.
    mode : {"RGB", "RGBA", "L", "I;16"}, default="RGB"
        What the file must hold: 8-bit RGB, 8-bit RGB with alpha, 8-bit grey, or
        unsigned 16-bit grey.
    size : tuple of int (height, width), default=None
        The size in pixels that the image must have. None accepts any.
    window : tuple of slice (rows, columns), default=None
        The part of the image to return. None returns all of it.
    out : ndarray of shape (height, width, n_channels), default=None
        Where to put the pixels: an array with the shape of the window and the dtype of
        the mode. None makes a new one.

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
        If the file is not one whole image of this mode and size. The message names the
        file and the probable cause.
    """
    with _opened(path, mode) as (image, file):
        if size is not None and (image.height, image.width) != size:
            raise ValueError(
                f"'{path}' is {image.height}x{image.width} pixels (height x width), "
                f"but {size[0]}x{size[1]} was expected: all patches must have one size."
            )
        with _explained(path, file):
            expand = image.mode in ("P", "1")
            pixels = np.asarray(image.convert(mode) if expand else image)
    pixels = pixels.reshape(*pixels.shape[:2], PIXEL_FORMATS[mode].channels)
    if window is not None:
        pixels = pixels[window]
    if out is None:
        out = np.empty(pixels.shape, dtype=PIXEL_FORMATS[mode].dtype)
    out[...] = pixels
    return out


class ImageFiles:
    """Image files of one size and mode as a source of patches.

    The first file gives the size that all others are held to when they are read.

    Parameters
    ----------
    paths : sequence of str
        The files, one patch each.
    mode : {"RGB", "RGBA", "L", "I;16"}, default="RGB"
        What each file must hold, see :func:`read_image`.
    n_jobs : int, default=None
        Number of threads that read files. None means 1, -1 all processors.

    Raises
    ------
    FileNotFoundError
        If some of the files do not exist: all are counted, the first ten named.
    ValueError
        If there are no paths, or if the first file cannot be read.
    """

    def __init__(
        self, paths: Sequence[str], mode: str = "RGB", *, n_jobs: int | None = None
    ) -> None:
        if len(paths) == 0:
            raise ValueError("No image files were given.")
        _check_all_exist(paths)
        self.paths = list(paths)
        self.mode = mode
        self.n_jobs = n_jobs
        with _opened(self.paths[0], mode) as (image, _):
            self._size = (image.height, image.width)

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
            Which files, as integers from 0, in any order and with repetitions.
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


def _check_all_exist(paths: Sequence[str]) -> None:
    missing = [path for path in paths if not os.path.exists(path)]
    if not missing:
        return
    lines = [f"{len(missing)} of {len(paths)} image files do not exist:"]
    lines += [f"  {path}" for path in missing[:_N_NAMED]]
    if len(missing) > _N_NAMED:
        lines.append(f"  and {len(missing) - _N_NAMED} more")
    lines.append("Check the folder, the names and their ending (such as '.tif').")
    raise FileNotFoundError("\n".join(lines))


@contextmanager
def _opened(
    path: str | os.PathLike[str], mode: str
) -> Iterator[tuple[Image.Image, BinaryIO]]:
    """Open an image whose header is as it should be; no pixel is decoded yet."""
    with _opened_bytes(path) as file:
        with _explained(path, file):
            image = Image.open(file, formats=FILE_FORMATS)
            # Before the frames are counted, for which WebP allocates whole canvases.
            _check_pixel_count(image)
            n_frames = getattr(image, "n_frames", 1)
        if n_frames > 1:
            raise ValueError(
                f"'{path}' holds {n_frames} images (frames, pages or pyramid levels), "
                "but one patch a file was expected. Save the wanted one as its own "
                "file."
            )
        _check_mode(path, image, mode)
        yield image, file


@contextmanager
def _opened_bytes(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    # Opened here and not by Pillow, so that it is closed whatever happens, and not
    # memory-mapped.
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
    """Turn whatever Pillow raises on bad contents into one ValueError."""
    try:
        yield
    except MemoryError:
        raise
    # Pillow's warning comes here as an exception where warnings are errors.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(
            f"'{path}' is far too large for a patch ({error}): it may be a "
            "decompression bomb, or a whole slide. Cut patches from it first."
        ) from None
    except Exception as error:  # Pillow's decoders raise a dozen unrelated types
        cause = probable_cause(file) or (
            f"it is truncated, corrupt, or none of {', '.join(FILE_FORMATS)} "
            f"(Pillow says: {error})"
        )
        raise ValueError(f"'{path}' cannot be read as an image: {cause}.") from error


def probable_cause(file: BinaryIO) -> str | None:
    """Recognise, from its first bytes, what is often found in place of an image."""
    file.seek(0)
    head = file.read(512)
    if not head:
        return "the file is empty (0 bytes), probably an interrupted copy or download"
    if head.startswith(b"\x00\x05\x16\x07"):
        return (
            "it is an AppleDouble file, made by macOS beside the real file when "
            "copying; delete it"
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
    """Return a key of PIXEL_FORMATS, or words for what is none of them."""
    if image.mode == "P" and not image.has_transparency_data:
        return "RGB"
    if image.mode == "1":
        return "L"
    if image.mode == "I;16B":  # the other byte order
        return "I;16"
    if image.mode in ("RGB", "RGBA") and _is_narrowed(image):
        return f"{image.mode} with 16 bits a channel, of which Pillow drops 8"
    if image.mode in PIXEL_FORMATS:
        return image.mode
    return {
        "P": "a palette with transparency",
        "I": "signed or 32-bit integers",
        "F": "floating-point numbers",
    }.get(image.mode, f"pixels of Pillow's mode {image.mode!r}")


def _is_narrowed(image: Image.Image) -> bool:
    # The raw mode ("RGB;16B") tells how the file stores the pixels. It is the decoder's
    # only argument, or the first of several.
    for tile in getattr(image, "tile", ()):
        raw_mode = tile[3][0] if isinstance(tile[3], tuple) else tile[3]
        if str(raw_mode).startswith("RGB") and ";16" in str(raw_mode):
            return True
    return False
