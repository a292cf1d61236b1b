"""Blocks of cells and the pixels that they need."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from skhisto.maps._image import Read

Size = tuple[int, int]


@dataclass(frozen=True)
class Tile:
    """A block of cells of a map.

    Parameters
    ----------
    rows, columns : slice
        The cells.
    """

    rows: slice
    columns: slice

    @property
    def shape(self) -> Size:
        """Number of rows and columns of cells."""
        return (
            self.rows.stop - self.rows.start,
            self.columns.stop - self.columns.start,
        )

    @property
    def cells(self) -> tuple[slice, slice]:
        """Index of the cells in an array of all cells."""
        return self.rows, self.columns


@dataclass(frozen=True)
class Layout:
    """The positions of the pixels that the cells need.

    Parameters
    ----------
    stride : int
        Distance between adjacent windows in pixels.
    start : tuple of int (top, left)
        First pixel of the first cell.
    size : tuple of int (height, width)
        Pixels that one cell needs.
    """

    stride: int
    start: tuple[int, int]
    size: Size

    def box(self, tile: Tile) -> tuple[int, int, int, int]:
        """Return top, left, height and width of the pixels of a tile."""
        top, left = (
            start + cells.start * self.stride
            for start, cells in zip(self.start, tile.cells, strict=True)
        )
        height, width = (
            (n - 1) * self.stride + side
            for n, side in zip(tile.shape, self.size, strict=True)
        )
        return top, left, height, width


def split_cells(shape: Size, largest: Size) -> tuple[Tile, ...]:
    """Split a map into tiles, row by row.

    Parameters
    ----------
    shape : tuple of int (n_rows, n_columns)
        Cells of the map.
    largest : tuple of int (n_rows, n_columns)
        Maximum size of a tile. All tiles have the same size, up to one cell.
    """
    rows, columns = (_split(n, most) for n, most in zip(shape, largest, strict=True))
    return tuple(Tile(r, c) for r in rows for c in columns)


def _split(n: int, most: int) -> list[slice]:
    n_parts = -(-n // most)
    edges = [i * n // n_parts for i in range(n_parts + 1)]
    return [slice(*pair) for pair in pairwise(edges)]


class BoxReader:
    """Reader of boxes that reuses the rows of the last box.

    If boxes have the full width and are read from top to bottom, every pixel is read
    once.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._top = self._left = 0
        self._last = np.empty((0, 0), np.uint8)

    def __call__(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Return the pixels of a box."""
        known = self._shared_rows(top, left, height, width)
        pixels = self._read(top + len(known), left, height - len(known), width)
        if len(known):
            pixels = np.concatenate([known, pixels])
        self._top, self._left, self._last = top, left, pixels
        return pixels

    def _shared_rows(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Return the first rows of a box that the last box also contained."""
        last, first = self._last, top - self._top
        is_below = (left, width) == (self._left, last.shape[1]) and first > 0
        known = last[first:] if is_below else last[:0]
        return known if len(known) < height else last[:0]
