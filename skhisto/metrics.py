"""Scores that scikit-learn does not have."""

from numbers import Real
from typing import Any

from numpy.typing import ArrayLike
from sklearn.metrics import recall_score
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.multiclass import type_of_target, unique_labels


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
    the highest specificity among those that reach the sensitivity.

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
        is reached; otherwise what is missing to it, as a negative number: it is best to
        be near.

    Raises
    ------
    ValueError
        If there are more than two classes, or `pos_label` is none of them.

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
    labels = unique_labels(y_true, y_pred)
    if type_of_target(y_true) == "multiclass" or len(labels) > 2:
        raise ValueError(
            "specificity_at_sensitivity needs labels of two classes, but got "
            f"{labels.tolist()}."
        )
    if pos_label not in labels:
        raise ValueError(
            f"pos_label={pos_label!r} is none of the labels {labels.tolist()}."
        )
    found = recall_score(
        y_true,
        y_pred,
        pos_label=pos_label,
        sample_weight=sample_weight,
        zero_division=1.0,
    )
    if found < sensitivity:
        return float(found - sensitivity)
    negatives = [label for label in labels if label != pos_label]
    if not negatives:
        return 1.0
    return float(
        recall_score(
            y_true,
            y_pred,
            labels=negatives,
            average="macro",
            sample_weight=sample_weight,
            zero_division=1.0,
        )
    )
