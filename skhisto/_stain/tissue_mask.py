"""Measuring the stain of tissue: of each patch by itself, and of a reference.

Patches are planes of pixels in here, of shape (n_patches, 3, n_pixels).
"""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skhisto._stain.density import DENSITY_OF_UINT8

Floats = NDArray[np.floating[Any]]
Patches = NDArray[np.uint8]

MIN_DENSITY = 0.15
"""Length of the optical density from which on a pixel is tissue."""

MIN_PIXELS = 100
"""Fewest pixels of tissue. A hundredth of fewer, the 1st percentile, is no pixel."""


class Measurement(NamedTuple):
    """What was measured in those of some patches that can be measured."""

    rows: NDArray[np.intp]
    """Which patches these are, of shape (n_rows,)."""

    planes: Floats
    """Their pixels in the colours that were measured, (n_rows, 3, n_pixels)."""

    tissue: NDArray[np.bool_]
    """Which of their pixels are tissue, (n_rows, n_pixels)."""

    estimates: tuple[Floats, Floats]
    """The two things that were measured, (n_rows, ...) each, float64."""

    n_bare: int
    """How many of all patches show too little tissue."""


def median_reference(
    parts: Iterable[Patches],
    measure: Callable[[Patches], Measurement],
    unclear: str,
) -> tuple[Floats, Floats]:
    """Medians over patches of what is measured in each by itself.

    Parameters
    ----------
    parts : iterable of ndarray of shape (n_patches, height, width, 3), uint8
        RGB patches, a few at a time.
    measure : callable
        Measures patches, and leaves out those that it cannot.
    unclear : str
        What is wrong with patches that show tissue and yet cannot be measured.

    Returns
    -------
    first, second : ndarray
        The median of each estimate, number by number.

    Raises
    ------
    ValueError
        If no patch can be measured.
    """
    n_patches = n_bare = n_measured = 0
    found = []
    for patches in parts:
        measured = measure(patches)
        n_patches += len(patches)
        n_bare += measured.n_bare
        n_measured += len(measured.rows)
        found.append(measured.estimates)
    if not n_measured:
        raise ValueError(
            f"None of the {n_patches} reference patches can be measured: too little "
            f"tissue (fewer than {MIN_PIXELS} pixels darker than background) in "
            f"{n_bare}, {unclear} in {n_patches - n_bare}. Fit on patches of stained "
            "tissue, with nuclei and stroma."
        )
    first, second = (
        np.median(np.concatenate(each), axis=0) for each in zip(*found, strict=True)
    )
    return first, second


def find_tissue(
    patches: Patches,
) -> tuple[NDArray[np.intp], Floats, NDArray[np.bool_]]:
    """Patches with enough tissue: which, their optical density and where it is."""
    density = density_planes(patches)
    tissue = is_tissue(density)
    rows = np.flatnonzero(tissue.sum(axis=1) >= MIN_PIXELS)
    return rows, density[rows], tissue[rows]


def is_tissue(density: Floats) -> NDArray[np.bool_]:
    """Which pixels, of shape (n, n_pixels), are dense enough to be tissue.

    The length of the density decides, and not one channel: eosin hardly absorbs red.
    """
    return np.einsum("ncp,ncp->np", density, density) >= MIN_DENSITY**2


def density_planes(patches: Patches) -> NDArray[np.float32]:
    """Optical density as planes, looked up: there are only 256 intensities."""
    return DENSITY_OF_UINT8.take(as_planes(patches))


def as_planes(patches: NDArray[Any]) -> NDArray[Any]:
    """Reshape (n, height, width, 3) to (n, 3, height * width), fast in products."""
    pixels = patches.reshape(len(patches), patches.shape[1] * patches.shape[2], 3)
    return np.ascontiguousarray(pixels.transpose(0, 2, 1))


def from_planes(planes: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """Reshape (n, 3, height * width) to (n, height, width, 3)."""
    return planes.transpose(0, 2, 1).reshape(len(planes), *shape)
