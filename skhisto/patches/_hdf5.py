"""Safe reading of HDF5 files, and their rows as a source of patches."""

import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np

from skhisto.patches._opening import probable_cause

# The cache must have room for a compressed chunk of many patches. With HDF5's default
# of 1 MiB, such a chunk would be decompressed again for each row.
_CHUNK_CACHE_BYTES = 64 * 2**20

# A file of a few kilobytes can declare datasets of any size. Deflate reaches a ratio of
# 1,032, but not for real pixels and features.
_ALWAYS_PLAUSIBLE_BYTES = 128 * 2**20
_PLAUSIBLE_COMPRESSION = 100
_MAX_DEFLATE = 1032

# Numbers of filters in the HDF5 specification and in its registry of filters. Other
# filters allocate sizes that the file states, without regard to the chunk.
_DEFLATE, _SHUFFLE, _FLETCHER32, _LZF = 1, 2, 3, 32000
_CHECKSUM_BYTES = 4  # Fletcher32 may have been computed before the compression

# Arrays that have one number for each row: sorted numbers of rows, labels, groups.
_BYTES_PER_ROW = 32


class HDF5Rows:
    """Rows of an HDF5 dataset as a source of patches.

    Each call of `read` opens and closes the file. Therefore, instances can be pickled
    and used in several processes at once.

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
        If the file does not exist.
    ValueError
        If the file is not HDF5 or is damaged, if the dataset does not exist, has
        another shape, contains no numbers, has other filters than gzip, LZF, shuffle
        and Fletcher32, or refers to other files, or if the file is too small for its
        size. The message names the file and, if it is recognised, its real content.

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
                    f"The dataset {dataset!r} of '{self.path}' has shape {data.shape}. "
                    "Expected (n_patches, height, width, n_channels)."
                )
            if data.dtype.kind not in "biuf":
                raise ValueError(
                    f"The dataset {dataset!r} of '{self.path}' has dtype {data.dtype}, "
                    "but numbers were expected."
                )
            self._shape = tuple(data.shape)
            self._dtype = data.dtype
            # In memory there are the numbers of all rows, and some rows at a time.
            n_rows, *patch_shape = self._shape
            n_bytes = max(
                _BYTES_PER_ROW * n_rows, math.prod(patch_shape) * data.dtype.itemsize
            )
            check_is_plausible(self.path, dataset, n_bytes)
            check_chunks(self.path, dataset, data)

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
        """Read a window of some patches.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            Patch numbers, integers from 0, in any order. Numbers may repeat.
        window : tuple of slice (rows, columns)
            The part of each patch to return.

        Returns
        -------
        patches : ndarray of shape (n_rows, height, width, n_channels)
            The pixels of the window.

        Raises
        ------
        ValueError
            If the file is damaged. The message names it.
        """
        height, width = (
            len(range(*side.indices(n)))
            for side, n in zip(window, self.shape[1:3], strict=True)
        )
        wanted, position = np.unique(rows, return_inverse=True)
        patches = np.empty((len(wanted), height, width, self.shape[3]), self.dtype)
        # Each run of consecutive rows is read as one slice. With an index array, h5py
        # spends more time on building the selection than on reading.
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
        with opened_hdf5(self.path, rdcc_nbytes=_CHUNK_CACHE_BYTES) as file:
            data = own_dataset(file, self.path, self.dataset)
            if data is None:
                raise ValueError(
                    f"'{self.path}' does not contain a dataset {self.dataset!r}. It "
                    f"contains {sorted(file)}."
                )
            yield data


@contextmanager
def opened_hdf5(path: str, **settings: Any) -> Iterator[Any]:
    """Open an HDF5 file for reading. Errors on damaged files are explained.

    Parameters
    ----------
    path : str
    **settings
        Other parameters of `h5py.File`.

    Raises
    ------
    ImportError
        If h5py is not installed.
    FileNotFoundError, IsADirectoryError, PermissionError
        If the file cannot be opened.
    ValueError
        If the file is not HDF5, or is damaged where it is read. The message names it.
    """
    h5py = import_h5py()
    try:
        file = h5py.File(path, "r", **settings)
    except OSError as error:
        raise unreadable(path, error) from error
    try:
        with file:
            yield file
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # h5py raises many types
        if isinstance(error, ValueError) and f"'{path}'" in str(error):
            raise
        raise ValueError(
            f"'{path}' is truncated or damaged (h5py says: {error}). Copy or download "
            "it again."
        ) from error


def own_dataset(file: Any, path: str, name: str) -> Any:
    """Return a dataset that is stored in the file itself, or None if it is missing.

    Parameters
    ----------
    file : h5py.File
    path : str
        The path of the file, for messages.
    name : str
        The name of the dataset in the root group.

    Raises
    ------
    ValueError
        If the dataset is a link, is virtual, or has external storage. A malicious file
        could refer to any file of the user.
    """
    h5py = import_h5py()
    if name not in file.keys():  # noqa: SIM118, the file itself would follow links
        return None
    is_inside = file.get(name, getlink=True, getclass=True) is h5py.HardLink
    dataset = file.get(name) if is_inside else None
    if isinstance(dataset, h5py.Dataset):
        is_inside = dataset.external is None and not dataset.is_virtual
    if not is_inside:
        raise ValueError(
            f"The dataset {name!r} of '{path}' is a link or refers to another file. "
            "Such datasets are not read. Copy the values into a new file."
        )
    return dataset if isinstance(dataset, h5py.Dataset) else None


def check_is_plausible(path: str, name: str, n_bytes: int) -> None:
    """Raise a ValueError if a file is too small for the data to be read.

    Parameters
    ----------
    path : str
    name : str
        The name of the dataset.
    n_bytes : int
        Memory that is needed for reading.
    """
    if n_bytes > _plausible_bytes(path):
        n_stored = os.path.getsize(path)
        raise ValueError(
            f"Reading the dataset {name!r} of '{path}' takes {n_bytes:,} bytes of "
            f"memory, but the file has only {n_stored:,} bytes. It is damaged or meant "
            f"to exhaust memory. More than {_ALWAYS_PLAUSIBLE_BYTES / 2**20:.0f} MiB "
            f"are only read from files of at least 1/{_PLAUSIBLE_COMPRESSION} of that "
            "size."
        )


def check_chunks(path: str, name: str, dataset: Any) -> None:
    """Raise a ValueError if a chunk of a dataset may exhaust the memory.

    HDF5 decompresses a chunk completely, even if the result is much larger than the
    chunk. The result would be an error, but only after the memory has been used.

    Parameters
    ----------
    path : str
    name : str
        The name of the dataset.
    dataset : h5py.Dataset
    """
    if dataset.chunks is None:
        return
    n_bytes = math.prod(dataset.chunks) * dataset.dtype.itemsize
    check_is_plausible(path, name, n_bytes)
    settings = dataset.id.get_create_plist()
    filters = [settings.get_filter(i)[0] for i in range(settings.get_nfilters())]
    compression = [f for f in filters if f not in (_SHUFFLE, _FLETCHER32)]
    if compression not in ([], [_DEFLATE], [_LZF]):
        raise ValueError(
            f"The dataset {name!r} of '{path}' has the HDF5 filters {filters}. Only "
            "shuffle, Fletcher32, and either gzip or LZF compression are read. Copy "
            "its values into a new file."
        )
    if compression != [_DEFLATE]:  # LZF compresses up to 88 times
        return
    skipped = 1 << filters.index(_DEFLATE)
    limit = _plausible_bytes(path) // _MAX_DEFLATE
    suspects: list[tuple[int, ...]] = []

    def look_at(chunk: Any) -> None:
        if chunk.size > limit and not chunk.filter_mask & skipped:
            suspects.append(chunk.chunk_offset)

    dataset.id.chunk_iter(look_at)
    for offset in suspects:
        _, stored = dataset.id.read_direct_chunk(offset)
        n_most = n_bytes + _CHECKSUM_BYTES
        if len(zlib.decompressobj().decompress(stored, n_most + 1)) > n_most:
            raise ValueError(
                f"A chunk of the dataset {name!r} of '{path}' decompresses to more "
                f"than its {n_bytes:,} bytes. The file is damaged or made to exhaust "
                "the memory."
            )


def _plausible_bytes(path: str) -> int:
    """Return the most memory that reading a dataset of a file may take."""
    n_stored = os.path.getsize(path)
    return max(_ALWAYS_PLAUSIBLE_BYTES, int(_PLAUSIBLE_COMPRESSION * n_stored))


def import_h5py() -> ModuleType:
    """Return h5py, or raise an ImportError that says how to install it."""
    try:
        import h5py
    except ImportError:
        raise ImportError(
            "Reading HDF5 files needs h5py, which is not installed. Install it with: "
            'pip install "skhisto[hdf5]"'
        ) from None
    return h5py


def unreadable(path: str, error: OSError) -> OSError | ValueError:
    """Return an error that explains why h5py could not open a file."""
    if isinstance(error, PermissionError):
        return error
    if not os.path.exists(path):
        return FileNotFoundError(f"The HDF5 file '{path}' does not exist.")
    if os.path.isdir(path):
        return IsADirectoryError(f"'{path}' is a folder. Expected an HDF5 file.")
    with open(path, "rb") as file:
        compressed = file.read(2) == b"\x1f\x8b"
        cause = probable_cause(file)
    if compressed:
        cause = "it is compressed with gzip. Decompress it first, with 'gunzip'"
    cause = cause or f"it is truncated, corrupt or not HDF5 (h5py says: {error})"
    return ValueError(f"'{path}' cannot be read as HDF5: {cause}.")
