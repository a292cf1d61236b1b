"""Specificity at a required sensitivity."""

from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import (
    _check_sample_weight,
    check_consistent_length,
    column_or_1d,
)


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
    """Compute the specificity of predictions that reach a required sensitivity.

    Use this score to tune a decision threshold if tumour must not be missed. With it,
    `sklearn.model_selection.TunedThresholdClassifierCV` selects the threshold with the
    highest specificity among the thresholds that reach the sensitivity in every fold.

    Parameters
    ----------
    y_true : array-like of shape (n,)
        True labels of two classes.
    y_pred : array-like of shape (n,)
        Predicted labels.
    sensitivity : float, default=0.95
        Required sensitivity, in (0, 1].
    pos_label : int, float, bool or str, default=1
        Label of the positive class.
    sample_weight : array-like of shape (n,), default=None
        Weights of the samples.

    Returns
    -------
    score : float
        The specificity, in [0, 1], if the sensitivity is reached. Otherwise, -100 minus
        the difference to the required sensitivity. The large penalty ensures that no
        other fold can compensate for a fold that misses the sensitivity.

    Raises
    ------
    ValueError
        - If the labels are not `pos_label` and one other label.
        - If the arguments are empty or have different lengths.
        - If weights are negative, or all of them are zero.

    Examples
    --------
    Find a threshold at which 95 % of the positives are detected. The thresholds are
    logits. Probabilities of a confident classifier are close to 0 or 1, where a grid
    of thresholds would be too coarse.

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
    ...     response_method="decision_function",
    ...     thresholds=1000,
    ... )
    >>> bool(clf.fit(X, y).best_threshold_ < 0)
    True
    """
    check_consistent_length(y_true, y_pred, sample_weight)
    true, predicted = column_or_1d(y_true), column_or_1d(y_pred)
    if len(true) == 0:
        raise ValueError("specificity_at_sensitivity needs at least one label.")
    labels = unique_labels(true, predicted).tolist()
    others = [label for label in labels if label != pos_label]
    of_one_type = {isinstance(label, str) for label in (*labels, pos_label)}
    is_multiclass = type_of_target(true) == "multiclass"
    if is_multiclass or len(others) > 1 or len(of_one_type) > 1:
        raise ValueError(
            f"specificity_at_sensitivity needs labels of two classes, pos_label="
            f"{pos_label!r} and one other; got {labels}."
        )
    weight = _check_sample_weight(sample_weight, true, ensure_non_negative=True)
    is_hit, is_positive = true == predicted, true == pos_label
    found = _share(is_hit, is_positive, weight)
    # Allow for rounding errors in the sums of weights.
    if found < sensitivity - 1e-9:
        return -(100 + sensitivity - found)
    return _share(is_hit, ~is_positive, weight)


def _share(is_hit: np.ndarray, among: np.ndarray, weight: np.ndarray) -> float:
    """Return the weighted share of hits among the selected samples, 1 if none are."""
    total = weight[among].sum()
    return float(weight[among & is_hit].sum() / total) if total > 0 else 1.0
