"""Stain normalisation by Macenko's method.

The optical densities of tissue stained with two stains lie in a plane through the
origin, between the directions of the two pure stains. The method finds the plane and
these directions for each patch, and from them how much of each stain a pixel holds;
then it puts the stains of a reference in their place.

Pixels below beta, 0.15, are background and not measured. It is the length of a pixel's
density vector that is compared with beta in here. Other implementations threshold each
channel, and drop pixels with any channel below beta: pale eosin among them, which
hardly absorbs red.

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
"""Percentiles of the angle that stand for its extremes: alpha, 100 - alpha in [1]_."""

MAXIMUM = 99
"""Percentile that stands for the maximum of a concentration, as in [1]_."""

MIN_ANGLE = 5.0
"""Smallest angle in degrees between two stains, a choice of our own.

Where it is less, there is one stain or none, and normalising would blow up noise to the
contrast of two.
"""

USUAL_ANGLE = 20.0
"""Angle in degrees to which the stains of a patch are moved apart, a choice of our own.

Haematoxylin and eosin of Ruifrok and Johnston are 40 degrees apart. Where the extremes
of a patch are closer, its pixels are mixtures of the stains, and few are pure. If the
mixtures counted as pure stains, normalising would turn small differences in hue into
large ones.
"""

TRANSITION = (0.05, 0.15)
"""Lengths of the optical density between which pixels change from glass to tissue.

Glass stays as it is, with its noise. Tissue is what is measured.
"""

TINY = np.finfo(np.float64).tiny


def measure_macenko(patches: Patches, white: Floats) -> Measurement:
    """Measure the stains and their maximum concentrations, in optical densities.

    Parameters
    ----------
    patches : ndarray of shape (n_patches, height, width, 3), uint8
        RGB patches. Each is measured separately, as in [1]_.
    white : ndarray of shape (n_patches, 3)
        Intensity of light that passed no stain, for each patch.

    Returns
    -------
    measurement : Measurement
        The first estimate are the unit vectors of haematoxylin, then of eosin, of shape
        (n_patches, 2, 3). The second are the 99th percentiles of their concentrations
        over tissue, of shape (n_patches, 2).
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
    """Give patches the stains of a reference, by Macenko's method [1]_.

    Parameters
    ----------
    density : ndarray of shape (n_patches, 3, n_pixels)
        Planes of optical density.
    strength : ndarray of shape (n_patches, n_pixels)
        Length of the optical density of the pixels. Glass is as it was, and tissue is
        recoloured, with a smooth transition.
    estimates : tuple of ndarray
        Stains of the patches and their maximum concentrations.
    reference : tuple of ndarray
        The same two of the reference, of shape (2, 3) and (2,).
    white : ndarray of shape (n_patches, 3)
        Intensity of light that passed no stain. It is kept.

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
    # What is brighter than white remains brighter by as much.
    absorbed = np.maximum(density, 0)
    # Negative densities are white, and large ones would overflow on the way there.
    change = np.maximum(recolour.astype(density.dtype) @ absorbed, 0) - absorbed
    change *= tissue_share(strength, *TRANSITION)[:, None]
    return rgb_from_density(density + change, white[:, :, None])


def stain_vectors(density: Floats, tissue: NDArray[np.bool_]) -> Floats:
    """Find unit vectors of haematoxylin and eosin, of shape (n, 2, 3), float64.

    In a plane fitted to the densities they are the extremes, but for a hundredth of the
    pixels on either side, of the angle to the plane's main direction.
    """
    moments = (density * tissue[:, None]) @ density.transpose(0, 2, 1)
    # The last two eigenvectors are the singular vectors of the largest two singular
    # values. Densities have no negative entries, nor has the main direction then, so
    # all pixels lie on one side of the origin and the tangent orders them by angle.
    directions = np.linalg.eigh(moments.astype(np.float64))[1]
    second, main = directions[:, :, 1], directions[:, :, 2]
    main = np.where(main.sum(axis=1, keepdims=True) < 0, -main, main)
    plane = np.stack([main, second], axis=1).astype(density.dtype) @ density
    tangent = plane[:, 1] / np.maximum(plane[:, 0], np.finfo(np.float32).eps)
    extremes = percentiles(tangent, tissue, EXTREMES).astype(np.float64)
    vectors = unit_length(main[:, None] + extremes[:, :, None] * second[:, None])
    # Of the two, haematoxylin is blue: it absorbs more red.
    swap = vectors[:, 0, 0] < vectors[:, 1, 0]
    return np.where(swap[:, None, None], vectors[:, ::-1], vectors)


def are_distinct(vectors: Floats) -> NDArray[np.bool_]:
    """Whether two unit vectors each, of shape (n, 2, 3), are `MIN_ANGLE` apart."""
    cosine = np.sum(vectors[:, 0] * vectors[:, 1], axis=1)
    return cosine <= np.cos(np.radians(MIN_ANGLE))


def move_apart(vectors: Floats) -> Floats:
    """Turn two unit vectors each, of shape (n, 2, 3), to be `USUAL_ANGLE` apart.

    Vectors that are further apart stay. The direction between the two stays, and so
    does the plane of the two.
    """
    between = unit_length(vectors.sum(axis=1))
    across = unit_length(vectors[:, 0] - vectors[:, 1])
    half = np.radians(USUAL_ANGLE / 2)
    apart = np.cos(half) * between + np.sin(half) * np.stack([across, -across])
    close = np.sum(vectors[:, 0] * vectors[:, 1], axis=1) > np.cos(2 * half)
    return np.where(close[:, None, None], apart.transpose(1, 0, 2), vectors)


def unmixing(vectors: Floats) -> Floats:
    """Matrices of shape (n, 2, 3) from densities to concentrations: least squares."""
    return np.linalg.pinv(vectors.transpose(0, 2, 1))


def maximum_concentrations(
    density: Floats, tissue: NDArray[np.bool_], vectors: Floats
) -> Floats:
    """99th percentile of the concentration of each stain over tissue, (n, 2)."""
    concentrations = unmixing(vectors).astype(density.dtype) @ density
    each = [percentiles(concentrations[:, i], tissue, [MAXIMUM]) for i in (0, 1)]
    return np.concatenate(each, axis=1).astype(np.float64)


def percentiles(
    values: Floats, where: NDArray[np.bool_], percents: ArrayLike
) -> NDArray[Any]:
    """Percentiles of some values in each row: one of them, not between two.

    Parameters
    ----------
    values : ndarray of shape (n, n_values)
        Rows of finite numbers.
    where : ndarray of shape (n, n_values), bool
        Which values count. Each row needs one that does.
    percents : array-like of shape (n_percents,), int
        Which percentiles, from 1 to 100.

    Returns
    -------
    percentiles : ndarray of shape (n, n_percents)
        The smallest value such that this share of those that count lies at
        or below it.
    """
    ordered = np.sort(np.where(where, values, np.inf), axis=1)
    count = where.sum(axis=1, keepdims=True)
    index = -(-np.asarray(percents) * count // 100) - 1
    return np.take_along_axis(ordered, index, axis=1)


def _with_unit_stains(medians: Estimates) -> Estimates:
    """Scale stains to length 1: a median of unit vectors is shorter."""
    vectors, maxima = medians
    return unit_length(vectors), maxima


MACENKO = Method(
    measure_macenko,
    recolour_macenko,
    ("stains", "concentrations"),
    "no two stains that can be told apart (all of the tissue has much the same hue; "
    "method='reinhard' needs no two)",
    _with_unit_stains,
)
