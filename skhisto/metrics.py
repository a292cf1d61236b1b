"""Scores that scikit-learn does not have."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import check_consistent_length


@validate_params(
    {
        "y_true": ["array-like"],
        "y_pred": ["array-like"],
        "sensitivity": [Interval(Real, 0, 1, closed="right")],
        "pos_label": [Real, str, "boolean"],
        "sample_weight": ["array-like", None],
    },
    prefer_skip_nested_validation=True,
)
def specificity_at_sensitivity(
    y_true: ArrayLike,
    y_pred: ArrayLike,
    *,
    sensitivity: float = 0.95,
    pos_label: Any = 1,
    sample_weight: ArrayLike | None = None,
) -> float:
    """Specificity of predictions that are sensitive enough.

    The score to tune a decision threshold with where tumour must not be missed:
    `sklearn.model_selection.TunedThresholdClassifierCV` then chooses the threshold of
    the highest specificity among those that reach the sensitivity in every fold.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        True labels, of two classes.
    y_pred : array-like of shape (n,)
        Predicted labels.
    sensitivity : float, default=0.95
        Share of the positives that must be found, in (0, 1].
    pos_label : int, float, bool or str, default=1
        Label of the positives.
    sample_weight : array-like of shape (n,), default=None
        Weights of the samples.

    Returns
    -------
    score : float
        Share of the negatives that are predicted as such, in [0, 1], if the sensitivity
        is reached; otherwise -100 and less, by what is missing to it: in a mean over
        folds, no other fold makes up for one that misses it.

    Raises
    ------
    ValueError
        If there are other labels than `pos_label` and one more, or numbers of samples
        differ.

    Examples
    --------
    A threshold at which 95 % of the tumours are found:

    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.metrics import make_scorer
    >>> from sklearn.model_selection import TunedThresholdClassifierCV
    >>> from skhisto.metrics import specificity_at_sensitivity
    >>> specificity_at_sensitivity([0, 0, 0, 1, 1], [0, 1, 0, 1, 1])
    0.6666666666666666
    >>> X, y = make_classification(300, flip_y=0.1, random_state=0)
    >>> clf = TunedThresholdClassifierCV(
    ...     LogisticRegression(),
    ...     scoring=make_scorer(specificity_at_sensitivity, sensitivity=0.95),
    ... )
    >>> bool(clf.fit(X, y).best_threshold_ < 0.5)
    True
    """
    check_consistent_length(y_true, y_pred, sample_weight)
    labels = unique_labels(y_true, y_pred)
    others = [label for label in labels.tolist() if label != pos_label]
    if type_of_target(y_true) == "multiclass" or len(others) > 1:
        raise ValueError(
            f"specificity_at_sensitivity needs labels of two classes, pos_label="
            f"{pos_label!r} and another one, but got {labels.tolist()}."
        )
    true, predicted = np.asarray(y_true), np.asarray(y_pred)
    weight = np.asarray(
        np.ones(len(true)) if sample_weight is None else sample_weight, dtype=float
    )
    is_hit, is_positive = true == predicted, true == pos_label
    found = _share(is_hit, is_positive, weight)
    # Sums of weights are rounded.
    if found < sensitivity - 1e-9:
        return -(100 + sensitivity - found)
    return _share(is_hit, ~is_positive, weight)


def _share(is_hit: np.ndarray, among: np.ndarray, weight: np.ndarray) -> float:
    """Return the weighted share of hits among some samples, 1 if there are none."""
    total = weight[among].sum()
    return float(weight[among & is_hit].sum() / total) if total > 0 else 1.0
