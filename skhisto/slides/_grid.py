"""Positions of windows on a regular grid over an image."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from skhisto.patches._patch_array import as_height_width


@dataclass(frozen=True)
class WindowGrid:
    """A regular grid of windows over an image.

    Windows start at 0, `stride`, 2 * `stride` and so on. Only complete windows are
    used: the last one ends at or before the border of the image.

    Parameters
    ----------
    image_shape : tuple of int (height, width)
        Size of the image in pixels.
    size : int or tuple of int (height, width)
        Size of the windows in pixels of the image. An int means a square.
    stride : int
        Distance between the starts of adjacent windows in pixels.

    Raises
    ------
    ValueError
        If `size` or `stride` is not a positive integer, or if the image is smaller than
        a window.

    Examples
    --------
    >>> from skhisto.slides import WindowGrid
    >>> grid = WindowGrid((100, 200), size=96, stride=32)
    >>> grid.shape
    (1, 4)
    >>> grid.corners().tolist()
    [[0, 0], [0, 32], [0, 64], [0, 96]]
    >>> grid.cell_origin
    (32.0, 32.0)
    """

    image_shape: tuple[int, int]
    size: tuple[int, int]
    stride: int

    __module__ = "skhisto.slides"  # the public location

    def __post_init__(self) -> None:
        height, width = as_height_width(self.image_shape)
        size = as_height_width(self.size)
        if not isinstance(self.stride, Integral) or self.stride < 1:
            raise ValueError(
                "stride must be a positive integer, in pixels at the resolution of the "
                f"patches, got {self.stride!r}."
            )
        if height < size[0] or width < size[1]:
            raise ValueError(
                f"The image of {height}x{width} pixels (height x width) is smaller "
                f"than a window of {size[0]}x{size[1]} pixels. Use smaller windows or "
                "a finer resolution."
            )
        object.__setattr__(self, "image_shape", (height, width))
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "stride", int(self.stride))

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and columns of windows."""
        n_rows, n_columns = (
            (length - side) // self.stride + 1
            for length, side in zip(self.image_shape, self.size, strict=True)
        )
        return n_rows, n_columns

    @property
    def n_windows(self) -> int:
        """Number of windows."""
        return self.shape[0] * self.shape[1]

    @property
    def cell_origin(self) -> tuple[float, float]:
        """Top and left of the first cell, in pixels of the image.

        A cell is the square of `stride` x `stride` pixels around the centre of a
        window. Cells do not overlap. They may start at half a pixel. If `stride` is
        larger than the windows, the first cell extends beyond the image and its
        position is negative.
        """
        height, width = self.size
        return (height - self.stride) / 2, (width - self.stride) / 2

    def corners(self) -> NDArray[np.int64]:
        """Top and left of each window.

        Returns
        -------
        corners : ndarray of shape (n_windows, 2), int64
            In pixels of the image, row by row.
        """
        rows, columns = np.indices(self.shape, dtype=np.int64)
        return np.stack([rows.ravel(), columns.ravel()], axis=1) * self.stride
