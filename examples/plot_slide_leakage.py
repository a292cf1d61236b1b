"""
===========================================
Split by slide, and what happens otherwise
===========================================

Patches of one slide share its stain, its scanner and often its diagnosis. If some of
them are trained on and others tested on, a network can recognise the slide and recall
its diagnosis. The score is then too good, and nothing warns about it. Here the same
classifier is scored with patches split at random and with whole slides held out, and
new slides tell which score to believe.

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
    GroupShuffleSplit,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_validate,
)

from skhisto import (
    PatchCNNClassifier,
    PatchGridDisplay,
    load_patch_folder,
    make_patches,
)

# TensorFlow is imported when the first network is trained; no remarks on missing GPUs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

parser = argparse.ArgumentParser(description="Compare splits of patches and of slides.")
real = os.environ.get("SKHISTO_DATA")
parser.add_argument("--data", type=Path, default=real and Path(real, "pcam"))
args, _ = parser.parse_known_args()  # notebooks have arguments of their own

# %%
# Slides that differ
# ------------------
# `make_patches` gives each slide a stain of its own, but as many patches with tumour as
# without. Real slides differ more. So each slide gets a tint, as from another scanner,
# and only a tenth of the patches of its rarer class is kept. Colour then tells the
# slide, and the slide tells the label. This is stronger than usual, in order to show in
# a few hundred patches what otherwise takes thousands.

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(960, size=24, random_state=0, return_groups=True)
    rng = np.random.default_rng(0)
    tints = rng.uniform(0.5, 1, size=(slides.max() + 1, 3))
    X = (X * tints[slides, None, None]).astype(np.uint8)
    kept = (y == slides % 2) | (rng.random(len(y)) < 0.1)
    X, y, slides = X[kept], y[kept], slides[kept]

shown = np.isin(slides, np.unique(slides)[:4])
display = PatchGridDisplay.from_arrays(
    X[shown],
    slides[shown],
    display_labels=[f"{y[slides == slide].mean():.0%} tumour" for slide in range(4)],
    random_state=0,
)
display.figure_.suptitle("Patches of four slides, and the share of tumour on each")

# %%
# A quarter of the slides is new: no cross-validation gets to see them.

splitter = GroupShuffleSplit(n_splits=1, test_size=0.25, random_state=0)
known, new = next(splitter.split(X, y, slides))

# %%
# Two ways to split
# -----------------

clf = PatchCNNClassifier(filters=(8, 16), dense_units=32, batch_size=8, epochs=10, learning_rate=3e-3, random_state=0)
ways = {
    "patches at random": (StratifiedKFold, None),
    "by slide": (StratifiedGroupKFold, slides[known]),
}
scores = {}
for name, (KFold, groups) in ways.items():
    results = cross_validate(
        clf,
        X[known],
        y[known],
        groups=groups,
        cv=KFold(n_splits=3, shuffle=True, random_state=0),
        scoring="roc_auc",
        return_estimator=True,
    )
    networks = results["estimator"]
    scores[name] = {
        "cross-validation": results["test_score"],
        "new slides": [
            roc_auc_score(y[new], network.decision_function(X[new]))
            for network in networks
        ],
    }
    for where, values in scores[name].items():
        print(f"{name}, {where}: {np.mean(values):.3f}", values)
import time; print(time.process_time())
clf.set_params(early_stopping=True, validation_fraction=0.2, n_iter_no_change=3, epochs=20)
with sklearn.config_context(enable_metadata_routing=True):
    results = cross_validate(
        clf,
        X[known],
        y[known],
        params={"groups": slides[known]},
        cv=StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=0),
        scoring="roc_auc", return_estimator=True
    )
print(results["test_score"], [(e.n_iter_, np.argmin(e.history_["val_loss"])) for e in results["estimator"]])
print(time.process_time())
