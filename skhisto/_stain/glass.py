"""Find the colour of unstained glass, the background of a scan.

The background of a scan is rarely pure white. Optical densities are measured relative
to it. If a grey or greenish background were treated as white, it would appear stained.

The brightest pixels of a patch do not show the colour of glass. They are reflections,
noise and the halos of sharpened edges. Glass is bright, uniform and nearly neutral.
"""

import numpy as np
from numpy.typing import NDArray

MIN_INTENSITY = 160
"""Minimum red, green and blue of glass. Scanners are calibrated to show it bright."""

MAX_STEP = 5
"""Maximum difference in green between neighbouring pixels of glass, due to noise."""

MAX_RED_BLUE = 20
"""Maximum difference between red and blue of glass."""

GREEN_EXCESS = (-12, 30)
"""Minimum and maximum difference between green and the mean of red and blue of glass.

The light of a microscope may be greenish. Both stains absorb green, so that pixels with
little green are stained.
"""

BRIGHTEST = 90
"""Percentile of green that represents glass among the candidate pixels."""

MAX_DEPTH = 12
"""Maximum difference in green from this percentile. Pale tissue differs by more."""

MIN_SHARE = 0.01
"""Minimum fraction of glass pixels in a patch for which the colour is measured."""


def find_glass(patches: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the colour of the glass in each patch.

    Parameters
    ----------
    patches : ndarray of shape (n_patches, height, width, 3), uint8
        RGB patches. Each is measured separately.

    Returns
    -------
    glass : ndarray of shape (n_patches, 3), float64
        Median red, green and blue over pixels of glass, from 0 to 255. NaN if less than
        1 % of the pixels of a patch are glass.
    """
    found = np.full((len(patches), 3), np.nan)
    enough = max(1, MIN_SHARE * patches.shape[1] * patches.shape[2])
    for row, patch in enumerate(patches):
        green = np.ascontiguousarray(patch[:, :, 1])
        bright = green >= MIN_INTENSITY
        if np.count_nonzero(bright) < enough:
            continue
        pixels = _bright_and_neutral(patch[bright & _is_flat(green)])
        if len(pixels) >= enough:
            found[row] = np.median(_brightest(pixels), axis=0)
    return found


def _bright_and_neutral(pixels: NDArray[np.uint8]) -> NDArray[np.int16]:
    """Select the pixels, shape (n_pixels, 3), that are bright and nearly neutral."""
    pixels = pixels.astype(np.int16)
    red, green, blue = pixels.T
    excess = 2 * green - red - blue
    least, largest = GREEN_EXCESS
    return pixels[
        (red >= MIN_INTENSITY)
        & (blue >= MIN_INTENSITY)
        & (np.abs(red - blue) <= MAX_RED_BLUE)
        & (excess >= 2 * least)
        & (excess <= 2 * largest)
    ]


def _is_flat(green: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return which pixels are similar to the next pixel to the right and below."""
    green = green.astype(np.int16)
    flat = np.zeros(green.shape, dtype=bool)
    right = np.abs(green[:-1, 1:] - green[:-1, :-1]) <= MAX_STEP
    below = np.abs(green[1:, :-1] - green[:-1, :-1]) <= MAX_STEP
    np.logical_and(right, below, out=flat[:-1, :-1])
    return flat


def _brightest(pixels: NDArray[np.int16]) -> NDArray[np.int16]:
    """Remove pixels of pale tissue."""
    green = pixels[:, 1]
    return pixels[green >= np.percentile(green, BRIGHTEST) - MAX_DEPTH]
