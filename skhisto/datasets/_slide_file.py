"""Writer of pyramidal TIFF files that works row by row.

The levels are main directories with ``NewSubfileType`` 1, because OpenSlide ignores
levels in SubIFDs.
"""

import os
import tempfile
from collections.abc import Iterable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skhisto._atomic_file import atomic_path

TILE = 256
FACTOR = 4
"""Ratio of the sizes of consecutive levels."""

Rows = Iterable[NDArray[np.uint8]]


def write_pyramid(
    path: str | os.PathLike[str],
    shape: tuple[int, int],
    rows: Rows,
    mpp: float,
) -> None:
    """Write a slide with memory for only a few rows of tiles.

    Parameters
    ----------
    path : str or path-like
        An existing file is replaced once the new one is complete.
    shape : tuple of int (height, width)
        In pixels.
    rows : iterable of ndarray of shape (n_rows, width, 3), uint8
        Rows of pixels from top to bottom. Each array except the last has a multiple of
        256 rows.
    mpp : float
        Microns per pixel.
    """
    tifffile = import_tifffile()
    with (
        atomic_path(path) as temporary,
        tempfile.TemporaryDirectory(dir=os.path.dirname(temporary)) as folder,
        # Offsets in files of more than 4 GB need 64 bits.
        tifffile.TiffWriter(temporary, bigtiff=np.prod(shape) * 3 > 2**31) as file,
    ):
        level = 0
        while True:
            smaller = os.path.join(folder, str(level))
            saved = _save_smaller(rows, smaller)
            _write_level(file, shape, saved, mpp * FACTOR**level, level)
            shape = shape[0] // FACTOR, shape[1] // FACTOR
            if min(shape) < TILE // 2:
                return
            rows = _read_rows(smaller, shape)
            level += 1


def _write_level(
    file: Any,
    shape: tuple[int, int],
    rows: Rows,
    mpp: float,
    level: int,
) -> None:
    file.write(
        (tile for row in rows for tile in _tiles(row)),
        shape=(*shape, 3),
        dtype=np.uint8,
        tile=(TILE, TILE),
        photometric="rgb",
        # Lossless. A higher compression level hardly reduces the size of tissue.
        compression="zlib",
        compressionargs={"level": 1},
        subfiletype=int(level > 0),
        resolution=(1e4 / mpp, 1e4 / mpp),
        resolutionunit="CENTIMETER",
        # No date is written, so that the same seed gives the same file.
        metadata=None,
        software=False,
    )


def _tiles(rows: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Cut rows into complete tiles. Pixels outside the slide are white."""
    height, width = rows.shape[:2]
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            part = rows[top : top + TILE, left : left + TILE]
            tile = np.full((TILE, TILE, 3), 255, dtype=np.uint8)
            tile[: part.shape[0], : part.shape[1]] = part
            yield tile


def _save_smaller(rows: Rows, path: str) -> Rows:
    """Pass rows on and save their reduced copy, the means of squares, in a file."""
    with open(path, "wb") as file:
        for row in rows:
            height, width = (length // FACTOR for length in row.shape[:2])
            squares = row[: height * FACTOR, : width * FACTOR]
            squares = squares.reshape(height, FACTOR, width, FACTOR, 3)
            sums = squares.sum(axis=(1, 3), dtype=np.uint16)
            half = FACTOR**2 // 2
            file.write(((sums + half) // FACTOR**2).astype(np.uint8).tobytes())
            yield row


def _read_rows(path: str, shape: tuple[int, int]) -> Rows:
    height, width = shape
    with open(path, "rb") as file:
        for top in range(0, height, TILE):
            n_rows = min(TILE, height - top)
            content = file.read(n_rows * width * 3)
            yield np.frombuffer(content, np.uint8).reshape(n_rows, width, 3)


def import_tifffile() -> ModuleType:
    """Return the module tifffile, or raise an error that says how to install it."""
    try:
        import tifffile
    except ImportError:
        raise ImportError(
            "Writing slides needs tifffile, which is not installed. "
            'Install it with: pip install "skhisto[slides]"'
        ) from None
    return tifffile
