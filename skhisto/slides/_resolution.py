"""Microns per pixel: which values are plausible, and how they are requested."""

import math
from numbers import Real
from typing import Any

MIN_MPP, MAX_MPP = 0.05, 20.0
"""Plausible microns per pixel of a slide.

Microscopes resolve 0.2 microns. Thumbnails have about 16 microns per pixel. Values
beyond these come from a resolution for printing, such as 72 dpi (352 microns).
"""

MAX_ANISOTROPY = 0.05
"""Largest relative difference between the microns per pixel in x and in y."""


def plausible_mpp(x: float | None, y: float | None) -> float | None:
    """Return the microns per pixel of a file, or None if they count as unknown.

    Parameters
    ----------
    x, y : float or None
        Microns per pixel in both directions, as the file states them.

    Returns
    -------
    mpp : float or None
        The geometric mean. None if a value is missing or implausible, or if they
        differ by more than 5 %: then a pixel is not a square.
    """
    if x is None or y is None or not (_is_plausible(x) and _is_plausible(y)):
        return None
    mean = math.sqrt(x * y)
    return None if abs(x - y) > MAX_ANISOTROPY * mean else mean


def check_mpp(mpp: Any) -> float:
    """Return microns per pixel that a user gave, or raise a ValueError."""
    if isinstance(mpp, Real) and _is_plausible(float(mpp)):
        return float(mpp)
    raise ValueError(
        f"mpp must be a number from {MIN_MPP} to {MAX_MPP:g}, in microns per pixel; "
        f"got {mpp!r}."
    )


def _is_plausible(mpp: float) -> bool:
    return MIN_MPP <= mpp <= MAX_MPP  # False for NaN
