"""Tissue: where it is, and how much light it absorbs.

Patches are planes of pixels in here, of shape (n_patches, 3, n_pixels).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skhisto._stain.density import DENSITY_OF_UINT8

Floats = NDArray[np.floating[Any]]
Patches = NDArray[np.uint8]

MIN_DENSITY = 0.15
"""Length of the optical density from which on a pixel is tissue."""

MIN_PIXELS = 100
"""Fewest pixels of tissue. The 1st percentile of fewer pixels is less than a pixel."""


def is_tissue(strength: Floats) -> NDArray[np.bool_]:
    """Which pixels are tissue, from the length of their optical density."""
    return strength >= MIN_DENSITY


def has_tissue(tissue: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which patches have enough tissue, from pixels of shape (n, n_pixels)."""
    return tissue.sum(axis=1) >= MIN_PIXELS


def strength_of(density: Floats) -> Floats:
    """Length of the optical density of each pixel, of shape (n, n_pixels).

    The length decides what is tissue, and not one channel: eosin hardly absorbs red.
    A channel that is brighter than glass counts as 0. Halos are not tissue.
    """
    absorbed = np.maximum(density, 0)
    absorbed *= absorbed
    return np.sqrt(absorbed[:, 0] + absorbed[:, 1] + absorbed[:, 2])


def tissue_share(strength: Floats, start: float, stop: float) -> Floats:
    """How much of a pixel is tissue: 0 below `start`, 1 above `stop`, smooth between.

    Parameters
    ----------
    strength : ndarray
        Length of the optical density of each pixel.
    start, stop : float
        Where the transition starts and where it stops.
    """
    share = np.clip((strength - start) / (stop - start), 0, 1)
    return share * share * (3 - 2 * share)


def density_planes(patches: Patches, white: Floats) -> NDArray[np.float32]:
    """Optical density as planes, looked up: there are only 256 intensities.

    Parameters
    ----------
    patches : ndarray of shape (n, height, width, 3), uint8
        RGB patches.
    white : ndarray of shape (n, 3)
        Intensity of light that passed no stain, for each patch.

    Returns
    -------
    density : ndarray of shape (n, 3, height * width), float32
        Decadic optical densities. They are negative where a pixel is brighter than
        white.
    """
    density = DENSITY_OF_UINT8.take(as_planes(patches))
    density += as_columns(np.log10(white / 255))
    return density


def as_planes(patches: NDArray[Any]) -> NDArray[Any]:
    """Reshape (n, height, width, 3) to (n, 3, height * width), fast in products."""
    pixels = patches.reshape(len(patches), patches.shape[1] * patches.shape[2], 3)
    return np.ascontiguousarray(pixels.transpose(0, 2, 1))


def from_planes(planes: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Reshape (n, 3, height * width) to (n, height, width, 3)."""
    return planes.transpose(0, 2, 1).reshape(len(planes), *shape)


def as_columns(numbers: Floats) -> NDArray[np.float32]:
    """Numbers of shape (n, 3), ready to be combined with planes."""
    return numbers.astype(np.float32)[:, :, None]
