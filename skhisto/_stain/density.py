"""Optical density and stain vectors.

A stain absorbs light by the Beer-Lambert law: the optical density of a pixel,
the negative decadic logarithm of the share of light that gets through, grows in
proportion to the amount of stain. Densities of several stains add up, so
`concentrations @ stains` mixes them, where each row of `stains` is the density
that one unit of a stain has in red, green and blue.

References
----------
.. [1] A. C. Ruifrok and D. A. Johnston, "Quantification of histochemical staining
   by color deconvolution", Analytical and Quantitative Cytology and Histology
   23(4), 291-299, 2001.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def unit_length(vectors: ArrayLike) -> NDArray[np.float64]:
    """Scale vectors along the last axis to Euclidean length 1."""
    vectors = np.asarray(vectors, dtype=np.float64)
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


HE_STAINS = unit_length([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])
"""Optical density in (red, green, blue) of haematoxylin, then of eosin.

The two-digit numbers are the normalised densities that Ruifrok and Johnston [1]_
measured on singly stained sections, and the first two rows of scikit-image's
`skimage.color.rgb_from_hed`. Rounded as they are, their lengths are 0.998 and
0.999: here they are scaled to length 1 again, so that a concentration is the
length of the density vector that it causes.
"""
HE_STAINS.flags.writeable = False

HAEMATOXYLIN, EOSIN = HE_STAINS


def optical_density(rgb: ArrayLike, background: ArrayLike = 255.0) -> NDArray[Any]:
    """Optical density of 8-bit pixels, by the Beer-Lambert law.

    Parameters
    ----------
    rgb : array-like of shape (..., 3)
        Intensities from 0 to 255. Those below 1 count as 1: black lets no light
        through and would have an infinite density.
    background : float or array-like of shape (3,), default=255.0
        Intensity of light that passed no stain.

    Returns
    -------
    density : ndarray of shape (..., 3), float32 or float64
        ``-log10(rgb / background)``: 0 at the background, 1 where a tenth of the
        light gets through, negative where a pixel is brighter than the background.
        It is float64 where `rgb` is, otherwise float32.
    """
    rgb = np.asarray(rgb)
    dtype = np.float64 if rgb.dtype == np.float64 else np.float32
    white = np.log10(np.asarray(background, dtype=dtype))
    return white - np.log10(np.maximum(rgb, 1).astype(dtype, copy=False))


DENSITY_OF_UINT8 = optical_density(np.arange(256, dtype=np.uint8))
"""Optical density of each of the 256 intensities, to look it up."""
DENSITY_OF_UINT8.flags.writeable = False


def as_floating(values: ArrayLike) -> NDArray[np.floating[Any]]:
    """Return an array of float32 if it is one, otherwise of float64."""
    values = np.asarray(values)
    dtype = np.float32 if values.dtype == np.float32 else np.float64
    return values.astype(dtype, copy=False)


def rgb_from_density(
    density: ArrayLike, background: ArrayLike = 255.0
) -> NDArray[np.uint8]:
    """8-bit pixels of an optical density: the inverse of `optical_density`.

    Parameters
    ----------
    density : array-like of shape (..., 3)
        Decadic optical densities.
    background : float or array-like of shape (3,), default=255.0
        Intensity of light that passed no stain.

    Returns
    -------
    rgb : ndarray of shape (..., 3), uint8
        ``background * 10 ** -density``, rounded and clipped to 0 to 255.
    """
    density = as_floating(density)
    # exp is several times faster than a power with base 10, and intensities are
    # summed as logarithms so that density and background cost one pass together.
    exponent = np.log(np.asarray(background, dtype=density.dtype)) - density * np.log(
        density.dtype.type(10)
    )
    rgb = np.rint(np.exp(exponent))
    return np.clip(rgb, 0, 255).astype(np.uint8)


def mix_stains(
    concentrations: ArrayLike,
    stains: ArrayLike = HE_STAINS,
    background: ArrayLike = 255.0,
) -> NDArray[np.uint8]:
    """Colour of stained tissue: Beer-Lambert mixing of stain concentrations.

    Parameters
    ----------
    concentrations : array-like of shape (..., n_stains)
        Amount of each stain, in units of optical density.
    stains : array-like of shape (n_stains, 3), default=HE_STAINS
        Optical density in (red, green, blue) of one unit of each stain.
    background : float or array-like of shape (3,), default=255.0
        Intensity of light that passed no stain.

    Returns
    -------
    rgb : ndarray of shape (..., 3), uint8
        The colours.
    """
    concentrations = as_floating(concentrations)
    stains = np.asarray(stains, dtype=concentrations.dtype)
    return rgb_from_density(concentrations @ stains, background)
