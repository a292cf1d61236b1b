"""Scores of probabilities."""

from collections.abc import Sequence

import numpy as np
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score, roc_curve

N_BINS = 15


def score(targets: Sequence[np.ndarray], probas: Sequence[np.ndarray]) -> dict:
    """Return the scores of the probabilities of all folds.

    Parameters
    ----------
    targets : sequence of ndarray of shape (n_of_fold,)
        Labels of the patches of each fold, 0 and 1.
    probas : sequence of ndarray of shape (n_of_fold,)
        Their probabilities.

    Returns
    -------
    scores : dict of str to float
        The calibration error is computed over all patches. The other scores are means
        over the folds.
    """
    folds = list(zip(targets, probas, strict=True))
    aucs = [roc_auc_score(target, proba) for target, proba in folds]
    tuned = []
    for number, (target, proba) in enumerate(folds):
        others = folds[:number] + folds[number + 1 :]
        threshold = best_threshold(*map(np.concatenate, zip(*others, strict=True)))
        tuned.append(np.mean((proba >= threshold) == target))
    return {
        "AUC": np.mean(aucs),
        **{f"fold {number}": auc for number, auc in enumerate(aucs)},
        "accuracy at 0.5": np.mean([accuracy_score(t, p > 0.5) for t, p in folds]),
        "at a tuned threshold": np.mean(tuned),
        "log loss": np.mean([log_loss(target, proba) for target, proba in folds]),
        "calibration error": calibration_error(
            np.concatenate(targets), np.concatenate(probas)
        ),
    }


def best_threshold(target: np.ndarray, proba: np.ndarray) -> float:
    """Return the threshold with the highest accuracy for "probability >= threshold"."""
    false_rate, true_rate, thresholds = roc_curve(
        target, proba, drop_intermediate=False
    )
    share = np.mean(target)
    accuracy = true_rate * share + (1 - false_rate) * (1 - share)
    # The midpoint of two probabilities generalises better than either of them.
    best = int(accuracy.argmax())
    following = thresholds[best + 1] if best + 1 < len(thresholds) else 0.0
    return (min(thresholds[best], 1.0) + following) / 2


def calibration_error(target: np.ndarray, proba: np.ndarray) -> float:
    """Return the expected calibration error.

    The confidence in the predicted class is divided into 15 equal bins. The error is
    the mean difference of confidence and accuracy, weighted by patches [1]_.

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
