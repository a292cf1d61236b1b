"""Resizing of patches by bilinear interpolation."""

import numpy as np


def resize(patches: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize patches; integers are rounded.

    Pixels are areas, so that the corners of both images coincide. When patches are made
    smaller, the interpolation averages over larger areas, without aliasing.

    Parameters
    ----------
    patches : ndarray of shape (n, height, width, channels)
    size : tuple of int (height, width)
        The new size, in pixels.

    Returns
    -------
    resized : ndarray of shape (n, *size, channels)
        Of the same dtype.
    """
    if patches.shape[1:3] == size:
        return patches
    rows, columns = (
        _weights(before, after)
        for before, after in zip(patches.shape[1:3], size, strict=True)
    )
    n, height, width, n_channels = patches.shape
    # Two matrix products: first along the height, then along the width.
    resized = rows @ patches.astype(np.float32).reshape(n, height, width * n_channels)
    resized = columns @ resized.reshape(n, size[0], width, n_channels)
    if patches.dtype.kind in "ui":
        resized = np.rint(resized)
    return resized.astype(patches.dtype, copy=False)


def _weights(before: int, after: int) -> np.ndarray:
    """Return the matrix (after, before) from the old pixels of a line to the new."""
    scale = before / after
    centres = (np.arange(after) + 0.5) * scale - 0.5
    distances = np.abs(np.arange(before) - centres[:, None]) / max(scale, 1.0)
    weights = np.maximum(1 - distances, 0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
