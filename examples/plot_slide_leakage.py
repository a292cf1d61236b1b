"""
===============================
Split by slide to avoid leakage
===============================

Patches of one slide share its stain, its scanner and its patient. If a random split
puts some of them into the training set and others into the test set, a network is
rewarded for recognising slides. In this example, the same network is scored on random
folds and on folds of whole slides. Slides that are in neither show which score is
correct.
"""

# %%
import argparse

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
    ReferenceCNN,
    load_patch_folder,
    make_patches,
)

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="folder of patches, instead of synthetic ones")
args, _ = parser.parse_known_args()  # ignores the arguments of Jupyter

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data.center_crop(32), train.target, train.groups
else:
    X, y, slides = make_patches(900, size=32, random_state=0, return_groups=True)

# %%
# Slides differ in more than stain
# --------------------------------
# One slide may consist mostly of tumour, while another contains hardly any.
# `make_patches` gives each slide the same number of patches of both classes. To make
# the slides as unbalanced as real ones, most patches of one class are removed from each
# slide: tumour from every other slide, and normal tissue from the others.

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
# About a third of the patches is held out. They come from slides on which no network is
# trained.

thirds = StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=0)
known, new = next(thirds.split(X, y, slides))
X_known, y_known, slides_known = X[known], y[known], slides[known]

# %%
# Two ways to cross-validate
# --------------------------
# The network and the number of training patches are the same in both cases.
# Augmentation is switched off, because stain jitter would hide a part of what
# identifies a slide. Each network also predicts the held-out slides.

clf = PatchCNNClassifier(
    architecture=ReferenceCNN(filters=(8, 16), dense_units=32),
    epochs=10,
    learning_rate=3e-3,
    augment=None,
    random_state=0,
)
ways = {
    "random patches": StratifiedKFold(3, shuffle=True, random_state=0),
    "whole slides": StratifiedGroupKFold(3, shuffle=True, random_state=0),
}
cross_validated, new_slides = {}, {}
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
    cross_validated[name] = scores["test_score"]
    new_slides[name] = [
        roc_auc_score(y[new], fitted.decision_function(X[new]))
        for fitted in scores["estimator"]
    ]
    print(
        f"folds of {name}: AUC {np.mean(cross_validated[name]):.3f}, "
        f"of the same networks on new slides {np.mean(new_slides[name]):.3f}"
    )

# %%
# Each dot is one network. The score of a cross-validation is reliable if it agrees with
# the score on new slides.

figure, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
for position, name in enumerate(ways):
    for shift, aucs, colour in (
        (-0.1, cross_validated[name], "#D55E00"),
        (0.1, new_slides[name], "#0072B2"),
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
# Splits inside ``fit``
# ---------------------
# Early stopping also splits the data. The validation patches are chosen at random
# unless ``fit`` receives the slides as ``groups``. In a cross-validation, this requires
# scikit-learn's metadata routing. Otherwise only the splitter receives the groups.

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
# Pass ``groups`` to everything that splits: cross-validation, searches, threshold
# tuning, calibration and early stopping. If several slides come from one patient, use
# the patients as groups. If the slides are not known, report this with the score, which
# may be too high by an unknown amount.

plt.show()
