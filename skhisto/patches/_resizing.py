"""Resizing of patches by interpolation."""

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

    Pixels are areas, so that the borders of both images coincide. When patches become
    smaller, each new pixel is a weighted mean over the area that it covers. Therefore
    there is no aliasing.

    Each patch and each channel is resized on its own, so that the result does not
    depend on the other patches.

    Parameters
    ----------
    patches : ndarray of shape (n_patches, height, width, n_channels)
        Patches of any real dtype. They are computed in float32.
    size : tuple of int (height, width)
        The new size, in pixels.
    interpolation : {"bilinear", "bicubic", "lanczos"}, default="bilinear"
        The filter.

    Returns
    -------
    resized : ndarray of shape (n_patches, *size, n_channels)
        Of the same dtype. Integers are rounded once, at the end, and kept in the range
        of their dtype. The same array if it has this size.
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
    return np.asarray(image.resize(size[::-1], filter_))


def _as_dtype(plane: np.ndarray, dtype: np.dtype) -> np.ndarray:
    if dtype.kind == "f":
        return plane
    if dtype.kind == "b":
        return plane >= 0.5
    # float64 holds the limits of all integers up to 32 bits exactly.
    limits = np.iinfo(dtype)
    return np.clip(np.rint(plane.astype(np.float64)), limits.min, limits.max)
