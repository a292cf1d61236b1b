"""Renders the results as a page of tables."""

from collections.abc import Mapping

import numpy as np

from benchmarks.accuracy.decisions import CALIBRATED, PLAIN, SENSITIVE, TUNED
from benchmarks.accuracy.fits import FOLDS, SIZES
from benchmarks.accuracy.recipes import FINE_TUNED, FROZEN, RECOMMENDED
from benchmarks.accuracy.results import DECISIONS, Entry, Results
from benchmarks.accuracy.rows import Row, curve_rows, pretrained_rows, step_rows
from benchmarks.table import Section, Table, spread

AUCS = ["AUC", *(f"fold {fold}" for fold in FOLDS)]
SCORES = [
    *AUCS,
    "accuracy at 0.5",
    "at a tuned threshold",
    "log loss",
    "calibration error",
]
ABSENT = "not fitted yet"

Entries = Mapping[str, Entry]


def render(results: Results) -> str:
    """Return the page as Markdown."""
    entries = results.entries
    sections = [
        _recipes("Recipes, step by step", _STEPS, step_rows(), entries),
        _recipes("Pretrained networks", _PRETRAINED, pretrained_rows(), entries),
        _learning_curves(results),
        _decisions(entries.get(DECISIONS)),
    ]
    parts = [f"# Accuracy\n\n{_intro(results)}"]
    return "\n\n".join([*parts, *(section.markdown() for section in sections)]) + "\n"


def _intro(results: Results) -> str:
    n, n_tumour = sum(results.n_patches), sum(results.n_tumour)
    least = int(np.argmin(results.n_tumour))
    return _INTRO.format(
        n=n,
        share=n_tumour / n,
        n_folds=len(FOLDS),
        sizes=" / ".join(f"{size:,}" for size in results.n_patches),
        least=least,
        n_least=results.n_tumour[least],
        absent=ABSENT,
        origins=_origins(results.entries),
    )


_INTRO = """\
`python -m benchmarks.accuracy --write` makes this page from {n:,} real patches of 96x96
pixels of the Kaggle competition Histopathologic Cancer Detection. {share:.0%} of them
contain tumour. They are in {n_folds} folds of slides ({sizes} patches). Each fold was
predicted by a classifier that was trained on the other folds. All scores are therefore
for slides that the classifier has not seen. The recipes were chosen on the same folds,
so the scores are slightly optimistic.

How to read the tables:

- **AUC, accuracy and log loss** are means over the folds, and over seeds if there are
  several. The AUC of each fold follows the mean. Fold {least} contains only {n_least}
  patches with tumour, so its AUC is the least certain.
- **The tuned threshold** of a fold is the one with the highest accuracy on the
  predictions of the other folds. The networks that made these predictions had seen the
  fold.
- **The calibration error** is the expected calibration error in 15 bins, over all
  patches.
- **Minutes** are the time to train on three folds: the shortest and the longest over
  the held-out folds. If there are several seeds, the fastest one counts. Some fits
  shared the machine with other work, so all minutes are upper bounds.
- **Fits at a time** is the number of fits that shared the cores of the machine. With 1,
  each fit used all cores.
- **tta** averages the eight views of the square at prediction.
- **A mean** of networks or recipes is the mean of their logits. Its minutes are a sum.
- **"{absent}"** marks recipes for which fits are missing.

`benchmarks/accuracy/recipes.py` defines the recipes. The fits come from:

{origins}"""

