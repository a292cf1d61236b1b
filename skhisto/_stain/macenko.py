"""Stain normalisation by Macenko's method.

If tissue has two stains, its optical densities are in a plane through the origin,
between the directions of the two pure stains. For each patch, the method

1. fits the plane,
2. finds the two directions,
3. computes the concentrations of both stains in each pixel,
4. replaces the stains by the stains of a reference.

Pixels with a density below beta (0.15) are background and are not measured. This
implementation compares the length of the density vector with beta. Other
implementations compare each channel, and drop pixels with any channel below beta. They
drop pale eosin, because eosin hardly absorbs red.

References
----------
.. [1] M. Macenko, M. Niethammer, J. S. Marron, D. Borland, J. T. Woosley, X. Guan,
   C. Schmitt and N. E. Thomas, "A method for normalizing histology slides for
   quantitative analysis", IEEE International Symposium on Biomedical Imaging,
   1107-1110, 2009. https://doi.org/10.1109/ISBI.2009.5193250
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skhisto._stain.density import rgb_from_density, unit_length
from skhisto._stain.method import MAX_SCALE, Estimates, Measurement, Method
from skhisto._stain.tissue_mask import (
    Floats,
    Patches,
    density_planes,
    has_tissue,
    is_tissue,
    strength_of,
    tissue_share,
)

EXTREMES = (1, 99)
"""Robust extremes of the angle: the percentiles alpha and 100 - alpha in [1]_."""

MAXIMUM = 99
"""Robust maximum of a concentration: its percentile, as in [1]_."""

MIN_ANGLE = 5.0
"""Minimum angle in degrees between two stains, a choice of this package.

With a smaller angle, a patch has at most one stain, and normalisation would amplify
noise to the contrast between two stains.
"""

USUAL_ANGLE = 20.0
"""Minimum angle in degrees of stains that are used, a choice of this package.

Stains at a smaller angle are moved apart to this angle. The haematoxylin and eosin of
Ruifrok and Johnston are 40 degrees apart. A smaller angle means that most pixels of a
patch are mixtures of both stains. If mixtures were treated as pure stains,
normalisation would exaggerate small differences in hue.
"""

TRANSITION = (0.05, 0.15)
"""Start and end of the transition from glass to tissue, in lengths of the density.

