"""Checks of microns per pixel from files and users."""

import math
from numbers import Real
from typing import Any

MIN_MPP, MAX_MPP = 0.05, 20.0
"""Plausible microns per pixel of a slide.

The optical resolution of microscopes is 0.2 microns, and thumbnails have about 16
microns per pixel. Other values are print resolutions, such as 72 dpi (352 microns).
"""

MAX_ANISOTROPY = 0.05
"""Maximum relative difference between the microns per pixel in x and y."""


def plausible_mpp(x: float | None, y: float | None) -> float | None:
    """Return the microns per pixel of a file, or None if they are not reliable.

    Parameters
    ----------
    x, y : float or None
        Microns per pixel in both directions, as stated in the file.

    Returns
    -------
    mpp : float or None
        The geometric mean. None if a value is missing or implausible, or if the values
        differ by more than 5 %, which means that pixels are not square.
    """
    if x is None or y is None or not (_is_plausible(x) and _is_plausible(y)):
        return None
    mean = math.sqrt(x * y)
    return None if abs(x - y) > MAX_ANISOTROPY * mean else mean


def check_mpp(mpp: Any) -> float:
    """Return the user's microns per pixel, or raise a ValueError if invalid."""
    if isinstance(mpp, Real) and _is_plausible(float(mpp)):
        return float(mpp)
    raise ValueError(
        f"mpp must be a number from {MIN_MPP} to {MAX_MPP:g}, in microns per pixel, "
        f"got {mpp!r}."
    )


def _is_plausible(mpp: float) -> bool:
    return MIN_MPP <= mpp <= MAX_MPP  # False for NaN
