"""Resizing of patches by interpolation."""

from collections.abc import Callable

import numpy as np
from PIL import Image

INTERPOLATIONS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}


def resize_patches(
    patches: np.ndarray, size: tuple[int, int], interpolation: str = "bilinear"
) -> np.ndarray:
    """Resize patches channel by channel.

    Pixels are treated as areas, so the borders of both images coincide. When patches
    become smaller, each new pixel is a weighted mean over the area that it covers,
    which prevents aliasing.

    Each patch and each channel is resized separately, so the result does not depend on
    the other patches.

    Parameters
    ----------
    patches : ndarray of shape (n_patches, height, width, n_channels)
        Patches of any real dtype. The computation uses float32.
    size : tuple of int (height, width)
        The new size in pixels.
    interpolation : {"bilinear", "bicubic", "lanczos"}, default="bilinear"
        The filter.

    Returns
    -------
    resized : ndarray of shape (n_patches, *size, n_channels)
        Array of the same dtype. Integers are rounded once, at the end, and clipped to
        the range of their dtype. If the size does not change, it is the same array.
    """
    if patches.shape[1:3] == size:
        return patches
    n_patches, n_channels = patches.shape[0], patches.shape[3]
    resized = np.empty((n_patches, *size, n_channels), patches.dtype)
    filter_ = INTERPOLATIONS[interpolation]
    for old, new in zip(patches, resized, strict=True):
        for channel in range(n_channels):
            plane = _resize_plane(old[..., channel], size, filter_)
            new[..., channel] = _as_dtype(plane, patches.dtype)
    return resized


def _resize_plane(
    plane: np.ndarray, size: tuple[int, int], filter_: Image.Resampling
) -> np.ndarray:
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    # The rounding depends on the order of the axes, and recent versions of Pillow
    # choose the faster order. Here, the order is fixed.
    rows_resized = image.resize((size[1], image.height), filter_)
    return np.asarray(rows_resized.resize(size[::-1], filter_))


def _as_dtype(plane: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "f":
        return plane
    if dtype.kind == "b":
        return plane >= 0.5
    # float64 represents the limits of all integers up to 32 bits exactly.
    limits = np.iinfo(dtype)
    return np.clip(np.rint(plane.astype(np.float64)), limits.min, limits.max)


def resampling_matrix(old: int, new: int, interpolation: str) -> np.ndarray:
    """Return the weights by which Pillow resizes one axis.

    They are those of ``precompute_coeffs`` in Pillow's ``Resample.c``. With float64
    sums, and with a rounding to float32 after each axis, they give the values of
    `resize_patches`. Values halfway between two integers may be rounded differently.

    Parameters
    ----------
    old, new : int
        Length of the axis before and after resizing, in pixels.
    interpolation : {"bilinear", "bicubic", "lanczos"}
        The filter.

    Returns
    -------
    weights : ndarray of shape (old, new), float64
        Each column contains the weights of one new pixel. Their sum is 1.
    """
    kernel, radius = _KERNELS[interpolation]
    scale = old / new
    stretch = max(scale, 1.0)  # the filter covers the area of a larger new pixel
    weights = np.zeros((old, new))
    for pixel in range(new):
        center = (pixel + 0.5) * scale
        first = max(int(center - radius * stretch + 0.5), 0)
        last = min(int(center + radius * stretch + 0.5), old)
        positions = (np.arange(first, last) - center + 0.5) / stretch
        column = kernel(positions)
        weights[first:last, pixel] = column / column.sum()
    return weights


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.clip(1 - np.abs(x), 0, None)


def _cubic(x: np.ndarray) -> np.ndarray:
    a, x = -0.5, np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where((x >= -3) & (x < 3), np.sinc(x) * np.sinc(x / 3), 0)


_KERNELS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], int]] = {
    "bilinear": (_triangle, 1),
    "bicubic": (_cubic, 2),
    "lanczos": (_lanczos, 3),
}
"""The function of each filter and the distance beyond which it is zero."""
