"""What a classifier accepts as X, y and weights."""

import os
from math import isqrt
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.base import BaseEstimator
from sklearn.utils import check_array, check_consistent_length, check_X_y
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from skhisto.patches._patch_array import PatchArray

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
    X = _as_images(X)
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
            f"the classifier is fitted on {_KINDS[pixel_dtype]}. Give the same "
            "kind as in fit: converting the dtype alone changes what the numbers mean."
        )
    return patches


def check_fitted_patches(classifier: BaseEstimator, X: Any) -> Patches:
    """Check X against the patches that a classifier was fitted on."""
    return check_patches(
        classifier,
        X,
        patch_shape=classifier.patch_shape_,
        pixel_dtype=classifier.pixel_dtype_,
        reset=False,
    )


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


def guess_patch_shape(n_values: int) -> PatchShape:
    """Return the shape of a flat patch: square RGB, else square grey, else a strip."""
    for channels in (3, 1):
        side = isqrt(n_values // channels)
        if side * side * channels == n_values:
            return side, side, channels
    return 1, n_values, 1


def check_labels(y: Any, n_patches: int) -> np.ndarray:
    """Return y as a 1-D array of class labels, one for each patch.

    PatchCamelyon stores its labels with the shape (n, 1, 1, 1), which is accepted.
    """
    if np.ndim(y) > 2 and np.shape(y) == (n_patches,) + (1,) * (np.ndim(y) - 1):
        y = np.reshape(y, n_patches)
    try:
        np.unique(np.asarray(plain_strings(y)))
    except TypeError:
        raise ValueError(
            "y has missing labels, or labels of different types, such as numbers and "
            "text. Give labels of one type."
        ) from None
    rows = np.broadcast_to(np.zeros(1), (n_patches, 1))
    _, y = check_X_y(rows, plain_strings(y), dtype=None)
    check_classification_targets(y)
    return y


def check_groups(groups: Any, n_patches: int) -> np.ndarray | None:
    """Return the groups as a 1-D array, one for each patch."""
    if groups is None:
        return None
    if pd.isna(np.asarray(groups, dtype=object)).any():
        raise ValueError("groups has missing values: every patch needs its group.")
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


def plain_strings(labels: Any) -> Any:
    """Turn NumPy's strings of variable width into those of fixed width.

    Neither scikit-learn nor skops supports strings of variable width.
    """
    if isinstance(labels, np.ndarray) and labels.dtype.kind == "T":
        return np.array(labels.tolist())
    return labels


def _as_images(X: Any) -> Any:
    """Make one array of what holds images; leave all else as it is."""
    if isinstance(X, PatchArray) or hasattr(X, "columns"):
        return X
    is_array = hasattr(X, "__array__") and not hasattr(X, "iloc")
    if is_array and not isinstance(X, np.ndarray) and getattr(X, "ndim", 3) >= 3:
        X = np.asarray(X)  # a tensor, for example
    is_column = getattr(X, "ndim", 0) == 1 and not is_numeric_dtype(X.dtype)
    if not (isinstance(X, list | tuple) or is_column) or len(X) == 0:
        return X
    X = list(X)
    if isinstance(X[0], str | os.PathLike):
        raise ValueError(
            "X holds text, not patches. If these are names of files, put a PatchLoader "
            "before the classifier, in a Pipeline."
        )
    if np.ndim(X[0]) < 2:
        return X
    images = [np.asarray(image) for image in X]
    _check_all_equal("shapes", [image.shape for image in images])
    _check_all_equal("dtypes", [image.dtype.name for image in images])
    return np.stack(images)


def _check_all_equal(what: str, values: list[Any]) -> None:
    different = sorted(set(values))
    if len(different) > 1:
        raise ValueError(
            f"X is a list of patches of different {what}, such as {different[0]} and "
            f"{different[1]}. All patches must have one: convert them first."
        )


def _check_images(X: Any) -> Patches:
    if X.dtype.kind not in "buif":
        raise ValueError(
            f"X holds patches of dtype {X.dtype}, but pixels must be real numbers."
        )
    if X.ndim > 4:
        raise ValueError(
            f"X has {X.ndim} dimensions, but patches have the shape "
            "(n, height, width, channels) or, grey, (n, height, width)."
        )
    if isinstance(X, PatchArray):
        check_array(np.zeros((len(X), 1)))  # for scikit-learn's error on no rows
    else:
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
