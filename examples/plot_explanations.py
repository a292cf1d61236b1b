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
from sklearn.base import clone
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
# first. The strong weight decay is for the maps: the dense layer has weights for each
# place, and without decay many keep their random initial values and scatter over the
# maps as noise.

folds = StratifiedGroupKFold(n_splits=4, shuffle=True, random_state=0)
known, new = next(folds.split(X, y, slides))
clf = PatchCNNClassifier(
    filters=(8, 16),
    dense_units=32,
    conv_dropout=0.0,
    epochs=15,
    batch_size=len(known) // 28,  # weights decay in each step: always as many steps
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
# The lower row shows what speaks for tumour in the patches above. The square is the
# central third, which the label is about.

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
# Of all patches that were found: in how many does more than half of the evidence lie in
# the central half of height and width? That is a quarter of the area, which would hold
# a quarter of the evidence of a flat map. Grad-CAM takes the mean of the gradients over
# all places, and mixes up what dense weights keep apart. HiRes-CAM, the default, does
# not.

half = slice(size // 4, size - size // 4)
for method in ["hires_cam", "grad_cam"]:
    maps = class_activation_map(clf, X[found], method=method)
    inside = maps[:, half, half].sum(axis=(1, 2)) / maps.sum(axis=(1, 2))
    print(
        f"{method:9}  evidence in the central half: {np.median(inside):.0%} (median), "
        f"more than half of it in {np.mean(inside > 0.5):.0%} of the patches"
    )

# %%
# Shuffled weights
# ----------------
# Maps may convince because they follow the outlines in a patch, whatever was learnt. So
# there is a test that they have to pass [1]_: in a network that knows nothing, they
# must look different. A rank correlation near 1 would mean that they show the patch and
# not the network.

rng = np.random.default_rng(0)
shuffled = copy(clf)
shuffled.weights_ = {
    name: rng.permutation(weight.ravel()).reshape(weight.shape)
    for name, weight in clf.weights_.items()
}
display = CAMDisplay.from_estimator(shuffled, X[shown])
finish(display, "The same patches, in a network with shuffled weights")

before, after = (class_activation_map(c, X[found]) for c in (clf, shuffled))
correlation = spearmanr(before, after, axis=None).statistic
print(f"rank correlation with shuffled weights: {correlation:.2f}")

# %%
# Covering parts of the patch
# ---------------------------
# `occlusion_map` asks in another way: how much does the probability fall where a square
# of the mean colour covers the patch?

third = slice(size // 3, size - size // 3)
normal = new[(y[new] == 0) & (proba < 0.5)]
for name, rows in {"tumour": found[:30], "normal": normal[:30]}.items():
    maps = occlusion_map(clf, X[rows], window=size // 4, stride=size // 8)
    fall = maps[:, third, third].mean()
    print(f"centre of {name} patches covered: probability {-fall:+.3f}")
    if name == "tumour":
        display = CAMDisplay(X[shown], maps[:6], label="fall of the probability").plot()
        finish(display, "Fall of the probability of tumour where a patch is covered")

# %%
# In the centre it does not fall but rises (purple), just where the maps above found
# evidence. It rises in normal patches too: to this network a plain square in the centre
# looks like tumour. It has never seen such squares, and its answer says more about them
# than about the tissue that they cover.

# %%
# Maps behind a crop
# ------------------
# In a Pipeline, maps are of the patches that reach the classifier: behind a
# `CenterCrop` they have the size of the crop.

cropped = make_pipeline(CenterCrop(size // 2), clone(clf).set_params(epochs=5))
cropped.fit(X[known], y[known])
maps = class_activation_map(cropped, X[shown])
print(f"patches of {X.shape[1:3]} pixels, maps of {maps.shape[1:]} pixels")

# %%
# What a map does not prove
# -------------------------
# These maps lie where the label is made, and depend on the weights. But they tell where
# the evidence is, and not what: large nuclei, pale ones, or no small ones. Nor do they
# speak for the next network. Train this one with another ``random_state``, and it may
# rank patches almost as well while its maps point elsewhere, even around the centre.
# So look at maps of many patches and several seeds, and use them to find faults.
# Whether a network is right, only labels on new slides can tell.
#
# .. [1] J. Adebayo et al. "Sanity Checks for Saliency Maps". NeurIPS 2018.

plt.show()
