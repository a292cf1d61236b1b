"""The colour of glass: of the background, where light passed no stain.

The background of a scan is rarely white. Optical densities are relative to it, so that
a grey or greenish background that counts as white would count as stained.

The brightest pixels of a patch do not show it: they are reflections, noise and the
halos of sharpened edges. Glass is bright, and flat, and nearly without colour.
"""

import numpy as np
from numpy.typing import NDArray

MIN_INTENSITY = 160
"""Least red, green and blue of glass. Cameras are set to make glass bright."""

MAX_STEP = 5
"""Largest difference in green between a pixel of glass and the next: noise."""

MAX_RED_BLUE = 20
"""Largest difference between the red and the blue of glass."""

GREEN_EXCESS = (-12, 30)
"""Least and largest difference between green and the mean of red and blue.

The light of a microscope may be greenish. Both stains absorb green, so that a lack of
it means stain and not glass.
"""

BRIGHTEST = 90
"""Percentile of green above which pixels are certainly glass, if any are."""

MAX_DEPTH = 12
"""How much less green than that percentile glass may have: pale tissue has less."""

MIN_SHARE = 0.01
"""Least share of pixels that are glass in a patch that shows glass."""


def find_glass(patches: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Colour of the glass in each patch.

    Parameters
    ----------
    patches : ndarray of shape (n_patches, height, width, 3), uint8
        RGB patches. Each is measured separately.

    Returns
    -------
    glass : ndarray of shape (n_patches, 3), float64
        Median red, green and blue over pixels of glass, from 0 to 255. NaN where less
        than a hundredth of the pixels are glass.
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
    """Pixels, of shape (n_pixels, 3), that are bright and nearly without colour."""
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
    """Which pixels differ little from the next pixel to the right and below."""
    green = green.astype(np.int16)
    flat = np.zeros(green.shape, dtype=bool)
    right = np.abs(green[:-1, 1:] - green[:-1, :-1]) <= MAX_STEP
    below = np.abs(green[1:, :-1] - green[:-1, :-1]) <= MAX_STEP
    np.logical_and(right, below, out=flat[:-1, :-1])
    return flat


def _brightest(pixels: NDArray[np.int16]) -> NDArray[np.int16]:
    """Leave out pixels of pale tissue."""
    green = pixels[:, 1]
    return pixels[green >= np.percentile(green, BRIGHTEST) - MAX_DEPTH]
