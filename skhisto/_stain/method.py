"""What the methods of stain normalisation have in common.

A method measures two things in the tissue of each patch, its estimates. It recolours a
patch such that its estimates become those of a reference.
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skhisto._stain.glass import find_glass
from skhisto._stain.tissue_mask import MIN_PIXELS, Floats, Patches, from_planes

MAX_SCALE = 2.0
"""Largest factor by which contrast or a concentration grows, a choice of our own.

Pale tissue, fat for example, holds little stain. A larger factor gives it the stain of
dense tissue, and turns the noise of a camera into speckle.
"""

Estimates = tuple[Floats, Floats]
Codes = NDArray[np.intp]


class Measurement(NamedTuple):
    """What was measured in some patches."""

    planes: Floats
    """Their pixels in the colours that were measured, (n, 3, n_pixels)."""

    strength: Floats
    """Length of the optical density of their pixels, (n, n_pixels)."""

    estimates: Estimates
    """The two things that were measured, (n, ...) each, float64.

    NaN where a patch cannot be measured.
    """

    bare: NDArray[np.bool_]
    """Which patches show too little tissue, (n,)."""


class Method(NamedTuple):
    """A method of stain normalisation."""

    measure: Callable[[Patches, Floats], Measurement]
    """Measures patches, given the colour of white of each, of shape (n, 3)."""

    recolour: Callable[[Floats, Floats, Estimates, Estimates, Floats], NDArray[Any]]
    """Returns planes of RGB.

    It is given planes, strength and estimates of patches, estimates of the reference,
    and the colour of white of each patch.
    """

    attributes: tuple[str, str]
    """Names of the two estimates."""

    unclear: str
    """What is wrong with patches that show tissue and yet cannot be measured."""

    valid: Callable[[Estimates], Estimates]
    """Turns medians of estimates into estimates."""


class White(NamedTuple):
    """The colour of light that passed no stain."""

    fixed: Floats | None
    """The colour in all patches, of shape (3,). None finds it in each patch."""

    of_groups: Floats
    """The colour where a patch shows no glass, for each group.

    Shape (n_groups + 1, 3). The last row is for patches of no known group.
    """

    def of(self, patches: Patches, groups: Codes) -> Floats:
        """Return the colour for each patch, of shape (n, 3)."""
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
        RGB patches of shape (n_patches, height, width, 3) and dtype uint8, and the
        number of the group of each, -1 for none.
    method : Method
    white : White

    Returns
    -------
    first, second : ndarray of shape (n_patches, ...), float64
        The estimates of each patch, NaN where it cannot be measured.

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
            f"None of the {n_patches} reference patches can be measured: too little "
            f"tissue (fewer than {MIN_PIXELS} pixels darker than background) in "
            f"{n_bare}, {method.unclear} in {n_patches - n_bare}. Fit on patches of "
            "stained tissue, with nuclei and stroma."
        )
    return first, second


def is_measured(estimate: Floats) -> NDArray[np.bool_]:
    """Which patches could be measured, from one of their two estimates."""
    axes = tuple(range(1, estimate.ndim))
    return np.asarray(~np.isnan(estimate).any(axis=axes))


def typical(estimates: Estimates, method: Method) -> Estimates:
    """Medians over patches, number by number, of those that could be measured."""
    first, second = (
        np.median(values[is_measured(values)], axis=0) for values in estimates
    )
    return method.valid((first, second))


def medians_of_groups(
    values: Floats, groups: Codes, n_groups: int, otherwise: float = np.nan
) -> Floats:
    """Median over the patches of each group.

    Parameters
    ----------
    values : ndarray of shape (n_patches, ...)
        Estimates, NaN where a patch cannot be measured.
    groups : ndarray of shape (n_patches,), int
        Number of the group of each patch, from 0. Patches of group -1 do not count.
    n_groups : int
        How many groups there are.
    otherwise : float, default=NaN
        The value where no patch of a group can be measured.

    Returns
    -------
    medians : ndarray of shape (n_groups + 1, ...)
        The medians. The last row is for patches of no known group, whose number is -1.
        It holds `otherwise`.
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
        RGB patches. Each is normalised independently of the other patches.
    groups : ndarray of shape (n_patches,), int
        Number of the group of each patch, -1 for none.
    method : Method
    reference : tuple of ndarray
        Estimates of the reference.
    white : White
    of_groups : tuple of ndarray of shape (n_groups + 1, ...)
        Estimates of each group. Those of a patch itself are used where they are NaN.

    Returns
    -------
    normalised : ndarray of shape (n_patches, height, width, 3), uint8
        A new array. Patches that cannot be measured and that belong to no known group
        are unchanged.
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
