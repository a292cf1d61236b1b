"""Random numbers that depend only on a seed and a position.

Parts of an image can be drawn in any order and still fit together.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

Floats = NDArray[np.floating[Any]]

# Multiples of these constants give each position its own number. The mixing function is
# SplitMix64.
_ROW, _COLUMN, _STREAM = np.array(
    [0x9E3779B97F4A7C15, 0xD1B54A32D192ED03, 0x8CB92BA72F3D8DD7], dtype=np.uint64
)
_SHIFTS = np.array([30, 27, 31], dtype=np.uint64)
_FACTORS = np.array([0xBF58476D1CE4E5B9, 0x94D049BB133111EB], dtype=np.uint64)


def uniform_at(
    seed: int, stream: int, rows: NDArray[Any], columns: NDArray[Any]
) -> Floats:
    """Return a random number from 0 to 1 for each pair of integer coordinates."""
    numbers = np.asarray(rows, np.int64).view(np.uint64) * _ROW
    numbers = numbers + np.asarray(columns, np.int64).view(np.uint64) * _COLUMN
    numbers += np.array([seed], np.uint64) + np.array([stream], np.uint64) * _STREAM
    for shift, factor in zip(_SHIFTS, _FACTORS, strict=False):
        numbers ^= numbers >> shift
        numbers *= factor
    numbers ^= numbers >> _SHIFTS[2]
    return (numbers >> np.uint64(11)) * 2.0**-53


def smooth_noise_at(
    seed: int, stream: int, rows: Floats, columns: Floats, sigma: float
) -> Floats:
    """Return smooth noise with mean 0 and variance 1.

    Parameters
    ----------
    seed, stream : int
        Different streams have independent numbers.
    rows, columns : ndarray of shape (n_rows,) and (n_columns,)
        Positions in ascending order.
    sigma : float
        Standard deviation of the Gaussian filter.

    Returns
    -------
    noise : ndarray of shape (n_rows, n_columns), float32
    """
    grid_rows, row_weights = _kernel(rows, sigma)
    grid_columns, column_weights = _kernel(columns, sigma)
    white = uniform_at(seed, stream, grid_rows[:, None], grid_columns[None])
    white = (np.sqrt(12) * (white - 0.5)).astype(np.float32)
    # Sparse products are fast on a single thread. The order of sums, and so the pixels,
    # do not depend on the number of threads.
    return np.ascontiguousarray((column_weights @ (row_weights @ white).T).T)


def fine_noise_at(
    seed: int,
    stream: int,
    rows: NDArray[np.integer[Any]],
    columns: NDArray[np.integer[Any]],
    sigma: float,
) -> Floats:
    """Return noise like `smooth_noise_at`, but faster for filters of a few pixels.

    The positions must be consecutive integers.
    """
    reach = int(np.ceil(2 * sigma))
    around = [np.arange(p[0] - reach, p[-1] + reach + 1) for p in (rows, columns)]
    white = uniform_at(seed, stream, around[0][:, None], around[1][None])
    noise = (np.sqrt(12) * (white - 0.5)).astype(np.float32)
    point = np.zeros(2 * reach + 1)
    point[reach] = 1
    deviation = (ndimage.gaussian_filter1d(point, sigma, radius=reach) ** 2).sum()
    noise = ndimage.gaussian_filter(noise, sigma, radius=reach)[reach:-reach]
    return noise[:, reach:-reach] / np.float32(deviation)


def _kernel(positions: Floats, sigma: float) -> tuple[NDArray[np.int64], Any]:
    """Return the points of a grid and their weights at each position."""
    # Points at half of sigma apart sample a Gaussian well.
    spacing = sigma / 2
    first = int(np.floor((positions[0] - 3 * sigma) / spacing))
    last = int(np.ceil((positions[-1] + 3 * sigma) / spacing))
    grid = np.arange(first, last + 1)
    distance = (positions[:, None] - grid * spacing) / sigma
    # Without this cutoff, the weights would depend on where the grid ends.
    weights = np.where(np.abs(distance) < 3, np.exp(-0.5 * distance**2), 0.0)
    weights /= np.linalg.norm(weights, axis=1, keepdims=True)
    return grid, sparse.csr_array(weights.astype(np.float32))
