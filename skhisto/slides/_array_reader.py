"""Slides as arrays in memory."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from skhisto.slides._reader import Pixels, Shape


class ArrayReader:
    """An image in memory as a slide with one level.

    Parameters
    ----------
    pixels : ndarray of shape (height, width, 3), uint8
        RGB.

    Raises
    ------
    ValueError
        If the array has the wrong shape or dtype, or is empty.
    """

    mpp: float | None = None
    level_shapes: tuple[Shape, ...]
    level_downsamples: tuple[float, ...]

    def __init__(self, pixels: Pixels) -> None:
        if (
            pixels.ndim != 3
            or pixels.shape[2] != 3
            or pixels.dtype != np.uint8
            or pixels.size == 0
        ):
            raise ValueError(
                "A slide in memory must be an RGB array of dtype uint8 and shape "
                f"(height, width, 3). Got dtype {pixels.dtype} and shape "
                f"{pixels.shape}."
            )
        self.pixels = pixels
        self.level_shapes = ((pixels.shape[0], pixels.shape[1]),)
        self.level_downsamples = (1.0,)

    def read(self, level: int, top: int, left: int, height: int, width: int) -> Pixels:
        """Return a box of the array."""
        return self.pixels[top : top + height, left : left + width]

    def fingerprint(self) -> str:
        """Return the SHA-256 of the shape and the pixels."""
        return hash_of_pixels(self.pixels)


def hash_of_pixels(pixels: NDArray[np.uint8]) -> str:
    """Return the SHA-256 of the shape and the pixels of an array."""
    digest = hashlib.sha256(repr(pixels.shape).encode())
    for row in pixels:  # row by row, so that a non-contiguous array is not copied
        digest.update(row.tobytes())
    return digest.hexdigest()
