"""Blocks of cells, and the pixels that they need."""

from dataclasses import dataclass

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
    """Where the pixels of a window are that a cell needs.

    Parameters
    ----------
    stride : int
        Pixels between neighbouring windows.
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
        Most cells of a tile. The tiles have equal sides, up to one cell.
    """
    rows, columns = (_split(n, most) for n, most in zip(shape, largest, strict=True))
    return tuple(Tile(r, c) for r in rows for c in columns)


def _split(n: int, most: int) -> list[slice]:
    n_parts = -(-n // most)
    edges = [i * n // n_parts for i in range(n_parts + 1)]
    return [slice(*edge) for edge in zip(edges[:-1], edges[1:], strict=True)]


class BoxReader:
    """Reads boxes of pixels, and takes over the rows that the last box had too.

    So boxes of the full width, from top to bottom, read every pixel once.
    """

    def __init__(self, read: Read) -> None:
        self._read = read
        self._top = self._left = 0
        self._last: np.ndarray | None = None

    def __call__(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """Return the pixels of a box."""
        known = self._rows_below(top, left, width)
        if known is None:
            pixels = self._read(top, left, height, width)
        else:
            new = self._read(top + len(known), left, height - len(known), width)
            pixels = np.concatenate([known, new])
        self._top, self._left, self._last = top, left, pixels
        return pixels

    def _rows_below(self, top: int, left: int, width: int) -> np.ndarray | None:
        last = self._last
        if last is None or (left, width) != (self._left, last.shape[1]):
            return None
        first = top - self._top
        return last[first:] if 0 < first < len(last) else None
