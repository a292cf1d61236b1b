"""Scores of predictions, by fold."""

import numpy as np
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score, roc_curve

N_BINS = 15


def fold_scores(target: np.ndarray, proba: np.ndarray) -> dict[str, float]:
    """Return the scores that need no other fold."""
    return {
        "AUC": roc_auc_score(target, proba),
        "accuracy": accuracy_score(target, proba > 0.5),
        "log loss": log_loss(target, proba),
    }


def best_threshold(target: np.ndarray, proba: np.ndarray) -> float:
    """Return the threshold of the highest accuracy: predict 1 from it on."""
    false_rate, true_rate, thresholds = roc_curve(
        target, proba, drop_intermediate=False
    )
    share = np.mean(target)
    accuracy = true_rate * share + (1 - false_rate) * (1 - share)
    # The middle between two probabilities fits new ones better than either of them.
    best = int(accuracy.argmax())
    following = thresholds[best + 1] if best + 1 < len(thresholds) else 0.0
    return (min(thresholds[best], 1.0) + following) / 2


def calibration_error(target: np.ndarray, proba: np.ndarray) -> float:
    """Return the expected calibration error.

    The mean distance, over 15 equal bins of the confidence in the predicted class and
    weighted by their patches, of mean confidence and accuracy [1]_.

    References
    ----------
    .. [1] C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger. "On Calibration of Modern Neural
       Networks". ICML 2017.
    """
    confidence = np.maximum(proba, 1 - proba)
    hits = (proba > 0.5) == target
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - hits, minlength=N_BINS)
    return float(np.abs(gaps).sum() / len(target))
