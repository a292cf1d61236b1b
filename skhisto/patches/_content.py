"""Bytes that identify patches, as input for a hash."""

import os
import pickle
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from skhisto.patches._hdf5 import HDF5Rows
from skhisto.patches._image_files import ImageFiles
from skhisto.patches._patch_array import PatchArray
from skhisto.patches._transformed import TransformedPatches, chunks


def content_of(patches: np.ndarray | PatchArray) -> Iterator[bytes]:
    """Yield bytes that differ if patches differ.

    - Patches from image files and HDF5 files are represented by the names, sizes and
      modification times of the files. The files are not read.
    - Other patches are represented by their pixels.

    Parameters
    ----------
    patches : ndarray or PatchArray of shape (n, height, width, channels)

    Raises
    ------
    OSError
        If a file does not exist.
    """
    yield f"{patches.dtype.str} {patches.shape}".encode()
    if not isinstance(patches, PatchArray):
        yield from _pixels_of(patches)
        return
    source, rows = patches._source, patches._rows
    yield repr(patches._window).encode()
    if isinstance(source, ImageFiles):
        yield _settings(source.mode, source.shape, source.on_mismatch, source.convert)
        yield from _files(source.paths[row] for row in rows)
    elif isinstance(source, HDF5Rows):
        yield _settings(source.dataset)
        yield from _files([source.path])
        yield rows.tobytes()
    elif isinstance(source, TransformedPatches):
        # The function can be identified by name, because it must be picklable.
        yield pickle.dumps((source.function, source.size))
        if source.arguments is not None:
            yield np.ascontiguousarray(source.arguments[rows]).tobytes()
        yield from content_of(source.patches[rows])
    else:
        yield from _pixels_of(patches)


def _pixels_of(patches: np.ndarray | PatchArray) -> Iterator[bytes]:
    for part in chunks(patches):
        yield np.asarray(patches[part]).tobytes()


def _files(paths: Iterable[str]) -> Iterator[bytes]:
    for path in paths:
        status = os.stat(path)
        yield _settings(os.fspath(path), status.st_size, status.st_mtime_ns)


def _settings(*values: Any) -> bytes:
    return repr(values).encode("utf-8", "surrogateescape")
