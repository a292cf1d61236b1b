"""
=========================
What the network looks at
=========================

A network that finds tumour on new slides may still look at something else than tumour.
Maps of evidence show which places of a patch its answer rests on. Here we know where
that should be, because the label is about the centre of each patch only. So we can
measure whether maps point there, and whether they depend on what was learnt at all.

On real patches: ``python examples/plot_explanations.py --data DIR``. The file
``slide_folds.csv`` is needed.
"""

# %%
import argparse
import os
from copy import copy
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skhisto import (
    CAMDisplay,
    CenterCrop,
    PatchCNNClassifier,
    class_activation_map,
    load_patch_folder,
    make_patches,
    occlusion_map,
)

parser = argparse.ArgumentParser(description="Show what a network looks at.")
real = os.environ.get("SKHISTO_DATA")
parser.add_argument("--data", type=Path, default=real and Path(real, "pcam"))
args, _ = parser.parse_known_args()  # notebooks have arguments of their own

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(600, size=64, random_state=0, return_groups=True)

# %%
# A network to look at
# --------------------
# Maps are worth looking at where the network is right, so it is tested on other slides
# first. The strong weight decay is for the maps: the dense layer has a weight for each
# place, and those that nothing in the patches needs keep their random initial values
# otherwise. They do little harm to the score, but scatter over the maps as noise.

folds = StratifiedGroupKFold(n_splits=4, shuffle=True, random_state=0)
known, new = next(folds.split(X, y, slides))
clf = PatchCNNClassifier(
    filters=(8, 16),
    dense_units=32,
    conv_dropout=0.0,
    epochs=15,
    batch_size=16,
    optimizer="adamw",
    optimizer_params={"weight_decay": 4.0},
    learning_rate=3e-3,
    learning_rate_schedule="one_cycle",
    random_state=0,
)
clf.fit(X[known], y[known])
proba = clf.predict_proba(X[new])[:, 1]
found = new[(y[new] == 1) & (proba > 0.5)]
print(f"AUC on other slides: {roc_auc_score(y[new], proba):.3f}")
print(f"tumour found: {len(found)} of {y[new].sum()} patches")

# %%
# Class activation maps
# ---------------------
# The upper row has tumour patches of other slides, the lower row what speaks for tumour
# in each of them. The square is the central third, which the label is about.

size = X.shape[1]
shown = found[:6]


def finish(display, title):
    """Mark the central third, and give the figure a title."""
    for image in display.images_ + display.maps_:
        left, _, _, top = image.get_extent()
        corner = left + size / 3, top + size / 3
        square = plt.Rectangle(corner, size / 3, size / 3, fill=False)
        display.ax_.add_patch(square)
    display.figure_.suptitle(title)


display = CAMDisplay.from_estimator(clf, X[shown])
finish(display, "Evidence for tumour by HiRes-CAM, in patches of other slides")

# %%
# The same for all patches that were found: in how many of them does more than half of
# the evidence lie in the central half of height and width? That is a quarter of the
# area, so that a map without any preference would hold a quarter of its evidence there.
#
# Grad-CAM takes the mean of the gradients over all places. In a network whose dense
# layer treats each place in its own way, this mixes up what speaks for tumour here and
# against it there. HiRes-CAM, the default, keeps places apart.

half = slice(size // 4, size - size // 4)
for method in ["hires_cam", "grad_cam"]:
    maps = class_activation_map(clf, X[found], method=method)
    inside = maps[:, half, half].sum(axis=(1, 2)) / maps.sum(axis=(1, 2))
    print(
        f"{method:9}  evidence in the central half: {np.median(inside):.0%} (median), "
        f"more than half of it in {np.mean(inside > 0.5):.0%} of the patches"
    )

# %%
# Random weights
# --------------
# Maps may look convincing because they follow the outlines of the patch, whatever the
# network has learnt. So they have to pass a test [1]_: with its weights shuffled, the
# network knows nothing, and the maps have to change. A rank correlation near 1 between
# the maps of both networks would mean that they show the patch and not the network.

rng = np.random.default_rng(0)
shuffled = copy(clf)
shuffled.weights_ = {
    name: rng.permutation(weight.ravel()).reshape(weight.shape)
    for name, weight in clf.weights_.items()
}
display = CAMDisplay.from_estimator(shuffled, X[shown])
finish(display, "The same patches, in a network with shuffled weights")

before, after = (class_activation_map(c, X[found]) for c in (clf, shuffled))
ranks = [spearmanr(*pair, axis=None).statistic for pair in zip(before, after)]
print(f"rank correlation with shuffled weights: {np.mean(ranks):.2f}")

# %%
# Covering parts of the patch
# ---------------------------
# `occlusion_map` asks in another way: how much does the probability fall when a square
# of the mean colour covers a place?

maps = occlusion_map(clf, X[shown], window=size // 4, stride=size // 8)
display = CAMDisplay(X[shown], maps, label="fall of the probability").plot()
finish(display, "Fall of the probability of tumour where a square covers the patch")

third = slice(size // 3, size - size // 3)
maps = occlusion_map(clf, X[found], window=size // 4, stride=size // 8)
print(f"fall where the centre is covered: {maps[:, third, third].mean():.3f}")

# %%
# TEXT

# %%
# Maps behind a crop
# ------------------
# In a Pipeline, maps are of the patches that reach the classifier: behind a
# `CenterCrop` they have the size of the crop.

cropped = make_pipeline(CenterCrop(size // 2), clf.__sklearn_clone__())
cropped.fit(X[known], y[known])
maps = class_activation_map(cropped, X[shown])
print(f"patches of {X.shape[1:3]} pixels, maps of {maps.shape[1:]} pixels")

plt.show()
