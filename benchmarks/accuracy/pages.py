"""From records of fits to a page of tables."""

from collections.abc import Iterable, Mapping

import numpy as np
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, recall_score, roc_auc_score, roc_curve

from benchmarks.accuracy.fits import FOLDS, SIZES
from benchmarks.accuracy.patches import Patches
from benchmarks.accuracy.recipes import LEARNING_CURVE, RECIPES, RECOMMENDED
from benchmarks.accuracy.records import Fit, Record
from benchmarks.accuracy.scores import best_threshold, calibration_error, fold_scores
from benchmarks.machine import describe_machine
from benchmarks.table import Section, Table

Records = Mapping[Fit, Record]
Predictions = dict[int, np.ndarray]
"""Probabilities of the patches of each fold, by a network that did not see them."""


def render(records: Records, patches: Patches) -> str:
    """Return the page as Markdown."""
    sizes = " / ".join(f"{n:,}" for n in np.bincount(patches.fold))
    commits = sorted({record.commit for record in records.values()})
    intro = (
        "Made by `python -m benchmarks.accuracy --write` from "
        f"{len(patches.y):,} real patches of 96x96 pixels of the Kaggle competition "
        f"Histopathologic Cancer Detection, {np.mean(patches.y):.0%} of them with "
        f"tumour, in {len(FOLDS)} folds of slides ({sizes} patches). Every fold was "
        "predicted by a classifier that was trained on the others: so all scores are "
        "of slides that it has not seen. But the recipes were chosen on these folds "
        "too, so that their scores flatter a little. Fits that are not there yet are "
        f"shown as such; the others were made by {', '.join(commits) or 'none'}."
    )
    sections = [
        _recipes(records, patches),
        _learning_curves(records, patches),
        _decisions(records, patches),
    ]
    parts = [f"# Accuracy\n\n{intro}\n\n{describe_machine()}"]
    return "\n\n".join([*parts, *(section.markdown() for section in sections)]) + "\n"


def _recipes(records: Records, patches: Patches) -> Section:
    columns = [
        "recipe",
        "seeds",
        "AUC",
        *(f"fold {fold}" for fold in FOLDS),
        "accuracy at 0.5",
        "at a tuned threshold",
        "log loss",
        "calibration error",
        "minutes a fold",
    ]
    table = Table(columns)
    for name, way, n_seeds in _rows(records):
        label = name if way == "plain" else f"{name}, {way}"
        outer = [_outer(records, name, way, seed) for seed in range(n_seeds)]
        found = [predictions for predictions in outer if predictions is not None]
        if not found:
            table.fail(label, "not fitted yet")
            continue
        minutes = _minutes(records, name)
        table.add(label, str(len(found)), *_mean_scores(found, patches), minutes)
        if len(found) > 1:
            mean = {fold: np.mean([p[fold] for p in found], axis=0) for fold in FOLDS}
            scores = _mean_scores([mean], patches)
            table.add(
                f"{label}, mean of {len(found)} networks",
                "-",
                *scores,
                minutes * len(found),
            )
    intro = f"{_RECIPES_INTRO} {_spread(records, patches)}".rstrip()
    return Section("Recipes, step by step", intro, [table])


_RECIPES_INTRO = (
    "AUC is the mean over the folds, and over seeds where there are several; then it "
    "stands for each fold. Accuracy and log loss are means over folds too. The tuned "
    "threshold of a fold is the one of the highest accuracy on the predictions of the "
    "other folds, by networks that had seen this fold. The calibration error is the "
    "expected one in 15 bins, over all patches. Minutes are for training on three "
    "folds, by one process with one of two cores, of several seeds the shortest; some "
    "ran beside other work, so that they are no more than a bound. `tta` averages the "
    "eight views of the square. The recipes are those of "
    "`benchmarks/accuracy/recipes.py`."
)


def _spread(records: Records, patches: Patches) -> str:
    """Tell how much the seed matters, to judge differences between recipes by."""
    seeds = range(RECIPES[RECOMMENDED].n_seeds)
    runs = [_outer(records, RECOMMENDED, "tta", seed) for seed in seeds]
    aucs = [f"{_scores(run, patches)[0]:.3f}" for run in runs if run is not None]
    if len(aucs) < 2:
        return ""
    return (
        "With one seed or another the recommended recipe with tta has an AUC of "
        f"{', '.join(aucs)}: differences of that size may be chance."
    )


def _rows(records: Records) -> Iterable[tuple[str, str, int]]:
    averaged = {fit.recipe for fit, record in records.items() if "tta" in record.proba}
    for name, recipe in RECIPES.items():
        yield name, "plain", recipe.n_seeds
        if name in averaged:
            yield name, "tta", recipe.n_seeds


def _outer(records: Records, name: str, way: str, seed: int) -> Predictions | None:
    """Return the predictions of all folds, None unless all are there."""
    found = {fold: records.get(Fit(name, seed, (fold,))) for fold in FOLDS}
    if None in found.values():
        return None
    return {fold: np.array(record.proba[way]) for fold, record in found.items()}


def _minutes(records: Records, name: str) -> float:
    """Return the time of a fold, of several seeds the shortest: others had company."""
    minutes = [
        min(
            record.minutes
            for fit, record in records.items()
            if (fit.recipe, fit.held_out, fit.n_train) == (name, (fold,), None)
        )
        for fold in FOLDS
    ]
    return float(np.mean(minutes))


def _mean_scores(runs: list[Predictions], patches: Patches) -> list[float]:
    rows = np.array([_scores(run, patches) for run in runs])
    return rows.mean(axis=0).tolist()


