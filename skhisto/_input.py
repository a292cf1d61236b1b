"""What a classifier accepts as X, y and weights."""

from math import isqrt
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_consistent_length, check_X_y
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from skhisto._images.patch_array import PatchArray

Patches = np.ndarray | PatchArray
PatchShape = tuple[int, int, int]


_KINDS = {
    "uint8": "pixels of 8 bits",
    "uint16": "pixels of 16 bits",
    "float32": "numbers that are taken as they are",
}


def check_patches(
    estimator: BaseEstimator,
    X: Any,
    *,
    patch_shape: PatchShape | None,
    pixel_dtype: str | None,
    reset: bool,
) -> Patches:
    """Return X as patches of shape (n, height, width, channels), without a copy.

    Parameters
    ----------
    estimator : estimator
        Gets `n_features_in_` and `feature_names_in_` where `reset`, and is held
        against them where not.
    X : array-like or PatchArray
        Images of shape (n, height, width, channels), grey images of shape
        (n, height, width), a list of equal images, or flat rows of shape
        (n, height * width * channels).
    patch_shape : tuple or None
        Shape that the patches must have; None to take it from X.
    pixel_dtype : str or None
        What `pixel_dtype_of` must give for the patches; None for anything.
    reset : bool
        Whether this is a first fit.
    """
    X = _stack_images(X)
    if getattr(X, "ndim", 0) >= 3:
        patches = _check_images(X)
        _check_shape(patches.shape[1:], patch_shape)
        # The images are checked: what is left is to count their values as features.
        n_features = int(np.prod(patches.shape[1:]))
        rows = np.broadcast_to(np.zeros(1), (len(patches), n_features))
        validate_data(estimator, rows, reset=reset, skip_check_array=True)
    else:
        rows = validate_data(estimator, X, dtype="numeric", reset=reset)
        shape = patch_shape or guess_patch_shape(rows.shape[1])
        if np.prod(shape) != rows.shape[1]:
            raise ValueError(
                f"X has rows of {rows.shape[1]} values, which are no patches of shape "
                f"{shape}: give the right patch_shape."
            )
        patches = rows.reshape(len(rows), *shape)
    if pixel_dtype is not None and pixel_dtype_of(patches) != pixel_dtype:
        raise ValueError(
            f"X holds {_KINDS[pixel_dtype_of(patches)]} (dtype {patches.dtype}), but "
            f"the classifier is fitted on {_KINDS[pixel_dtype]}. Convert X to the "
            "dtype that it is fitted on."
        )
    return patches


def check_patch_shape(patch_shape: Any) -> PatchShape | None:
    """Return the parameter `patch_shape` as a tuple of three lengths."""
    if patch_shape is None:
        return None
    if (
        len(patch_shape) != 3
        or not all(isinstance(n, Integral) and int(n) >= 1 for n in patch_shape)
        or patch_shape[2] > 4
    ):
        raise ValueError(
            "patch_shape must be (height, width, channels) with lengths of at least 1 "
            f"and 1 to 4 channels; got {patch_shape}."
        )
    return tuple(patch_shape)


def check_filters(filters: Any) -> tuple[int, ...]:
    """Return the parameter `filters` as a tuple of counts."""
    counts = [int(n) for n in filters if isinstance(n, Integral) and int(n) >= 1]
    if not counts or len(counts) < len(filters):
        raise ValueError(
            "filters must be one or more numbers of filters, each at least 1; "
            f"got {filters}."
        )
    return tuple(counts)


def guess_patch_shape(n_values: int) -> PatchShape:
    """Return the shape of a flat patch: square RGB, else square grey, else a strip."""
    for channels in (3, 1):
        side = isqrt(n_values // channels)
        if side * side * channels == n_values:
            return side, side, channels
    return 1, n_values, 1


def check_labels(y: Any, n_patches: int) -> np.ndarray:
    """Return y as a 1-D array of class labels, one for each patch."""
    if isinstance(y, np.ndarray) and y.dtype.kind == "T":
        # Strings of variable width are known neither to scikit-learn nor to skops.
        y = np.array(y.tolist())
    rows = np.broadcast_to(np.zeros(1), (n_patches, 1))
    _, y = check_X_y(rows, y, dtype=None)
    check_classification_targets(y)
    return y


def check_groups(groups: Any, n_patches: int) -> np.ndarray | None:
    """Return the groups as a 1-D array, one for each patch."""
    if groups is None:
        return None
    groups = check_array(groups, ensure_2d=False, dtype=None, input_name="groups")
    check_consistent_length(np.zeros(n_patches), groups)
    return groups


def check_sample_weight(sample_weight: Any, y: np.ndarray) -> np.ndarray | None:
    """Return the weights as floats that are not negative."""
    if sample_weight is None:
        return None
    return _check_sample_weight(
        sample_weight, y, dtype=np.float64, ensure_non_negative=True
    )


def pixel_dtype_of(patches: Patches) -> str:
    """Return the dtype in which patches enter a network.

    uint8 and uint16 are pixels, all other numbers are taken as they are.
    """
    name = patches.dtype.name
    return name if name in ("uint8", "uint16") else "float32"


def _stack_images(X: Any) -> Any:
    """Make one array of a list of images; leave all else as it is."""
    if not isinstance(X, list | tuple) or len(X) == 0 or np.ndim(X[0]) < 2:
        return X
    images = [np.asarray(image) for image in X]
    shapes = sorted({image.shape for image in images})
    if len(shapes) > 1:
        raise ValueError(
            f"X is a list of patches of different shapes, such as {shapes[0]} and "
            f"{shapes[1]}. All patches must have one shape: crop or resize them first."
        )
    return np.stack(images)


def _check_images(X: Any) -> Patches:
    if isinstance(X, PatchArray):
        return X
    if X.dtype.kind not in "buif":
        raise ValueError(
            f"X holds patches of dtype {X.dtype}, but pixels must be real numbers."
        )
    if X.ndim > 4:
        raise ValueError(
            f"X has {X.ndim} dimensions, but patches have the shape "
            "(n, height, width, channels) or, grey, (n, height, width)."
        )
    X = check_array(X, allow_nd=True, dtype=None, input_name="X")
    if X.ndim == 3:
        X = X[..., np.newaxis]
    if not 1 <= X.shape[3] <= 4:
        hint = (
            " The channels seem to come first: move them with np.moveaxis(X, 1, -1)."
            if 1 <= X.shape[1] <= 4
            else ""
        )
        raise ValueError(
            f"X has patches of shape {X.shape[1:]}, but the last axis must hold 1 to 4 "
            f"channels.{hint}"
        )
    return X


def _check_shape(shape: tuple[int, ...], expected: PatchShape | None) -> None:
    if 0 in shape:
        raise ValueError(f"X has patches of shape {shape}, which hold no pixel.")
    if expected is None or shape == expected:
        return
    hint = ""
    if shape == (*expected[1:], 1):
        hint = " A single patch needs an axis in front: X[np.newaxis]."
    raise ValueError(
        f"X has patches of shape {shape}, but patches of shape {expected} are "
        f"expected.{hint}"
    )