Glass is not changed. Pixels above the end are the pixels that are measured.
"""

TINY = np.finfo(np.float64).tiny


def measure_macenko(patches: Patches, white: Floats) -> Measurement:
    """Measure the stains and their maximum concentrations, in optical densities.

    Parameters
    ----------
    patches : ndarray of shape (n_patches, height, width, 3), uint8
        RGB patches. Each patch is measured separately, as in [1]_.
    white : ndarray of shape (n_patches, 3)
        Colour of glass in each patch.

    Returns
    -------
    measurement : Measurement
        The first estimate contains the unit vectors of haematoxylin and eosin, shape
        (n_patches, 2, 3). The second contains the 99th percentiles of their
        concentrations over tissue, shape (n_patches, 2).
    """
    planes = density_planes(patches, white)
    strength = strength_of(planes)
    tissue = is_tissue(strength)
    enough = has_tissue(tissue)
    vectors = np.full((len(patches), 2, 3), np.nan)
    maxima = np.full((len(patches), 2), np.nan)
    rows = np.flatnonzero(enough)
    density, tissue = np.maximum(planes[rows], 0), tissue[rows]
    found = stain_vectors(density, tissue)
    distinct = are_distinct(found)
    rows, found = rows[distinct], move_apart(found[distinct])
    vectors[rows] = found
    maxima[rows] = maximum_concentrations(density[distinct], tissue[distinct], found)
    return Measurement(planes, strength, (vectors, maxima), ~enough)


def recolour_macenko(
    density: Floats,
    strength: Floats,
    estimates: Estimates,
    reference: Estimates,
    white: Floats,
) -> NDArray[np.uint8]:
    """Replace the stains of patches by the stains of a reference [1]_.

    Parameters
    ----------
    density : ndarray of shape (n_patches, 3, n_pixels)
        Planes of optical density.
    strength : ndarray of shape (n_patches, n_pixels)
        Length of the optical density of the pixels. Tissue is recoloured and glass is
        not, with a smooth transition.
    estimates : tuple of ndarray
        Stains of the patches and their maximum concentrations.
    reference : tuple of ndarray
        Stains and maximum concentrations of the reference, shapes (2, 3) and (2,).
    white : ndarray of shape (n_patches, 3)
        Colour of glass in each patch. It is kept.

    Returns
    -------
    rgb : ndarray of shape (n_patches, 3, n_pixels), uint8
        Planes of the recoloured pixels.
    """
    vectors, maxima = estimates
    stains, concentrations = reference
    scale = concentrations / np.maximum(maxima, TINY)
    scale = np.clip(scale, 1 / MAX_SCALE, MAX_SCALE)
    recolour = (stains.T * scale[:, None]) @ unmixing(vectors)
    # Pixels that are brighter than glass keep this difference.
    absorbed = np.maximum(density, 0)
    # Negative densities are white. Large negative ones would overflow later.
    change = np.maximum(recolour.astype(density.dtype) @ absorbed, 0) - absorbed
    change *= tissue_share(strength, *TRANSITION)[:, None]
    return rgb_from_density(density + change, white[:, :, None])


def stain_vectors(density: Floats, tissue: NDArray[np.bool_]) -> Floats:
    """Find the unit vectors of haematoxylin and eosin, shape (n, 2, 3), float64.

    A plane is fitted to the densities. The vectors are the 1st and the 99th percentile
    of the angle to the main direction of the plane.
    """
    moments = (density * tissue[:, None]) @ density.transpose(0, 2, 1)
    # The last two eigenvectors are the singular vectors of the two largest singular
    # values. Densities are not negative, and therefore neither is the main direction.
    # So all angles to it are below 90 degrees, and their tangents have the same order.
    directions = np.linalg.eigh(moments.astype(np.float64))[1]
    second, main = directions[:, :, 1], directions[:, :, 2]
    main = np.where(main.sum(axis=1, keepdims=True) < 0, -main, main)
    plane = np.stack([main, second], axis=1).astype(density.dtype) @ density
    tangent = plane[:, 1] / np.maximum(plane[:, 0], np.finfo(np.float32).eps)
    extremes = percentiles(tangent, tissue, EXTREMES).astype(np.float64)
    vectors = unit_length(main[:, None] + extremes[:, :, None] * second[:, None])
    # Haematoxylin is blue. It absorbs more red than eosin.
    swap = vectors[:, 0, 0] < vectors[:, 1, 0]
    return np.where(swap[:, None, None], vectors[:, ::-1], vectors)


def are_distinct(vectors: Floats) -> NDArray[np.bool_]:
    """Return which pairs of unit vectors, shape (n, 2, 3), are `MIN_ANGLE` apart."""
    cosine = np.sum(vectors[:, 0] * vectors[:, 1], axis=1)
    return cosine <= np.cos(np.radians(MIN_ANGLE))


def move_apart(vectors: Floats) -> Floats:
    """Rotate pairs of unit vectors, shape (n, 2, 3), to be `USUAL_ANGLE` apart.

    The vectors stay in their plane, and their mean direction does not change. Pairs
    with a larger angle are not changed.
    """
    between = unit_length(vectors.sum(axis=1))
    across = unit_length(vectors[:, 0] - vectors[:, 1])
    half = np.radians(USUAL_ANGLE / 2)
    apart = np.cos(half) * between + np.sin(half) * np.stack([across, -across])
    close = np.sum(vectors[:, 0] * vectors[:, 1], axis=1) > np.cos(2 * half)
    return np.where(close[:, None, None], apart.transpose(1, 0, 2), vectors)


def unmixing(vectors: Floats) -> Floats:
    """Return least-squares matrices from densities to concentrations, (n, 2, 3)."""
    return np.linalg.pinv(vectors.transpose(0, 2, 1))


def maximum_concentrations(
    density: Floats, tissue: NDArray[np.bool_], vectors: Floats
) -> Floats:
    """Return the 99th percentile of each concentration over tissue, shape (n, 2)."""
    concentrations = unmixing(vectors).astype(density.dtype) @ density
    each = [percentiles(concentrations[:, i], tissue, [MAXIMUM]) for i in (0, 1)]
    return np.concatenate(each, axis=1).astype(np.float64)


def percentiles(
    values: Floats, where: NDArray[np.bool_], percents: ArrayLike
) -> NDArray[Any]:
    """Return percentiles of the selected values in each row, without interpolation.

    Parameters
    ----------
    values : ndarray of shape (n, n_values)
        Rows of finite numbers.
    where : ndarray of shape (n, n_values), bool
        Selects values. At least one value must be selected in each row.
    percents : array-like of shape (n_percents,), int
        Percentiles to return, from 1 to 100.

    Returns
    -------
    percentiles : ndarray of shape (n, n_percents)
        The smallest selected value for which at least this percentage of the selected
        values is less than or equal to it.
    """
    ordered = np.sort(np.where(where, values, np.inf), axis=1)
    count = where.sum(axis=1, keepdims=True)
    index = -(-np.asarray(percents) * count // 100) - 1
    return np.take_along_axis(ordered, index, axis=1)


def _with_unit_stains(medians: Estimates) -> Estimates:
    """Scale stains to length 1, because a median of unit vectors is shorter."""
    vectors, maxima = medians
    return unit_length(vectors), maxima


MACENKO = Method(
    measure_macenko,
    recolour_macenko,
    ("stains", "concentrations"),
    "fewer than two distinct stains (method='reinhard' does not need two stains)",
    _with_unit_stains,
)
