"""Decisions about a fold that are based on predictions of the other folds."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, recall_score, roc_curve

from benchmarks.accuracy.fits import FOLDS, Fit, Patches
from benchmarks.accuracy.recipes import RECOMMENDED
from benchmarks.accuracy.rows import Records, as_logits
from benchmarks.accuracy.scores import best_threshold

SENSITIVITY = 0.95
PLAIN = "at 0.5"
TUNED = "threshold for accuracy"
SENSITIVE = f"threshold for a sensitivity of {SENSITIVITY}"
CALIBRATED = "calibrated, at 0.5"
FITS = [
    fit
    for fold in FOLDS
    for fit in [
        Fit(RECOMMENDED, 0, (fold,)),
        *(Fit(RECOMMENDED, 0, (fold, other)) for other in range(fold + 1, len(FOLDS))),
    ]
]


def score_decisions(records: Records, patches: Patches) -> dict[str, dict[str, float]]:
    """Return the mean scores over the folds of each decision."""
    of_folds = [_decide(records, patches, fold) for fold in FOLDS]
    return {
        decision: {
            name: float(np.mean([scores[decision][name] for scores in of_folds]))
            for name in first
        }
        for decision, first in of_folds[0].items()
    }


def _decide(
    records: Records, patches: Patches, fold: int
) -> dict[str, dict[str, float]]:
    inner = [_inner(records, patches, fold, other) for other in FOLDS if other != fold]
    target, proba = map(np.concatenate, zip(*inner, strict=True))
    new_target = patches.y[patches.fold == fold]
    new_proba = np.array(records[Fit(RECOMMENDED, 0, (fold,))].proba["tta"])
    calibrator = LogisticRegression(C=np.inf).fit(as_logits(proba)[:, None], target)
    calibrated = calibrator.predict_proba(as_logits(new_proba)[:, None])[:, 1]
    sensitive = min(_sensitive_threshold(*part) for part in inner)
    return {
        PLAIN: _scores(new_target, new_proba, 0.5),
        TUNED: _scores(new_target, new_proba, best_threshold(target, proba)),
        SENSITIVE: _scores(new_target, new_proba, sensitive),
        CALIBRATED: _scores(new_target, calibrated, 0.5),
    }


def _inner(
    records: Records, patches: Patches, fold: int, other: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and predictions of `other` without training on both folds."""
    pair = (min(fold, other), max(fold, other))
    proba = np.array(records[Fit(RECOMMENDED, 0, pair)].proba["tta"])
    is_other = patches.fold[np.isin(patches.fold, pair)] == other
    return patches.y[patches.fold == other], proba[is_other]


def _sensitive_threshold(target: np.ndarray, proba: np.ndarray) -> float:
    _, sensitivity, thresholds = roc_curve(target, proba, drop_intermediate=False)
    return thresholds[np.argmax(sensitivity >= SENSITIVITY)]


def _scores(
    target: np.ndarray, proba: np.ndarray, threshold: float
) -> dict[str, float]:
    predicted = proba >= threshold
    return {
        "accuracy": np.mean(predicted == target),
        "sensitivity": recall_score(target, predicted),
        "specificity": recall_score(target, predicted, pos_label=0),
        "log loss": log_loss(target, proba),
    }
