"""Rows of an HDF5 dataset as a source of patches."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np

from skhisto.patches._opening import probable_cause

# The cache must hold a compressed chunk of many patches. With HDF5's default of 1 MiB,
# such a chunk would be decompressed again for each row.
_CHUNK_CACHE_BYTES = 64 * 2**20


class HDF5Rows:
    """Rows of an HDF5 dataset as a source of patches.

    Each call of `read` opens the file and closes it. So instances can be pickled and
    used in several processes at once.

    Parameters
    ----------
    path : str or path-like
        The HDF5 file.
    dataset : str, default="x"
        Name of a dataset of shape (n_patches, height, width, n_channels) in the file.

    Raises
    ------
    ImportError
        If h5py is not installed.
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is not HDF5, or if the dataset does not exist or has another shape.
        The message names the file and, if it is recognised, its real content.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import h5py
    >>> import numpy as np
    >>> from skhisto.patches._hdf5 import HDF5Rows
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name, "patches.h5")
    >>> with h5py.File(path, "w") as file:
    ...     file["x"] = np.zeros((10, 96, 96, 3), dtype=np.uint8)
    >>> rows = HDF5Rows(path)
    >>> rows.shape
    (10, 96, 96, 3)
    >>> rows.read(np.array([7, 2, 2]), (slice(32, 64), slice(32, 64))).shape
    (3, 32, 32, 3)
    >>> folder.cleanup()
    """

    def __init__(self, path: str | os.PathLike[str], dataset: str = "x") -> None:
        self.path = os.fspath(path)
        self.dataset = dataset
        with self._opened() as data:
            if data.ndim != 4:
                raise ValueError(
                    f"The dataset {dataset!r} of '{self.path}' has shape {data.shape}, "
                    "but (n_patches, height, width, n_channels) was expected."
                )
            self._shape = tuple(data.shape)
            self._dtype = data.dtype

    def __repr__(self) -> str:
        return f"HDF5Rows({self.path!r}, dataset={self.dataset!r})"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of patches, height and width in pixels, number of channels."""
        return self._shape

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        return self._dtype

    def read(self, rows: np.ndarray, window: tuple[slice, slice]) -> np.ndarray:
        """Read the window of some of the patches.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            Numbers of the patches, integers from 0, in any order. They may repeat.
        window : tuple of slice (rows, columns)
            The part of each patch to return.

        Returns
        -------
        patches : ndarray of shape (n_rows, height, width, n_channels)
            The pixels of the window.
        """
        height, width = (
            len(range(*side.indices(n)))
            for side, n in zip(window, self.shape[1:3], strict=True)
        )
        wanted, position = np.unique(rows, return_inverse=True)
        patches = np.empty((len(wanted), height, width, self.shape[3]), self.dtype)
        # Each run of consecutive rows is one slice. With an index array, h5py spends
        # more time on building the selection than on reading.
        bounds = np.flatnonzero(np.diff(wanted, prepend=-2, append=-2) != 1)
        with self._opened() as data:
            for start, end in pairwise(bounds):
                run = slice(wanted[start], wanted[end - 1] + 1)
                data.read_direct(patches, (run, *window), np.s_[start:end])
        in_order = np.array_equal(wanted, rows)
        return patches if in_order else patches[position]

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """Open the dataset for reading."""
        h5py = import_h5py()
        try:
            file = h5py.File(self.path, "r", rdcc_nbytes=_CHUNK_CACHE_BYTES)
        except OSError as error:
            raise unreadable(self.path, error) from error
        with file:
            data = file.get(self.dataset)
            if not isinstance(data, h5py.Dataset):
                raise ValueError(
                    f"'{self.path}' has no dataset {self.dataset!r}. It holds "
                    f"{sorted(file)}."
                )
            yield data


def import_h5py() -> ModuleType:
    """Import h5py, or say how to install it."""
    try:
        import h5py
    except ImportError:
        raise ImportError(
            "Reading HDF5 files needs h5py, which is not installed. Install it with: "
            'pip install "skhisto[hdf5]"'
        ) from None
    return h5py


def unreadable(path: str, error: OSError) -> OSError | ValueError:
    """Say why h5py could not open a file."""
    if isinstance(error, PermissionError):
        return error
    if not os.path.exists(path):
        return FileNotFoundError(f"The HDF5 file '{path}' does not exist.")
    if os.path.isdir(path):
        return IsADirectoryError(f"'{path}' is a folder, but a file was expected.")
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        cause = probable_cause(file)
    if compressed:
        cause = "it is compressed with gzip; decompress it first, with 'gunzip'"
    cause = cause or f"it is truncated, corrupt or not HDF5 (h5py says: {error})"
    return ValueError(f"'{path}' cannot be read as HDF5: {cause}.")
