"""Shares of boxes that are covered by a mask."""

import numpy as np
from numpy.typing import NDArray


def box_shares(
    mask: NDArray[np.bool_], boxes: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the covered share of the area of each box.

    Parameters
    ----------
    mask : ndarray of shape (height, width), bool
        Each pixel is a square with side 1.
    boxes : ndarray of shape (n, 4)
        minx, miny, maxx and maxy in pixels of the mask. Fractions are allowed. Parts
        outside the mask are not covered.

    Returns
    -------
    shares : ndarray of shape (n,), float64
        From 0 to 1.
    """
    # 32-bit integers and in-place sums, because a mask can be as large as a slide.
    sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.uint32)
    inner = sums[1:, 1:]
    np.cumsum(mask, axis=0, out=inner)
    np.cumsum(inner, axis=1, out=inner)
    left, top, right, bottom = boxes.T
    covered = (
        _area_up_to(sums, bottom, right)
        - _area_up_to(sums, top, right)
        - _area_up_to(sums, bottom, left)
        + _area_up_to(sums, top, left)
    )
    return np.clip(covered / ((right - left) * (bottom - top)), 0, 1)


def _area_up_to(
    sums: NDArray[np.uint32], y: NDArray[np.float64], x: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the covered area above and to the left of points.

    Within a pixel, the area is bilinear, so interpolation is exact.
    """
    y, x = np.clip(y, 0, sums.shape[0] - 1), np.clip(x, 0, sums.shape[1] - 1)
    row = np.minimum(y.astype(np.intp), sums.shape[0] - 2)
    column = np.minimum(x.astype(np.intp), sums.shape[1] - 2)
    y, x = y - row, x - column
    above = sums[row, column] * (1 - x) + sums[row, column + 1] * x
    below = sums[row + 1, column] * (1 - x) + sums[row + 1, column + 1] * x
    return above * (1 - y) + below * y