_STEPS = (
    "The table goes from colours and a typical notebook to the recipe that is "
    "recommended for training from random weights."
)
_PRETRAINED = (
    "The networks are EfficientNet-Lite with weights from ImageNet. A frozen network "
    "computes features, on which a classifier of scikit-learn is trained. A fine-tuned "
    "network is trained further on the patches, with AdamW and a one-cycle schedule. "
    "The variant is 0, and the augmentation is D4 and stain jitter, unless the name "
    "says otherwise. Patches are enlarged to the number of pixels in the name. The "
    "first row is for comparison. The last two rows are means with the same recipe: of "
    f"'{FROZEN}', and of '{FINE_TUNED}'."
)
_CURVES = (
    "The table shows the AUC, the mean over the folds with seed 0, after training on a "
    "number of patches drawn from the other folds. If these contain fewer patches, all "
    "are used: the smallest training set has {smallest:,}. The number of epochs is the "
    "same for all sizes."
)
_DECISIONS = (
    "The recipe is '{recipe}' with tta, seed 0. For each fold, the other three were "
    "predicted in a separate cross-validation by fold. These predictions determine the "
    "thresholds and the two numbers that calibrate the logits. The threshold for a "
    "sensitivity is the highest one that reaches it in each of the three folds, as in "
    "`skhisto.metrics.specificity_at_sensitivity`. The scores are means over the four "
    "folds, each of which took no part in its own decisions."
)


def _origins(entries: Entries) -> str:
    machines, dates, commits = (
        sorted({value for entry in entries.values() for value in entry[name]})
        for name in ("machine", "date", "commit")
    )
    lines = [
        *(f"Machine: {machine}" for machine in machines),
        f"Date: {' to '.join(dict.fromkeys([*dates[:1], *dates[-1:]]))}",
        f"Code: {', '.join(commits)}",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _recipes(title: str, intro: str, rows: list[Row], entries: Entries) -> Section:
    table = Table(["recipe", "seeds", *SCORES, "minutes a fold", "fits at a time"])
    widths = []
    for label, predictions in rows:
        found = [entries[key] for key in map(str, predictions) if key in entries]
        if not found:
            table.fail(label, ABSENT)
            continue
        scores = [[entry["scores"][name] for name in SCORES] for entry in found]
        minutes = np.min([entry["minutes"] for entry in found], axis=0).tolist()
        n_fits = sorted({n for entry in found for n in entry["n_processes"]})
        table.add(
            label,
            str(len(found)),
            *np.mean(scores, axis=0).tolist(),
            spread(minutes),
            ", ".join(map(str, n_fits)),
        )
        if len(found) > 1:
            auc, *folds = np.ptp(scores, axis=0)[: len(AUCS)]
            widths.append((auc, max(folds)))
    if widths:
        auc, fold = np.max(widths, axis=0)
        intro += (
            f" The seeds of a recipe differ by up to {auc:.3f} in AUC, and by up to "
            f"{fold:.3f} on a single fold. Smaller differences between recipes may be "
            "chance."
        )
    return Section(title, intro, [table])


def _learning_curves(results: Results) -> Section:
    table = Table(["recipe", *(f"{size:,} patches" for size in SIZES), "all patches"])
    for label, predictions in curve_rows():
        found = [results.entries.get(str(prediction)) for prediction in predictions]
        table.add(
            label, *(entry["scores"]["AUC"] if entry else ABSENT for entry in found)
        )
    smallest = sum(results.n_patches) - max(results.n_patches)
    return Section("Learning curves", _CURVES.format(smallest=smallest), [table])


def _decisions(entry: Entry | None) -> Section:
    intro = _DECISIONS.format(recipe=RECOMMENDED)
    names = ["accuracy", "sensitivity", "specificity", "log loss"]
    table = Table(["decision", *names])
    if entry is None:
        table.fail(RECOMMENDED, ABSENT)
    else:
        scores = entry["scores"]
        for decision in [PLAIN, TUNED, SENSITIVE, CALIBRATED]:
            table.add(decision, *(scores[decision][name] for name in names))
        gain = scores[TUNED]["accuracy"] - scores[PLAIN]["accuracy"]
        change = scores[CALIBRATED]["log loss"] - scores[PLAIN]["log loss"]
        intro += (
            f" A threshold tuned for accuracy changes the accuracy by {gain:+.3f}. "
            f"Calibration changes the log loss by {change:+.3f}."
        )
    return Section("Thresholds and calibration", intro, [table])