def _scores(predictions: Predictions, patches: Patches) -> list[float]:
    target = {fold: patches.y[patches.fold == fold] for fold in FOLDS}
    by_fold = [fold_scores(target[fold], predictions[fold]) for fold in FOLDS]
    aucs = [scores["AUC"] for scores in by_fold]
    tuned = []
    for fold in FOLDS:
        others = [other for other in FOLDS if other != fold]
        threshold = best_threshold(_join(target, others), _join(predictions, others))
        tuned.append(np.mean((predictions[fold] >= threshold) == target[fold]))
    return [
        np.mean(aucs),
        *aucs,
        np.mean([scores["accuracy"] for scores in by_fold]),
        np.mean(tuned),
        np.mean([scores["log loss"] for scores in by_fold]),
        calibration_error(_join(target, FOLDS), _join(predictions, FOLDS)),
    ]


def _join(by_fold: Mapping[int, np.ndarray], folds: Iterable[int]) -> np.ndarray:
    return np.concatenate([by_fold[fold] for fold in folds])


def _learning_curves(records: Records, patches: Patches) -> Section:
    table = Table(["recipe", *(f"{size:,} patches" for size in SIZES), "all patches"])
    for name in LEARNING_CURVE:
        way = "tta" if name == RECOMMENDED else "plain"
        aucs = [_mean_auc(records, patches, name, way, size) for size in (*SIZES, None)]
        table.add(name if way == "plain" else f"{name}, {way}", *aucs)
    intro = (
        "AUC, the mean over the folds, after training on so many patches drawn from "
        "the other folds (seed 0). Where those have fewer, all of them are taken: the "
        "smallest training set has "
        f"{len(patches.y) - np.bincount(patches.fold).max():,}. All networks were "
        "trained for the same number of epochs."
    )
    return Section("Learning curves", intro, [table])


def _mean_auc(
    records: Records, patches: Patches, name: str, way: str, size: int | None
) -> float:
    found = [records.get(Fit(name, 0, (fold,), size)) for fold in FOLDS]
    if None in found:
        return np.nan
    return np.mean(
        [
            roc_auc_score(patches.y[patches.fold == fold], record.proba[way])
            for fold, record in zip(FOLDS, found, strict=True)
        ]
    )


def _decisions(records: Records, patches: Patches) -> Section:
    intro = (
        f"The recipe '{RECOMMENDED}' with tta, seed 0. For each fold, the other three "
        "were predicted in a cross-validation of their own, fold by fold, and from "
        "these predictions, taken together, came the threshold, and the two numbers "
        "that calibrate the logits. The scores are of the fold that took no part in "
        "it, means over the four."
    )
    table = Table(["decision", "accuracy", "sensitivity", "specificity", "log loss"])
    rows = [_decide(records, patches, fold) for fold in FOLDS]
    if None in rows:
        table.fail(RECOMMENDED, "not fitted yet")
    else:
        for name in rows[0]:
            scores = np.mean([row[name] for row in rows], axis=0)
            table.add(name, *scores.tolist())
    return Section("Thresholds and calibration", intro, [table])


def _decide(
    records: Records, patches: Patches, fold: int
) -> dict[str, list[float]] | None:
    """Score decisions on a fold that were made from predictions of the others."""
    outer = records.get(Fit(RECOMMENDED, 0, (fold,)))
    inner = [_inner(records, patches, fold, other) for other in FOLDS if other != fold]
    if outer is None or any(part is None for part in inner):
        return None
    target = np.concatenate([part[0] for part in inner])
    proba = np.concatenate([part[1] for part in inner])
    new_target = patches.y[patches.fold == fold]
    new_proba = np.array(outer.proba["tta"])
    calibrator = LogisticRegression(C=np.inf).fit(_logits(proba), target)
    calibrated = calibrator.predict_proba(_logits(new_proba))[:, 1]
    tuned = best_threshold(target, proba)
    return {
        "at 0.5": _decision_scores(new_target, new_proba, 0.5),
        "threshold for accuracy": _decision_scores(new_target, new_proba, tuned),
        "threshold for a sensitivity of 0.95": _decision_scores(
            new_target, new_proba, _sensitive_threshold(target, proba)
        ),
        "calibrated, at 0.5": _decision_scores(new_target, calibrated, 0.5),
    }


def _inner(
    records: Records, patches: Patches, fold: int, other: int
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return target and predictions of a fold by a network that saw neither."""
    pair = (min(fold, other), max(fold, other))
    record = records.get(Fit(RECOMMENDED, 0, pair))
    if record is None:
        return None
    of_pair = np.isin(patches.fold, pair)
    is_other = patches.fold[of_pair] == other
    return patches.y[patches.fold == other], np.array(record.proba["tta"])[is_other]


def _logits(proba: np.ndarray) -> np.ndarray:
    """Return logits as a column; those of 0 and 1 in float32 are finite."""
    margin = np.finfo(np.float32).eps
    return logit(np.clip(proba, margin, 1 - margin))[:, None]


def _sensitive_threshold(target: np.ndarray, proba: np.ndarray) -> float:
    _, sensitivity, thresholds = roc_curve(target, proba, drop_intermediate=False)
    return thresholds[np.argmax(sensitivity >= 0.95)]


def _decision_scores(
    target: np.ndarray, proba: np.ndarray, threshold: float
) -> list[float]:
    predicted = proba >= threshold
    return [
        np.mean(predicted == target),
        recall_score(target, predicted),
        recall_score(target, predicted, pos_label=0),
        log_loss(target, proba),
    ]
