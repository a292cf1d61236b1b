"""Optical density and stain vectors.

The optical density of a pixel is the negative decadic logarithm of its transmittance.
By the Beer-Lambert law, it is proportional to the concentration of a stain, and the
densities of several stains add up. Therefore ``concentrations @ stains`` is the density
of a mixture. Each row of `stains` is the density of one unit of a stain in red, green
and blue.

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
"""Optical density in (red, green, blue) of haematoxylin (first row) and eosin.

The numbers are the normalised densities that Ruifrok and Johnston [1]_ measured on
sections with a single stain. They are also the first two rows of
`skimage.color.rgb_from_hed`. The published numbers are rounded, and the vectors have
lengths of 0.998 and 0.999. They are scaled to length 1 here, so that a concentration is
equal to the length of its density vector.
"""
HE_STAINS.flags.writeable = False

HAEMATOXYLIN, EOSIN = HE_STAINS


def optical_density(rgb: ArrayLike, background: ArrayLike = 255.0) -> NDArray[Any]:
    """Compute the optical density of 8-bit pixels.

    Parameters
    ----------
    rgb : array-like of shape (..., 3)
        Intensities from 0 to 255. Values below 1 are replaced by 1, because the density
        of black would be infinite.
    background : float or array-like of shape (3,), default=255.0
        Intensity of unstained glass.

    Returns
    -------
    density : ndarray of shape (..., 3), float32 or float64
        ``-log10(rgb / background)``. It is 0 at the background, 1 for a transmittance
        of 0.1, and negative if a pixel is brighter than the background. The dtype is
        float64 if `rgb` is float64, otherwise float32.
    """
    rgb = np.asarray(rgb)
    dtype = np.float64 if rgb.dtype == np.float64 else np.float32
    white = np.log10(np.asarray(background, dtype=dtype))
    return white - np.log10(np.maximum(rgb, 1).astype(dtype, copy=False))


DENSITY_OF_UINT8 = optical_density(np.arange(256, dtype=np.uint8))
"""Look-up table of the optical density of all 256 intensities."""
DENSITY_OF_UINT8.flags.writeable = False


def as_floating(values: ArrayLike) -> NDArray[np.floating[Any]]:
    """Convert to float64, unless the values are float32."""
    values = np.asarray(values)
    dtype = np.float32 if values.dtype == np.float32 else np.float64
    return values.astype(dtype, copy=False)


def rgb_from_density(
    density: ArrayLike, background: ArrayLike = 255.0
) -> NDArray[np.uint8]:
    """Convert optical densities to 8-bit pixels, the inverse of `optical_density`.

    Parameters
    ----------
    density : array-like of shape (..., 3)
        Decadic optical densities.
    background : float or array-like of shape (3,), default=255.0
        Intensity of unstained glass.

    Returns
    -------
    rgb : ndarray of shape (..., 3), uint8
        ``background * 10 ** -density``, rounded and clipped to [0, 255].
    """
    density = as_floating(density)
    # exp is several times faster than a power with base 10. Logarithms are added, so
    # that one pass over the pixels applies both density and background.
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
    """Compute the colour of stained tissue from stain concentrations.

    Parameters
    ----------
    concentrations : array-like of shape (..., n_stains)
        Concentration of each stain, in units of optical density.
    stains : array-like of shape (n_stains, 3), default=HE_STAINS
        Optical density in (red, green, blue) of one unit of each stain.
    background : float or array-like of shape (3,), default=255.0
        Intensity of unstained glass.

    Returns
    -------
    rgb : ndarray of shape (..., 3), uint8
        The colours.
    """
    concentrations = as_floating(concentrations)
    stains = np.asarray(stains, dtype=concentrations.dtype)
    return rgb_from_density(concentrations @ stains, background)
