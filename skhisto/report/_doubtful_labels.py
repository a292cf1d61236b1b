"""Labels that disagree with out-of-fold probabilities."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from skhisto.report._finding import Finding


def check_proba(proba: Any, y: np.ndarray | None) -> np.ndarray | None:
    """Return probabilities of shape (n, n_classes).

    Raises
    ------
    ValueError
        If `y` is None, or if `proba` does not have the shape or the values of
        probabilities.
    """
    if proba is None:
        return None
    if y is None:
        raise ValueError("proba needs y, because it is compared with the labels.")
    proba = np.asarray(proba, dtype=float)
    if proba.ndim == 1:
        proba = np.column_stack([1 - proba, proba])
    expected = (len(y), len(np.unique(y)))
    if proba.shape != expected:
        raise ValueError(
            "proba must have one row per patch and one column per class of y, here "
            f"{expected}, got {proba.shape}."
        )
    if not np.all((proba >= 0) & (proba <= 1)):
        raise ValueError(
            "proba must contain probabilities from 0 to 1 without missing values. Use "
            "cross_val_predict(..., method='predict_proba')."
        )
    return proba


def label_findings(y: np.ndarray, proba: np.ndarray) -> Iterator[Finding]:
    """Yield patches with doubtful labels, least probable first.

    Raises
    ------
    ImportError
        If cleanlab is not installed.
    """
    classes, given = np.unique(y, return_inverse=True)
    find_label_issues = _import_find_label_issues()
    rows = find_label_issues(
        given,
        proba,
        return_indices_ranked_by="self_confidence",
        n_jobs=1,  # TensorFlow does not survive forked processes
    )
    for row in rows:
        guess = proba[row].argmax()
        detail = f"labelled {classes[given[row]]}, predicted {classes[guess]}"
        yield Finding(
            "doubtful label", row=row, value=proba[row, given[row]], detail=detail
        )


def _import_find_label_issues() -> Callable[..., np.ndarray]:
    try:
        from cleanlab.filter import find_label_issues
    except ImportError:
        raise ImportError(
            "Comparing labels with proba needs cleanlab, which is not installed. "
            "Install it with: pip install cleanlab"
        ) from None
    return find_label_issues
