"""Detect tissue and compute its optical density.

In this module, patches are planes of pixels of shape (n_patches, 3, n_pixels).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skhisto._stain.density import DENSITY_OF_UINT8

Floats = NDArray[np.floating[Any]]
Patches = NDArray[np.uint8]

MIN_DENSITY = 0.15
"""Minimum length of the optical density of tissue."""

MIN_PIXELS = 100
"""Minimum number of tissue pixels. The 1st percentile then covers at least one."""


def is_tissue(strength: Floats) -> NDArray[np.bool_]:
    """Return which pixels are tissue, given the length of their optical density."""
    return strength >= MIN_DENSITY


def has_tissue(tissue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which patches have enough tissue, given masks of shape (n, n_pixels)."""
    return tissue.sum(axis=1) >= MIN_PIXELS


def strength_of(density: Floats) -> Floats:
    """Return the length of the optical density of each pixel, shape (n, n_pixels).

    The length is used instead of single channels, because eosin hardly absorbs red.
    Negative densities count as 0, so that bright halos are not detected as tissue.
    """
    absorbed = np.maximum(density, 0)
    absorbed *= absorbed
    return np.sqrt(absorbed[:, 0] + absorbed[:, 1] + absorbed[:, 2])


def tissue_share(strength: Floats, start: float, stop: float) -> Floats:
    """Return a smooth tissue weight: 0 below `start` and 1 above `stop`.

    Parameters
    ----------
    strength : ndarray
        Length of the optical density of each pixel.
    start, stop : float
        Lengths at which the transition starts and stops.
    """
    share = np.clip((strength - start) / (stop - start), 0, 1)
    return share * share * (3 - 2 * share)


def density_planes(patches: Patches, white: Floats) -> NDArray[np.float32]:
    """Return the optical density as planes, read from the table of 256 intensities.

    Parameters
    ----------
    patches : ndarray of shape (n, height, width, 3), uint8
        RGB patches.
    white : ndarray of shape (n, 3)
        Colour of glass in each patch.

    Returns
    -------
    density : ndarray of shape (n, 3, height * width), float32
        Decadic optical densities. They are negative if a pixel is brighter than glass.
    """
    density = DENSITY_OF_UINT8.take(as_planes(patches))
    density += as_columns(np.log10(white / 255))
    return density


def as_planes(patches: NDArray[Any]) -> NDArray[Any]:
    """Reshape (n, height, width, 3) to contiguous planes (n, 3, height * width)."""
    pixels = patches.reshape(len(patches), patches.shape[1] * patches.shape[2], 3)
    return np.ascontiguousarray(pixels.transpose(0, 2, 1))


def from_planes(planes: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Reshape (n, 3, height * width) to (n, height, width, 3)."""
    return planes.transpose(0, 2, 1).reshape(len(planes), *shape)


def as_columns(numbers: Floats) -> NDArray[np.float32]:
    """Reshape (n, 3) to (n, 3, 1), to broadcast over planes."""
    return numbers.astype(np.float32)[:, :, None]
