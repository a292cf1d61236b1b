"""Maps of the evidence for a class, computed by covering parts of patches."""

from itertools import product
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from skhisto.inspection._targets import position_of
from skhisto.patches._definition import Patches, as_patches


@validate_params(
    {
        "window": [Interval(Integral, 1, None, closed="left")],
        "stride": [Interval(Integral, 1, None, closed="left"), None],
    },
    prefer_skip_nested_validation=True,
)
def occlusion_map(
    estimator: Any,
    X: Any,
    *,
    target: Any = None,
    window: int = 16,
    stride: int | None = None,
) -> np.ndarray:
    """Map how much the probability of a class drops when a region is covered.

    A square with the mean colour of the patch is moved over the patch [1]_. The method
    does not use gradients, so it works with any classifier and with a whole Pipeline.

    Parameters
    ----------
    estimator : classifier or Pipeline
        A fitted estimator with `predict_proba`.
    X : array-like or PatchArray of shape (n, height, width, channels) or \
            (n, height, width)
        At least one patch of 1 to 4 channels. The estimator gets patches with the same
        number of dimensions. If a Pipeline begins with a `PatchLoader`, pass
        ``pipeline[1:]`` and loaded patches.
    target : label, default=None
        The class, one of ``classes_``. With two classes, None means ``classes_[1]``.
        With more, None means the most probable class of each patch.
    window : int, default=16
        Side of the square in pixels.
    stride : int, default=None
        Distance in pixels between positions of the square. None means half of `window`.
        Each position takes one prediction, 121 for 96x96 pixels with the defaults.

    Returns
    -------
    maps : ndarray of shape (n, height, width), float32
        The decrease of the probability, from -1 to 1. Each pixel has the mean over all
        positions that cover it, or 0 if it is never covered. Negative values are
        evidence against the class.

    Raises
    ------
    NotFittedError
        If `estimator` is not fitted.
    TypeError
        If X is a data set, a loader, an iterator or a mapping.
    ValueError
        If X is not a valid stack of patches, if `window` is larger than the patches, or
        if `target` is not one of the classes.

    See Also
    --------
    class_activation_map : Compute maps of a PatchCNNClassifier with one prediction.
    CAMDisplay : Show the maps.

    References
    ----------
    .. [1] M. D. Zeiler, R. Fergus. "Visualizing and Understanding Convolutional
       Networks". ECCV 2014.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skhisto import make_patches, occlusion_map
    >>> X, y = make_patches(40, size=24, random_state=0)
    >>> mean_colour = FunctionTransformer(lambda X: X.mean(axis=(1, 2)))
    >>> clf = make_pipeline(mean_colour, LogisticRegression()).fit(X, y)
    >>> occlusion_map(clf, X[:3], window=8).shape
    (3, 24, 24)
    """
    check_is_fitted(estimator)
    patches = as_patches(X)
    _check_window(window, patches)
    stride = stride or max(window // 2, 1)
    position = position_of(target, estimator.classes_)
    # One patch at a time, so that a PatchArray needs little memory.
    maps = [
        _map(estimator, patches[i], position, window, stride)
        for i in range(len(patches))
    ]
    return np.stack(maps)


def _check_window(window: int, patches: Patches) -> None:
    height, width = patches.shape[1:3]
    if window > min(height, width):
        raise ValueError(
            f"window={window} is larger than patches of {height}x{width} pixels "
            "(height x width)."
        )


def _map(
    estimator: Any, patch: np.ndarray, position: int | None, window: int, stride: int
) -> np.ndarray:
    squares = [
        (slice(top, top + window), slice(left, left + window))
        for top, left in product(*(_starts(n, window, stride) for n in patch.shape[:2]))
    ]
    covered = np.repeat(patch[np.newaxis], len(squares), axis=0)
    colour = patch.mean(axis=(0, 1))
    if patch.dtype.kind in "bui":
        colour = np.rint(colour)
    for copy, square in zip(covered, squares, strict=True):
        copy[square] = colour
    proba = estimator.predict_proba(np.concatenate([patch[np.newaxis], covered]))
    column = proba[0].argmax() if position is None else position
    falls = proba[0, column] - proba[1:, column]
    total, count = np.zeros(patch.shape[:2]), np.zeros(patch.shape[:2])
    for square, fall in zip(squares, falls, strict=True):
        total[square] += fall
        count[square] += 1
    # A stride larger than the window leaves some pixels uncovered.
    return (total / np.maximum(count, 1)).astype(np.float32)


def _starts(n_pixels: int, window: int, stride: int) -> list[int]:
    """Return the first pixel of each square. The last square ends at the border."""
    last = n_pixels - window
    return [*range(0, last, stride), last]
