"""Strict reading of image files, with errors that explain what is wrong."""

import os
from collections.abc import Sequence

import numpy as np
from joblib import Parallel, delayed

from skhisto.patches._headers import Header, check_contents, read_headers
from skhisto.patches._missing_files import check_all_exist
from skhisto.patches._opening import explained, opened_image
from skhisto.patches._pixel_formats import (
    PIXEL_FORMATS,
    content_of,
    content_problem,
    pixels_of,
)
from skhisto.patches._sizes import (
    OddSizeError,
    Size,
    check_sizes,
    fit_to_size,
    is_solved,
)
from skhisto.patches._tiff import (
    as_stored,
    orientation_applied_by_pillow,
    stored_size,
)

_FILES_PER_TASK = 64


def read_image(
    path: str | os.PathLike[str],
    mode: str = "RGB",
    *,
    size: Size | None = None,
    on_mismatch: str = "raise",
    convert: bool = False,
    window: tuple[slice, slice] | None = None,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Read one image file without implicit conversions.

    Palette images without transparency are read as RGB, and 1-bit images as grey (0 and
    255), because these formats store the same pixels in another form. Other pixels are
    only converted if `convert` is True. Pixels are returned as stored in the file: the
    orientation tag of TIFF files and the EXIF orientation of other formats are ignored.

    Parameters
    ----------
    path : str or path-like
        The file.
    mode : {"RGB", "RGBA", "L", "I;16"}, default="RGB"
        Required pixel format of the file: 8-bit RGB, 8-bit RGB with alpha, 8-bit grey,
        or unsigned 16-bit grey.
    size : tuple of int (height, width), default=None
        Required size in pixels. None accepts all sizes.
    on_mismatch : {"raise", "crop", "pad", "resize"}, default="raise"
        What to do if the size differs from `size`, see `fit_to_size`.
    convert : bool, default=False
        Whether to convert other pixel formats to `mode`, see `pixels_of`.
    window : tuple of slice (rows, columns), default=None
        The part of the image to return. None returns the whole image.
    out : ndarray of shape (height, width, n_channels), default=None
        Array for the pixels, with the shape of the window and the dtype of the mode.
        None creates a new array.

    Returns
    -------
    image : ndarray of shape (height, width, n_channels)
        uint8, or uint16 for mode "I;16".

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    IsADirectoryError
        If the path is a folder.
    ValueError
        If the file does not contain exactly one complete image of this mode and size.
        The message gives the file and the probable cause. If only the size is wrong,
        the error is an `OddSizeError`.
    """
    with opened_image(path) as (image, file):
        with explained(path, file):
            content, found = content_of(image), stored_size(image)
        problem = content_problem(content, mode, convert)
        if problem is not None:
            raise ValueError(f"'{path}' {problem}")
        if size is not None and not is_solved(found, size, on_mismatch):
            raise OddSizeError(path, found, size)
        with explained(path, file):
            orientation = orientation_applied_by_pillow(image)
            pixels = as_stored(pixels_of(image, mode), orientation)
    if size is not None and found != size:
        pixels = fit_to_size(pixels, size, on_mismatch)
    if window is not None:
        pixels = pixels[window]
    if out is None:
        out = np.empty(pixels.shape, dtype=PIXEL_FORMATS[mode].dtype)
    out[...] = pixels
    return out


class ImageFiles:
    """Image files as a source of patches of one size and mode.

    Parameters
    ----------
    paths : sequence of str
        The files, one patch each.
    mode : {"RGB", "RGBA", "L", "I;16"}, default="RGB"
        Required pixel format of the files, see :func:`read_image`.
    size : tuple of int (height, width), default=None
        Size of the patches in pixels. None uses the most frequent size of the files. Of
        equally frequent sizes, the first one is used.
    on_mismatch : {"raise", "crop", "pad", "resize"}, default="raise"
        What to do with files of another size, see `fit_to_size`.
    convert : bool, default=False
        Whether to convert other pixel formats to `mode`, see `pixels_of`.
    n_jobs : int, default=None
        Number of threads that read files. None means 1, and -1 means all processors.
    check_headers : bool, default=True
        Whether to check all files now. If False, the first file determines the size,
        and the other files are checked when they are read.

    Attributes
    ----------
    n_odd : int
        Number of files of another size. Only available with `check_headers`.

    Raises
    ------
    FileNotFoundError
        If files do not exist. The message gives their number and names the first ten.
    ValueError
        In the following cases. The message lists the files.

        - `paths` is empty.
        - A file cannot be read, or has another pixel format.
        - A file has a size that `on_mismatch` does not allow.
    """

    def __init__(
        self,
        paths: Sequence[str],
        mode: str = "RGB",
        *,
        size: Size | None = None,
        on_mismatch: str = "raise",
        convert: bool = False,
        n_jobs: int | None = None,
        check_headers: bool = True,
    ) -> None:
        if len(paths) == 0:
            raise ValueError("No image files were given.")
        self.paths = list(paths)
        self.mode = mode
        self.on_mismatch = on_mismatch
        self.convert = convert
        self.n_jobs = n_jobs
        if check_headers:
            headers = self._check(self.paths)
            sizes = [header.size for header in headers]
            self._size = check_sizes(self.paths, sizes, size, on_mismatch)
            self.n_odd = sum(found != self._size for found in sizes)
        else:
            check_all_exist(self.paths)
            self._size = size or self._check(self.paths[:1])[0].size
        self._is_certain = check_headers or size is not None

    def _check(self, paths: Sequence[str]) -> list[Header]:
        headers = read_headers(paths)
        check_contents(paths, headers, self.mode, self.convert)
        return headers

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
        """Decode a window of some files.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            File numbers, integers from 0, in any order. Numbers may repeat.
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
            odd_sizes = self._read_into(patches, rows, slice(None), window)
        else:
            odd_sizes = self._read_in_threads(patches, rows, window)
        if odd_sizes:
            self._raise_odd_sizes(rows, odd_sizes)
        return patches

    def _read_in_threads(
        self, patches: np.ndarray, rows: np.ndarray, window: tuple[slice, slice]
    ) -> dict[int, Size]:
        starts = range(0, len(rows), _FILES_PER_TASK)
        parts = [slice(start, start + _FILES_PER_TASK) for start in starts]
        # prefer="threads" is not enough: under a process-based parallel_config of the
        # user, the workers would fill copies of the array.
        found = Parallel(n_jobs=self.n_jobs, require="sharedmem")(
            delayed(self._read_into)(patches, rows, part, window) for part in parts
        )
        return {position: size for odd in found for position, size in odd.items()}

    def _read_into(
        self,
        patches: np.ndarray,
        rows: np.ndarray,
        part: slice,
        window: tuple[slice, slice],
    ) -> dict[int, Size]:
        """Decode the files of some rows and return the mismatched sizes."""
        odd_sizes = {}
        for position in range(*part.indices(len(rows))):
            try:
                read_image(
                    self.paths[rows[position]],
                    self.mode,
                    size=self._size,
                    on_mismatch=self.on_mismatch,
                    convert=self.convert,
                    window=window,
                    out=patches[position],
                )
            except OddSizeError as error:
                odd_sizes[position] = error.size
        return odd_sizes

    def _raise_odd_sizes(self, rows: np.ndarray, odd_sizes: dict[int, Size]) -> None:
        sizes = [odd_sizes.get(position, self._size) for position in range(len(rows))]
        # If the headers were not compared, the first file itself may be the odd one.
        is_certain = self._is_certain or len(rows) < len(self.paths)
        expected = self._size if is_certain else None
        check_sizes(
            [self.paths[row] for row in rows], sizes, expected, self.on_mismatch
        )
