"""Checks of the arguments X, y and `sample_weight`."""

from math import isqrt
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite, check_X_y
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
    "uint8": "8-bit pixels",
    "uint16": "16-bit pixels",
    "float32": "numbers that are not rescaled",
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
        If `reset` is True, `n_features_in_` and `feature_names_in_` are set on it.
        Otherwise X is compared with them.
    X : array-like or PatchArray
        Patches as defined in `skhisto.patches._definition`, or flat rows of shape
        (n, height * width * channels).
    patch_shape : tuple or None
        Required shape (height, width, channels) of the patches. None accepts the shape
        of X.
    pixel_dtype : str or None
        Required value of `pixel_dtype_of` for the patches. None accepts all dtypes.
    reset : bool
        Whether this is the first fit.

    Raises
    ------
    TypeError
        If X is a data set, a loader, an iterator or a mapping.
    ValueError
        - If X is not a valid stack of patches.
        - If the patches do not have the required shape or kind of numbers.
        - If X contains NaN or infinity.
    """
    X = stack_images(X)
    if getattr(X, "ndim", 0) >= 3:
        patches = with_channel_axis(as_patches(X))
        _check_shape(patches.shape[1:], patch_shape)
        if isinstance(patches, np.ndarray):
            assert_all_finite(patches, input_name="X")
        # scikit-learn would check or copy the pixels again. It only needs their number.
        n_features = int(np.prod(patches.shape[1:]))
        rows = np.broadcast_to(np.zeros(1), (len(patches), n_features))
        validate_data(estimator, rows, reset=reset, skip_check_array=True)
    else:
        rows = validate_data(estimator, X, dtype="numeric", reset=reset)
        shape = patch_shape or guess_patch_shape(rows.shape[1])
        if np.prod(shape) != rows.shape[1]:
            raise ValueError(
                f"X has {rows.shape[1]} values per row, but patches of shape {shape} "
                f"have {np.prod(shape)}. Set patch_shape to the shape of the patches."
            )
        patches = rows.reshape(len(rows), *shape)
    if pixel_dtype is not None and pixel_dtype_of(patches) != pixel_dtype:
        raise ValueError(
            f"X contains {_KINDS[pixel_dtype_of(patches)]} (dtype {patches.dtype}), "
            f"but this {type(estimator).__name__} was fitted on {_KINDS[pixel_dtype]}. "
            "Pass the same kind of numbers as in fit. Converting only the dtype would "
            "change their meaning."
        )
    return patches


def check_fitted_patches(classifier: BaseEstimator, X: Any) -> Patches:
    """Check that X matches the patches that the classifier was fitted on."""
    return check_patches(
        classifier,
        X,
        patch_shape=classifier.patch_shape_,
        pixel_dtype=classifier.pixel_dtype_,
        reset=False,
    )


def check_patch_shape(patch_shape: Any) -> PatchShape | None:
    """Check the parameter `patch_shape` and return it as a tuple."""
    if patch_shape is None:
        return None
    if (
        len(patch_shape) != 3
        or not all(isinstance(n, Integral) and int(n) >= 1 for n in patch_shape)
        or patch_shape[2] > 4
    ):
        raise ValueError(
            "patch_shape must be (height, width, channels) with positive integers and "
            f"at most 4 channels; got {patch_shape}."
        )
    return tuple(patch_shape)


def guess_patch_shape(n_values: int) -> PatchShape:
    """Return the shape of a flat patch: square RGB, square grey, or a strip."""
    for channels in (3, 1):
        side = isqrt(n_values // channels)
        if side * side * channels == n_values:
            return side, side, channels
    return 1, n_values, 1


def check_labels(y: Any, n_patches: int) -> np.ndarray:
    """Check the labels and return them as an array of shape (n_patches,).

    The shape (n, 1, 1, 1), in which PatchCamelyon stores labels, is accepted too.
    """
    shape = np.asarray(y).shape
    if len(shape) > 2 and shape == (n_patches,) + (1,) * (len(shape) - 1):
        y = np.asarray(y).reshape(n_patches)
    try:
        np.unique(np.asarray(plain_strings(y)))
    except TypeError:
        raise ValueError(
            "y contains missing labels, or labels of different types, such as numbers "
            "and text. Pass labels of one type."
        ) from None
    rows = np.broadcast_to(np.zeros(1), (n_patches, 1))
    _, y = check_X_y(rows, plain_strings(y), dtype=None)
    check_classification_targets(y)
    return y


def check_sample_weight(sample_weight: Any, y: np.ndarray) -> np.ndarray | None:
    """Check that the weights are non-negative, and return them as float64."""
    if sample_weight is None:
        return None
    return _check_sample_weight(
        sample_weight, y, dtype=np.float64, ensure_non_negative=True
    )


def pixel_dtype_of(patches: Patches) -> str:
    """Return the dtype that a network receives for these patches.

    The network rescales uint8 and uint16. All other dtypes become float32 and are not
    rescaled.
    """
    name = patches.dtype.name
    return name if name in ("uint8", "uint16") else "float32"


def plain_strings(labels: Any) -> Any:
    """Convert NumPy's variable-width strings to fixed width.

    Neither scikit-learn nor skops supports variable-width strings.
    """
    if isinstance(labels, np.ndarray) and labels.dtype.kind == "T":
        return np.array(labels.tolist())
    return labels


def _check_shape(shape: tuple[int, ...], expected: PatchShape | None) -> None:
    if expected is None or shape == expected:
        return
    hint = f" {SINGLE_PATCH_HINT}" if shape == (*expected[1:], 1) else ""
    raise ValueError(
        f"X contains patches of shape {shape}, but the expected shape is {expected}."
        f"{hint}"
    )
