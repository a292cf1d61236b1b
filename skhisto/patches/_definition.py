"""The definition of patches for classifier, transformers, displays and maps.

Patches must meet the following conditions:

- They are an array, a :class:`PatchArray`, or an object that NumPy can convert, such as
  a tensor or a list of equal images. A PatchArray is never decoded here.
- Their shape is (n, height, width, channels) with 1 to 4 channels. Grey patches may
  also have the shape (n, height, width).
- They are real numbers: boolean, integer or floating-point.
- Their height and width are at least 1.

The numbers do not have to be finite.
"""

import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from scipy.sparse import issparse

from skhisto.patches._not_arrays import refuse_what_is_not_an_array
from skhisto.patches._patch_array import PatchArray

Patches = np.ndarray | PatchArray

MAX_CHANNELS = 4
SINGLE_PATCH_HINT = "A single patch needs an axis in front: X[np.newaxis]."


def as_patches(X: Any, *, min_patches: int = 1) -> Patches:
    """Return patches with their dtype and number of dimensions, without a copy.

    Parameters
    ----------
    X : array-like or PatchArray
        Patches of shape (n, height, width, channels) or, if grey, (n, height, width).
    min_patches : int, default=1
        Minimum number of patches.

    Returns
    -------
    patches : ndarray or PatchArray
        X itself if it is an array or a PatchArray. Other objects are converted.

    Raises
    ------
    TypeError
        If X is a data set, a loader, a source, an iterator or a mapping.
    ValueError
        If X does not meet the conditions of this module, or has too few patches.
    """
    X = stack_images(X)
    patches = X if isinstance(X, PatchArray) else _as_array(X)
    if patches.ndim > 0 and len(patches) < min_patches:
        raise ValueError(
            f"At least {min_patches} patch is required, got shape {patches.shape}."
        )
    if patches.ndim not in (3, 4):
        hint = (
            " Reshape flat rows with X.reshape(-1, height, width, channels). "
            + SINGLE_PATCH_HINT
            if patches.ndim == 2
            else ""
        )
        raise ValueError(
            "Patches must have shape (n, height, width, channels) or, if grey, "
            f"(n, height, width). Got {type(X).__name__} of shape {patches.shape}."
            f"{hint}"
        )
    if patches.dtype.kind not in "buif":
        raise ValueError(f"Patches must be real numbers, got dtype {patches.dtype}.")
    if 0 in patches.shape[1:]:
        raise ValueError(f"Patches must not be empty, got shape {patches.shape}.")
    _check_channels(patches.shape)
    return patches


def with_channel_axis(patches: Patches) -> Patches:
    """Return patches of shape (n, height, width, channels), as a view."""
    return patches[..., np.newaxis] if patches.ndim == 3 else patches


def stack_images(X: Any) -> Any:
    """Convert images in another form to one array. Return other objects unchanged.

    Tensors of at least three dimensions are converted, and so are sequences of images
    such as lists, tuples and Series. Flat rows are not converted.

    Raises
    ------
    TypeError
        If X is a data set, a loader, a source, an iterator or a mapping.
    ValueError
        If X contains text, or images of different shapes or dtypes.
    """
    # Sparse matrices contain flat rows. One of their formats is also a mapping.
    if isinstance(X, PatchArray) or hasattr(X, "columns") or issparse(X):
        return X
    refuse_what_is_not_an_array(X)
    _refuse_file_name(X)
    is_array = hasattr(X, "__array__") and not hasattr(X, "iloc")
    if is_array and not isinstance(X, np.ndarray) and getattr(X, "ndim", 3) >= 3:
        X = np.asarray(X)  # a tensor, for example
    if not (isinstance(X, list | tuple) or _is_column(X)) or len(X) == 0:
        return X
    items = list(X)
    _refuse_file_name(items[0])
    if np.asarray(items[0]).ndim < 2:
        return X
    images = [np.asarray(item) for item in items]
    _check_all_equal("shape", (image.shape for image in images))
    _check_all_equal("dtype", (image.dtype.name for image in images))
    return np.stack(images)


def _is_column(X: Any) -> bool:
    """Return whether X is an array or a Series of objects, such as images."""
    kind = getattr(getattr(X, "dtype", None), "kind", "f")
    return getattr(X, "ndim", 0) == 1 and kind not in "buifc"


def _as_array(X: Any) -> np.ndarray:
    try:
        return np.asarray(X)
    except ValueError:
        raise ValueError(
            f"Patches must form one array. Got {type(X).__name__} whose items have "
            "different shapes."
        ) from None


def _check_channels(shape: tuple[int, ...]) -> None:
    if len(shape) == 3 or 1 <= shape[3] <= MAX_CHANNELS:
        return
    hint = (
        " The channels seem to be first. Move them with np.moveaxis(X, 1, -1)."
        if 1 <= shape[1] <= MAX_CHANNELS
        else ""
    )
    raise ValueError(
        f"Patches must have 1 to {MAX_CHANNELS} channels in the last axis, got shape "
        f"{shape}.{hint}"
    )


def _check_all_equal(what: str, values: Iterable[Any]) -> None:
    different = sorted(set(values))
    if len(different) > 1:
        raise ValueError(
            f"All patches must have the same {what}, got {different[0]} and "
            f"{different[1]}. Convert them first."
        )


def _refuse_file_name(item: Any) -> None:
    if isinstance(item, str | os.PathLike):
        raise ValueError(
            "X contains text, not patches. If these are file names, load the patches "
            "with PatchLoader, for example as the first step of a Pipeline."
        )
