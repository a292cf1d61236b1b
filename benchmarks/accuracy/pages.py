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
from benchmarks.table import Section, Table, spread

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
        of_fold = _minutes(records, name, alone=False)
        # Of several seeds the shortest time: others had company.
        minutes = spread([min(times) for times in of_fold.values()])
        table.add(label, str(len(found)), *_mean_scores(found, patches), minutes)
        if len(found) > 1:
            mean = {fold: np.mean([p[fold] for p in found], axis=0) for fold in FOLDS}
            scores = _mean_scores([mean], patches)
            table.add(
                f"{label}, mean of {len(found)} networks",
                "-",
                *scores,
                f"{len(found)} times {minutes}",
            )
    remarks = (
        _whole_machine(records),
        _spread(records, patches),
        f"In fold 3 there are no more than {patches.y[patches.fold == 3].sum()} "
        "patches with tumour, so that its AUC is the least certain.",
    )
    intro = " ".join([_RECIPES_INTRO, *filter(None, remarks)])
    return Section("Recipes, step by step", intro, [table])


_RECIPES_INTRO = (
    "AUC is the mean over the folds, and over seeds where there are several; then it "
    "stands for each fold. Accuracy and log loss are means over folds too. The tuned "
    "threshold of a fold is the one of the highest accuracy on the predictions of the "
    "other folds, by networks that had seen this fold. The calibration error is the "
    "expected one in 15 bins, over all patches. Minutes are for training on three "
    "folds, from the smallest to the largest training set, with one of two cores, of "
    "several seeds the shortest; some ran beside other work, so that they are no more "
    "than a bound. `tta` averages the eight views of the square. The recipes are those "
    "of `benchmarks/accuracy/recipes.py`."
)


def _spread(records: Records, patches: Patches) -> str:
    """Tell how much the seed matters, to judge differences between recipes by."""
    widths = []
    for name, way, n_seeds in _rows(records):
        runs = [_outer(records, name, way, seed) for seed in range(n_seeds)]
        scores = [_scores(run, patches) for run in runs if run is not None]
        if len(scores) > 1:
            auc, *folds = np.ptp(scores, axis=0)[: 1 + len(FOLDS)]
            widths.append((auc, max(folds)))
    if not widths:
        return ""
    auc, fold = np.max(widths, axis=0)
    return (
        "Where a recipe has several seeds, they differ by up to "
        f"{auc:.3f} in AUC, and by up to {fold:.3f} on a single fold: between recipes "
        "with one seed, differences of that size may be chance."
    )


def _whole_machine(records: Records) -> str:
    """Tell how long the recommended recipe takes where it has all cores."""
    times = ", ".join(
        f"{min(minutes):.1f} minutes where fold {fold} is held out"
        for fold, minutes in _minutes(records, RECOMMENDED, alone=True).items()
    )
    if not times:
        return ""
    return f"With all cores for one fit, the recommended one took {times}."


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


def _minutes(records: Records, name: str, *, alone: bool) -> dict[int, list[float]]:
    """Return the times of each fold, of fits that had all cores or a share of them."""
    of_fold: dict[int, list[float]] = {}
    for fit, record in records.items():
        is_outer = fit.n_train is None and len(fit.held_out) == 1
        if fit.recipe == name and is_outer and (record.n_processes == 1) == alone:
            of_fold.setdefault(fit.held_out[0], []).append(record.minutes)
    return of_fold


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


_PLAIN = "at 0.5"
_TUNED = "threshold for accuracy"
_CALIBRATED = "calibrated, at 0.5"
SENSITIVITY = 0.95


def _decisions(records: Records, patches: Patches) -> Section:
    intro = (
        f"The recipe '{RECOMMENDED}' with tta, seed 0. For each fold, the other three "
        "were predicted in a cross-validation of their own, fold by fold. From these "
        "predictions came the thresholds, and the two numbers that calibrate the "
        "logits. The threshold for a sensitivity is the highest that reaches it in "
        "each of the three, as `skhisto.metrics.specificity_at_sensitivity` finds it. "
        "The scores are of the fold that took no part in it, means over the four."
    )
    table = Table(["decision", "accuracy", "sensitivity", "specificity", "log loss"])
    rows = [_decide(records, patches, fold) for fold in FOLDS]
    if None in rows:
        table.fail(RECOMMENDED, "not fitted yet")
    else:
        means = {
            name: np.mean([row[name] for row in rows], axis=0).tolist()
            for name in rows[0]
        }
        for name, scores in means.items():
            table.add(name, *scores)
        gain = means[_TUNED][0] - means[_PLAIN][0]
        change = means[_CALIBRATED][3] - means[_PLAIN][3]
        intro += (
            f" A threshold tuned for accuracy changes it by {gain:+.3f}, calibration "
            f"changes log loss by {change:+.3f}."
        )
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
    sensitive = min(_sensitive_threshold(*part) for part in inner)
    return {
        _PLAIN: _decision_scores(new_target, new_proba, 0.5),
        _TUNED: _decision_scores(new_target, new_proba, tuned),
        f"threshold for a sensitivity of {SENSITIVITY}": _decision_scores(
            new_target, new_proba, sensitive
        ),
        _CALIBRATED: _decision_scores(new_target, calibrated, 0.5),
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
    return thresholds[np.argmax(sensitivity >= SENSITIVITY)]


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
