"""Scores of slides or patients from the probabilities of their patches."""

from collections.abc import Callable
from functools import partial
from numbers import Integral, Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval, StrOptions, validate_params
from sklearn.utils.validation import check_consistent_length, column_or_1d

Method = Callable[[np.ndarray], float]
_METHODS: dict[str, Method] = {"mean": np.mean, "max": np.max}


@validate_params(
    {
        "proba": ["array-like"],
        "groups": ["array-like"],
        "method": [StrOptions({"mean", "max"}), callable],
    },
    prefer_skip_nested_validation=True,
)
def aggregate_by_group(
    proba: ArrayLike, groups: ArrayLike, method: str | Method = "mean"
) -> pd.DataFrame:
    """Combine the probabilities of patches into a score of each slide or patient.

    Parameters
    ----------
    proba : array-like of shape (n,) or (n, n_classes)
        Probabilities or other scores of patches.
    groups : array-like of shape (n,)
        Slide or patient of each patch, such as ``groups`` of a `PatchArray`.
    method : {"mean", "max"} or callable, default="mean"
        How to combine the probabilities of one class in one group. A callable receives
        an array of shape (n_patches,) and returns a number. `top_k` and `share_above`
        create such callables.

    Returns
    -------
    scores : DataFrame of shape (n_groups, 1) or (n_groups, n_classes)
        One row for each group. The index contains the sorted groups. For probabilities
        of shape (n,), the column is named "score". Otherwise, the columns are the
        positions of the classes. Rows sum to one only with ``method="mean"``.

    Raises
    ------
    TypeError
        If `method` does not return a number.
    ValueError
        If the numbers of rows differ, or if a probability or a group is missing.

    See Also
    --------
    bootstrap_interval : The interval of a metric over slides.

    Examples
    --------
    >>> from skhisto.metrics import aggregate_by_group, top_k
    >>> proba = [0.1, 0.3, 0.9, 0.7, 0.2]
    >>> groups = ["b", "b", "a", "a", "a"]
    >>> scores = aggregate_by_group(proba, groups)["score"]
    >>> scores.index.tolist(), scores.round(2).tolist()
    (['a', 'b'], [0.6, 0.2])
    >>> aggregate_by_group(proba, groups, method=top_k(2))["score"].round(2).tolist()
    [0.8, 0.2]
    """
    scores = check_array(proba, ensure_2d=False, dtype="numeric")
    of_row = column_or_1d(groups)
    check_consistent_length(scores, of_row)
    if pd.isna(of_row).any():
        raise ValueError(
            "groups contains missing values. Each row needs a group, such as the name "
            "of its slide."
        )
    function = _METHODS[method] if isinstance(method, str) else method
    names, codes = np.unique(of_row, return_inverse=True)
    columns = ["score"] if scores.ndim == 1 else list(range(scores.shape[1]))
    parts = np.split(
        scores.reshape(len(scores), -1)[np.argsort(codes, kind="stable")],
        np.cumsum(np.bincount(codes))[:-1],
    )
    table = [[_number(function, column) for column in part.T] for part in parts]
    return pd.DataFrame(table, index=pd.Index(names, name="group"), columns=columns)


def _number(function: Method, scores: np.ndarray) -> float:
    value = function(scores)
    if np.ndim(value) or not isinstance(value, Real | np.generic):
        raise TypeError(
            f"method must return one number for the scores of a group; got {value!r}."
        )
    return float(value)


@validate_params(
    {"k": [Interval(Integral, 1, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def top_k(k: int) -> Method:
    """Create a method for `aggregate_by_group`: the mean of the k highest scores.

    It is less sensitive to single false positives than the maximum, and less sensitive
    to the size of the tumour than the mean.

    Parameters
    ----------
    k : int
        Number of patches, at least 1. For smaller groups, all patches are used.

    Returns
    -------
    method : callable
        The method. It can be pickled.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto.metrics import top_k
    >>> float(top_k(2)(np.array([0.2, 0.9, 0.7])))
    0.8
    """
    return partial(_top_k, k=k)


@validate_params({"threshold": [Real]}, prefer_skip_nested_validation=True)
def share_above(threshold: float) -> Method:
    """Create a method for `aggregate_by_group`: the share of scores above a threshold.

    Parameters
    ----------
    threshold : float
        The threshold. Scores that are equal to it are counted.

    Returns
    -------
    method : callable
        The method. It can be pickled.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto.metrics import share_above
    >>> float(share_above(0.5)(np.array([0.2, 0.9, 0.7, 0.5])))
    0.75
    """
    return partial(_share_above, threshold=threshold)


def _top_k(scores: np.ndarray, *, k: int) -> float:
    return float(np.sort(scores)[-k:].mean())


def _share_above(scores: np.ndarray, *, threshold: float) -> float:
    return float((scores >= threshold).mean())
