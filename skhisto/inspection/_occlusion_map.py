"""Which places of a patch speak for a class, by covering them."""

from itertools import product
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.validation import check_is_fitted

from skhisto.inspection._targets import position_of
from skhisto.patches._patch_array import PatchArray


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
    """Map how much less probable a class becomes where patches are covered.

    A square that is filled with the mean colour of the patch is moved over it [1]_. No
    gradients are needed: any classifier will do, and a whole Pipeline is looked at from
    outside.

    Parameters
    ----------
    estimator : classifier or Pipeline
        Fitted, with `predict_proba`.
    X : ndarray or PatchArray of shape (n, height, width, channels)
        Patches. If a Pipeline begins with loading them, give what comes after it,
        ``pipeline[1:]``, and patches that are loaded.
    target : label, default=None
        The class, one of ``classes_``. None stands for ``classes_[1]`` of two classes,
        and of more for the one that is most probable for each patch.
    window : int, default=16
        Side of the square, in pixels.
    stride : int, default=None
        By how many pixels the square is moved; None is half of its side. Each position
        costs a prediction: 121 for 96x96 pixels by default.

    Returns
    -------
    maps : ndarray of shape (n, height, width), float32
        How much the probability falls, from -1 to 1, as the mean over all positions in
        which a pixel is covered. What speaks against the class is negative.

    Raises
    ------
    NotFittedError
        If `estimator` is not fitted.
    ValueError
        If X are no patches, the square is larger than they are, or `target` is no
        class.

    See Also
    --------
    class_activation_map : Takes one prediction, and sees through the network's eyes.
    CAMDisplay : Shows such maps.

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
    _check_patches(X, window)
    stride = stride or max(window // 2, 1)
    position = position_of(target, estimator.classes_)
    # One at a time: lazily read patches are not all in memory.
    maps = [
        _map(estimator, np.asarray(X[i]), position, window, stride)
        for i in range(len(X))
    ]
    return np.stack(maps)


def _check_patches(X: Any, window: int) -> None:
    is_patches = isinstance(X, np.ndarray | PatchArray) and X.ndim == 4 and len(X) > 0
    if not is_patches:
        raise ValueError(
            "X must be patches: an ndarray or a PatchArray of shape "
            f"(n, height, width, channels), but it is {type(X).__name__} of shape "
            f"{np.shape(X)}."
        )
    if window > min(X.shape[1:3]):
        raise ValueError(
            f"window={window} does not fit into patches of {X.shape[1]}x{X.shape[2]} "
            "pixels."
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
    for copy, square in zip(covered, squares, strict=True):
        copy[square] = np.rint(colour) if patch.dtype.kind in "ui" else colour
    proba = estimator.predict_proba(np.concatenate([patch[np.newaxis], covered]))
    column = proba[0].argmax() if position is None else position
    falls = proba[0, column] - proba[1:, column]
    total, count = np.zeros(patch.shape[:2]), np.zeros(patch.shape[:2])
    for square, fall in zip(squares, falls, strict=True):
        total[square] += fall
        count[square] += 1
    # With a stride of more than the window, some pixels are never covered.
    return (total / np.maximum(count, 1)).astype(np.float32)


def _starts(n_pixels: int, window: int, stride: int) -> list[int]:
    """Return where squares begin; the last one ends at the border."""
    last = n_pixels - window
    return [*range(0, last, stride), last]
