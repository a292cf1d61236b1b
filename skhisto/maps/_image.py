"""The image of a map: a slide at one resolution, or an array."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from skhisto.slides import Slide
from skhisto.slides._array_reader import hash_of_pixels

Read = Callable[[int, int, int, int], np.ndarray]
"""Function of top, left, height and width that returns pixels."""


@dataclass(frozen=True)
class MappedImage:
    """An image and its position on a slide.

    Parameters
    ----------
    slide : Slide or None
        None for arrays that are not RGB.
    name, fingerprint : str
        Name and fingerprint of the slide.
    slide_shape : tuple of int (height, width)
        Size of level 0.
    mpp : float or None
        Microns per pixel of level 0.
    scale : float
        Pixels of level 0 per pixel of the image.
    shape : tuple of int (height, width, channels)
        Size of the image in its own pixels.
    read : callable
        Takes top, left, height and width of a region inside the image and returns its
        pixels.
    """

    slide: Slide | None
    name: str
    fingerprint: str
    slide_shape: tuple[int, int]
    mpp: float | None
    scale: float
    shape: tuple[int, int, int]
    read: Read


def as_image(slide: Any, mpp: float | None) -> MappedImage:
    """Convert a slide, path or array to an image.

    Raises
    ------
    TypeError
        If `slide` is neither a Slide, a path nor an array.
    ValueError
        If an array does not contain pixels of dtype uint8, or if the resolution of a
        slide is unknown.
    """
    if isinstance(slide, str | os.PathLike):
        slide = Slide(slide)
    if isinstance(slide, Slide):
        image = slide.at(mpp)
        return MappedImage(
            slide=slide,
            name=slide.name,
            fingerprint=slide.fingerprint,
            slide_shape=slide.shape,
            mpp=slide.mpp,
            scale=image.scale,
            shape=(*image.shape, 3),
            read=image.read,
        )
    if isinstance(slide, np.ndarray):
        return _of_array(slide)
    raise TypeError(
        "slide must be a Slide, a path or a uint8 array of shape (height, width, "
        f"channels), got {type(slide).__name__}."
    )


def _of_array(pixels: np.ndarray) -> MappedImage:
    is_image = pixels.ndim == 3 and pixels.size and pixels.shape[2] <= 4
    if not is_image or pixels.dtype != np.uint8:
        raise ValueError(
            "An array to map must have dtype uint8 and shape (height, width, channels) "
            "with 1 to 4 channels, and must not be empty. Got dtype "
            f"{pixels.dtype} and shape {pixels.shape}."
        )
    return MappedImage(
        slide=Slide(pixels) if pixels.shape[2] == 3 else None,
        name="slide",
        fingerprint=hash_of_pixels(pixels),
        slide_shape=pixels.shape[:2],
        mpp=None,
        scale=1.0,
        shape=pixels.shape,
        read=partial(_read_array, pixels),
    )


def _read_array(
    pixels: np.ndarray, top: int, left: int, height: int, width: int
) -> np.ndarray:
    return pixels[top : top + height, left : left + width]
