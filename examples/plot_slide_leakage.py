"""
==========================================
Split by slide, and what happens otherwise
==========================================

Patches of one slide share its staining, its scanner and its patient. Where a random
split puts some of them into training and others into the test, a network is rewarded
for knowing slides. Here the same network is scored by random folds and by folds of
whole slides, and slides that it has never seen tell which score was right.

On real patches: ``python examples/plot_slide_leakage.py --data DIR``. The file
``slide_folds.csv`` is needed.
"""

# %%
import argparse
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import sklearn
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_validate,
)

from skhisto import (
    ClassBalanceDisplay,
    PatchCNNClassifier,
    load_patch_folder,
    make_patches,
)

parser = argparse.ArgumentParser(description="Show what leakage does to a score.")
real = os.environ.get("SKHISTO_DATA")
parser.add_argument("--data", type=Path, default=real and Path(real, "pcam"))
args, _ = parser.parse_known_args()  # notebooks have arguments of their own

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data.center_crop(32), train.target, train.groups
else:
    X, y, slides = make_patches(900, size=32, random_state=0, return_groups=True)

# %%
# Slides differ in more than stain
# --------------------------------
# One slide is full of tumour, another one holds hardly any. `make_patches` gives each
# slide as many patches of one class as of the other. So, to make slides as uneven as
# real ones are, most patches of one class are left out: that of tumour on every other
# slide, the other one on the rest.

if not args.data:
    rng = np.random.default_rng(0)
    is_rare = y == slides % 2
    kept = np.flatnonzero(~is_rare | (rng.random(len(y)) < 0.15))
    X, y, slides = X[kept], y[kept], slides[kept]

display = ClassBalanceDisplay.from_arrays(
    y, groups=slides, display_labels=["normal", "tumour"]
)
display.figure_.suptitle("Patches of each class on each slide")

# %%
# About a third of the patches, of slides of their own, is held out: no network is
# trained on them.

thirds = StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=0)
known, new = next(thirds.split(X, y, slides))
X_known, y_known, slides_known = X[known], y[known], slides[known]

# %%
# Two ways to cross-validate
# --------------------------
# The network is the same, and so is the number of patches that it learns from. There is
# no augmentation here: jittered stains would hide a part of what gives a slide away.
# Each of the networks also predicts the slides that were held out.

clf = PatchCNNClassifier(
    filters=(8, 16),
    dense_units=32,
    epochs=10,
    learning_rate=3e-3,
    augment=None,
    random_state=0,
)
ways = {
    "random patches": StratifiedKFold(3, shuffle=True, random_state=0),
    "whole slides": StratifiedGroupKFold(3, shuffle=True, random_state=0),
}
promised, kept_promise = {}, {}
for name, folds in ways.items():
    scores = cross_validate(
        clf,
        X_known,
        y_known,
        groups=slides_known if name == "whole slides" else None,
        cv=folds,
        scoring="roc_auc",
        return_estimator=True,
    )
    promised[name] = scores["test_score"]
    kept_promise[name] = [
        roc_auc_score(y[new], fitted.decision_function(X[new]))
        for fitted in scores["estimator"]
    ]
    print(
        f"folds of {name}: AUC {np.mean(promised[name]):.3f}, "
        f"of the same networks on new slides {np.mean(kept_promise[name]):.3f}"
    )

# %%
# Each dot is a network. What cross-validation promises is worth something where it lies
# at the height of what comes true on new slides.

figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for position, name in enumerate(ways):
    for shift, aucs, colour in (
        (-0.1, promised[name], "#D55E00"),
        (0.1, kept_promise[name], "#0072B2"),
    ):
        ax.plot(np.full(3, position + shift), aucs, "o", color=colour)
        ax.plot(position + shift, np.mean(aucs), "_", color=colour, markersize=30)
ax.set(
    title="AUC of three networks, by what was split",
    ylabel="AUC",
    xlim=(-0.5, 1.5),
    xticks=range(2),
    xticklabels=[f"folds of {name}" for name in ways],
)
ax.legend(ax.lines[:3:2], ["cross-validation", "new slides"], frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# Splits inside of ``fit``
# ------------------------
# Early stopping splits too. What it sets aside are random patches, unless ``fit`` gets
# the slides as ``groups``. In a cross-validation it gets them by scikit-learn's
# metadata routing only; otherwise the splitter alone does.

clf.set_params(early_stopping=True, validation_fraction=0.2, n_iter_no_change=3)
with sklearn.config_context(enable_metadata_routing=True):
    scores = cross_validate(
        clf,
        X_known,
        y_known,
        params={"groups": slides_known},
        cv=ways["whole slides"],
        return_estimator=True,
    )
epochs = [fitted.n_iter_ for fitted in scores["estimator"]]
print(f"epochs trained, of at most {clf.epochs}: {epochs}")

# %%
# Give ``groups`` to everything that splits: cross-validation, searches, thresholds,
# calibration, and early stopping. Where several slides are of one patient, the patient
# is the group. Where slides are not known, say so beside the score: it may be too good
# by any amount.

plt.show()
