"""The interface between a slide and the storage of its pixels."""

import itertools
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skhisto.slides._lru import LRU

Shape = tuple[int, int]
Pixels = NDArray[np.uint8]

_tokens = itertools.count()


class Reader(Protocol):
    """Access to the pixels of a slide at the stored resolutions.

    Readers do not contain open files, so they can be pickled. Several threads may call
    `read` at the same time.

    Attributes
    ----------
    level_shapes : tuple of tuple of int (height, width)
        Size of each level in pixels, largest first.
    level_downsamples : tuple of float
        Pixels of level 0 per pixel of a level, in each direction.
    mpp : float or None
        Microns per pixel of level 0. None if unknown.
    """

    level_shapes: tuple[Shape, ...]
    level_downsamples: tuple[float, ...]
    mpp: float | None

    def read(self, level: int, top: int, left: int, height: int, width: int) -> Pixels:
        """Return a box of a level, given in pixels of the level.

        Returns
        -------
        pixels : ndarray of shape (height, width, 3), uint8
            RGB. The array may share memory with the slide.
        """

    def fingerprint(self) -> str:
        """Return a string that identifies the pixels."""


class Token:
    """A cache key for the data of one object in this process.

    Copies and unpickled tokens have a new key.
    """

    def __init__(self) -> None:
        self.key = next(_tokens)

    def __reduce__(self) -> Any:
        return Token, ()


_MAX_OPEN_SLIDES = 16
_MAX_IMAGE_BYTES = 512 * 2**20

open_slides = LRU(_MAX_OPEN_SLIDES)
"""OpenSlide handles, by the token of their reader."""

decoded_images = LRU(_MAX_IMAGE_BYTES)
"""Completely decoded images, by the token of their reader."""
