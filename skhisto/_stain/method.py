"""Code shared by the methods of stain normalisation.

A method computes two estimates of the stain from the tissue of each patch. It recolours
a patch so that its estimates become equal to the estimates of a reference.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skhisto._stain.glass import find_glass
from skhisto._stain.tissue_mask import MIN_PIXELS, Floats, Patches, from_planes

MAX_SCALE = 2.0
"""Maximum factor of contrast or concentration, a choice of this package.

Pale tissue, such as fat, contains little stain. A larger factor would give it the
stain of dense tissue and amplify camera noise.
"""

Estimates = tuple[Floats, Floats]
Codes = NDArray[np.intp]


class Measurement(NamedTuple):
    """Result of measuring patches."""

    planes: Floats
    """Pixels in the colour space of the method, shape (n, 3, n_pixels)."""

    strength: Floats
    """Length of the optical density of each pixel, shape (n, n_pixels)."""

    estimates: Estimates
    """The two estimates, shape (n, ...) each, float64.

    NaN for patches that cannot be measured.
    """

    bare: NDArray[np.bool_]
    """Whether a patch has too little tissue, shape (n,)."""


class Method(NamedTuple):
    """A method of stain normalisation."""

    measure: Callable[[Patches, Floats], Measurement]
    """Measures patches, given the colour of glass in each, shape (n, 3)."""

    recolour: Callable[[Floats, Floats, Estimates, Estimates, Floats], NDArray[Any]]
    """Returns recoloured planes of RGB.

    The arguments are the planes, strength and estimates of the patches, the estimates
    of the reference, and the colour of glass in each patch.
    """

    attributes: tuple[str, str]
    """Names of the two estimates."""

    unclear: str
    """Describes patches that have tissue and cannot be measured, for messages."""

    valid: Callable[[Estimates], Estimates]
    """Converts medians of estimates to valid estimates."""


class White(NamedTuple):
    """The colour of unstained glass."""

    fixed: Floats | None
    """The colour in all patches, shape (3,). None measures it in each patch."""

    of_groups: Floats
    """The colour in each group, for patches without glass, shape (n_groups + 1, 3).

    The last row is for patches without a known group.
    """

    def of(self, patches: Patches, groups: Codes) -> Floats:
        """Return the colour of glass in each patch, shape (n, 3)."""
        if self.fixed is not None:
            return np.broadcast_to(self.fixed, (len(patches), 3))
        glass = find_glass(patches)
        return np.where(np.isnan(glass), self.of_groups[groups], glass)


def measure_all(
    parts: Iterable[tuple[Patches, Codes]], method: Method, white: White
) -> Estimates:
    """Measure patches, a few at a time.

    Parameters
    ----------
    parts : iterable of tuple of ndarray
        RGB patches of shape (n_patches, height, width, 3) and dtype uint8, with the
        group number of each patch, -1 for none.
    method : Method
        The method of stain normalisation.
    white : White
        The colour of glass.

    Returns
    -------
    first, second : ndarray of shape (n_patches, ...), float64
        The estimates of each patch. NaN for patches that cannot be measured.

    Raises
    ------
    ValueError
        If no patch can be measured.
    """
    found, n_bare = [], 0
    for patches, groups in parts:
        measured = method.measure(patches, white.of(patches, groups))
        found.append(measured.estimates)
        n_bare += int(np.count_nonzero(measured.bare))
    first, second = (np.concatenate(each) for each in zip(*found, strict=True))
    n_patches = len(first)
    if not is_measured(first).any():
        raise ValueError(
            f"None of the {n_patches} reference patches can be measured: {n_bare} have "
            f"too little tissue (fewer than {MIN_PIXELS} pixels darker than the "
            f"background), and {n_patches - n_bare} have {method.unclear}. Fit on "
            "patches of stained tissue with nuclei and stroma."
        )
    return first, second


def is_measured(estimate: Floats) -> NDArray[np.bool_]:
    """Return which patches were measured, given one of their two estimates."""
    axes = tuple(range(1, estimate.ndim))
    return np.asarray(~np.isnan(estimate).any(axis=axes))


def typical(estimates: Estimates, method: Method) -> Estimates:
    """Return the element-wise medians over the patches that were measured."""
    first, second = (
        np.median(values[is_measured(values)], axis=0) for values in estimates
    )
    return method.valid((first, second))


def medians_of_groups(
    values: Floats, groups: Codes, n_groups: int, otherwise: float = np.nan
) -> Floats:
    """Return the median over the patches of each group.

    Parameters
    ----------
    values : ndarray of shape (n_patches, ...)
        Estimates. NaN for patches that cannot be measured.
    groups : ndarray of shape (n_patches,), int
        Group number of each patch, from 0. Patches with the number -1 are ignored.
    n_groups : int
        Number of groups.
    otherwise : float, default=NaN
        Value for groups without measured patches.

    Returns
    -------
    medians : ndarray of shape (n_groups + 1, ...)
        The medians. The last row has the index -1 and contains `otherwise`. It is for
        patches without a known group.
    """
    medians = np.full((n_groups + 1, *values.shape[1:]), otherwise)
    measured = is_measured(values)
    for group in range(n_groups):
        members = measured & (groups == group)
        if members.any():
            medians[group] = np.median(values[members], axis=0)
    return medians


def normalise(
    patches: Patches,
    groups: Codes,
    method: Method,
    reference: Estimates,
    white: White,
    of_groups: Estimates,
) -> Patches:
    """Give patches the stain of a reference.

    Parameters
    ----------
    patches : ndarray of shape (n_patches, height, width, 3), uint8
        RGB patches. Each patch is normalised independently of the others.
    groups : ndarray of shape (n_patches,), int
        Group number of each patch, -1 for none.
    method : Method
        The method of stain normalisation.
    reference : tuple of ndarray
        Estimates of the reference.
    white : White
        The colour of glass.
    of_groups : tuple of ndarray of shape (n_groups + 1, ...)
        Estimates of each group. If they are NaN, the estimates of the patch are used.

    Returns
    -------
    normalised : ndarray of shape (n_patches, height, width, 3), uint8
        A new array. Patches are unchanged if they cannot be measured and do not belong
        to a known group.
    """
    colours = white.of(patches, groups)
    planes, strength, own, _ = method.measure(patches, colours)
    estimates = []
    for of_group, of_patch in zip(of_groups, own, strict=True):
        known = of_group[groups]
        estimates.append(np.where(np.isnan(known), of_patch, known))
    rows = np.flatnonzero(is_measured(estimates[0]))
    recoloured = method.recolour(
        planes[rows],
        strength[rows],
        (estimates[0][rows], estimates[1][rows]),
        reference,
        colours[rows],
    )
    normalised = patches.copy()
    normalised[rows] = from_planes(recoloured, patches.shape[1:])
    return normalised
