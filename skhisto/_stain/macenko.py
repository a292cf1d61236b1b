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

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skhisto._stain.density import rgb_from_density, unit_length
from skhisto._stain.tissue_mask import (
    Floats,
    Measurement,
    Patches,
    find_tissue,
    from_planes,
    median_reference,
)

EXTREMES = (1, 99)
"""Percentiles of the angle that stand for its extremes: alpha, 100 - alpha in [1]_."""

MAXIMUM = 99
"""Percentile that stands for the maximum of a concentration, as in [1]_."""

MIN_ANGLE = 5.0
"""Smallest angle in degrees between two stains, a choice of our own.

Haematoxylin and eosin of Ruifrok and Johnston are 40 degrees apart, the stains found in
99 of 100 patches of PatchCamelyon more than 14. Where it is less than 5, there is one
stain or none, and normalising would blow up noise to the contrast of two.
"""


def normalise_macenko(
    patches: Patches, stains: Floats, concentrations: Floats
) -> Patches:
    """Give patches the stains of a reference, by Macenko's method [1]_.

    Parameters
    ----------
    patches : ndarray of shape (n_patches, height, width, 3), uint8
        RGB patches. Each is normalised by itself, whatever the others are.
    stains : ndarray of shape (2, 3)
        Stain vectors of the reference, from `macenko_reference`.
    concentrations : ndarray of shape (2,)
        Maximum concentrations of the reference.

    Returns
    -------
    normalised : ndarray of shape (n_patches, height, width, 3), uint8
        A new array. Patches with too little tissue, or where no two stains can be told
        apart, are as they were.
    """
    normalised = patches.copy()
    rows, density, _, (vectors, maxima), _ = measure_macenko(patches)
    scale = concentrations / maxima
    recolour = (stains.T * scale[:, None]) @ unmixing(vectors)
    # Negative densities are white, and large ones would overflow on the way there.
    density = np.maximum(recolour.astype(density.dtype) @ density, 0)
    recoloured = rgb_from_density(density)
    normalised[rows] = from_planes(recoloured, patches.shape[1:])
    return normalised


def macenko_reference(parts: Iterable[Patches]) -> tuple[Floats, Floats]:
    """Stains and their maximum concentrations in a reference.

    Parameters
    ----------
    parts : iterable of ndarray of shape (n_patches, height, width, 3), uint8
        RGB patches, a few at a time. Each is measured by itself, as in [1]_.

    Returns
    -------
    stains : ndarray of shape (2, 3), float64
        Optical density of one unit of haematoxylin, then of eosin, in red, green and
        blue: medians over patches, rescaled to vectors of length 1.
    concentrations : ndarray of shape (2,), float64
        The 99th percentile of the concentration of each stain over tissue: medians.

    Raises
    ------
    ValueError
        If each patch has too little tissue, or no two stains can be told apart in it.
    """
    stains, concentrations = median_reference(
        parts,
        measure_macenko,
        "no two stains that can be told apart (all of the tissue has much the same "
        "hue; method='reinhard' needs no two)",
    )
    return unit_length(stains), concentrations


def measure_macenko(patches: Patches) -> Measurement:
    """Measure the stains and their maximum concentrations, in optical densities."""
    rows, density, tissue = find_tissue(patches)
    n_bare = len(patches) - len(rows)
    vectors = stain_vectors(density, tissue)
    distinct = are_distinct(vectors)
    rows, density, tissue = rows[distinct], density[distinct], tissue[distinct]
    vectors = vectors[distinct]
    maxima = maximum_concentrations(density, tissue, vectors)
    return Measurement(rows, density, tissue, (vectors, maxima), n_bare)


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
