"""Slides that are arrays in memory."""

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
        If the array has another shape or dtype, or is empty.
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
                "A slide as an array must be RGB of dtype uint8 and of shape (height, "
                f"width, 3); got dtype {pixels.dtype} and shape {pixels.shape}."
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
    for row in pixels:  # an array that is not contiguous is not copied whole
        digest.update(row.tobytes())
    return digest.hexdigest()
