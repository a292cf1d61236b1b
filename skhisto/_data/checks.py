"""What a classifier accepts as X, y and weights."""

from math import isqrt
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils import (
    assert_all_finite,
    check_array,
    check_consistent_length,
    check_X_y,
)
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, validate_data

from skhisto._types import PatchShape
from skhisto.patches._definition import (
    SINGLE_PATCH_HINT,
    Patches,
    as_patches,
    stack_images,
    with_channel_axis,
)

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
        If `reset`, gets `n_features_in_` and `feature_names_in_`. Otherwise X is
        compared with them.
    X : array-like or PatchArray
        Patches, as `skhisto.patches._definition` defines them, or flat rows of shape
        (n, height * width * channels).
    patch_shape : tuple or None
        The shape (height, width, channels) that the patches must have. None takes it
        from X.
    pixel_dtype : str or None
        What `pixel_dtype_of` must return for the patches. None accepts all dtypes.
    reset : bool
        Whether this is a first fit.

    Raises
    ------
    TypeError
        If X is a data set, a loader, an iterator or a mapping.
    ValueError
        If X holds no patches, patches of another shape, another kind of pixels, NaN or
        infinity.
    """
    X = stack_images(X)
    if getattr(X, "ndim", 0) >= 3:
        patches = with_channel_axis(as_patches(X))
        _check_shape(patches.shape[1:], patch_shape)
        if isinstance(patches, np.ndarray):
            assert_all_finite(patches, input_name="X")
        # The patches are checked. What remains is to count their values as features.
        n_features = int(np.prod(patches.shape[1:]))
        rows = np.broadcast_to(np.zeros(1), (len(patches), n_features))
        validate_data(estimator, rows, reset=reset, skip_check_array=True)
    else:
        rows = validate_data(estimator, X, dtype="numeric", reset=reset)
        shape = patch_shape or guess_patch_shape(rows.shape[1])
        if np.prod(shape) != rows.shape[1]:
            raise ValueError(
                f"X has rows of {rows.shape[1]} values, but patches of shape {shape} "
                f"have {np.prod(shape)}. Set patch_shape to the shape of the patches."
            )
        patches = rows.reshape(len(rows), *shape)
    if pixel_dtype is not None and pixel_dtype_of(patches) != pixel_dtype:
        raise ValueError(
            f"X holds {_KINDS[pixel_dtype_of(patches)]} (dtype {patches.dtype}), but "
            f"this {type(estimator).__name__} was fitted on {_KINDS[pixel_dtype]}. "
            "Pass the same kind as in fit: converting the dtype alone changes what the "
            "numbers mean."
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
    shape = np.asarray(y).shape
    if len(shape) > 2 and shape == (n_patches,) + (1,) * (len(shape) - 1):
        y = np.asarray(y).reshape(n_patches)
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


def _check_shape(shape: tuple[int, ...], expected: PatchShape | None) -> None:
    if expected is None or shape == expected:
        return
    hint = f" {SINGLE_PATCH_HINT}" if shape == (*expected[1:], 1) else ""
    raise ValueError(
        f"X has patches of shape {shape}, but patches of shape {expected} are "
        f"expected.{hint}"
    )
