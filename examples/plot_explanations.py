"""
=========================
What the network looks at
=========================

A network that detects tumour on new slides may rely on something other than tumour.
Maps of evidence show which parts of a patch contribute to the prediction. In this data
the relevant part is known, because the label describes only the centre of each patch.
This example measures whether the maps point to the centre and whether they depend on
what the network has learned.
"""

# %%
import argparse
from copy import copy

import matplotlib.pyplot as plt
import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from skhisto import (
    CAMDisplay,
    PatchCNNClassifier,
    ReferenceCNN,
    class_activation_map,
    load_patch_folder,
    make_patches,
    occlusion_map,
)

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="folder of patches, instead of synthetic ones")
args, _ = parser.parse_known_args()  # ignores the arguments of Jupyter

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(600, size=64, random_state=0, return_groups=True)

# %%
# A network to explain
# --------------------
# Explanations are useful only if the network is accurate, so it is first tested on
# other slides. The strong weight decay improves the maps. The dense layer has one
# weight for each location. Without decay, many weights keep their random initial
# values, which appear in the maps as noise.

folds = StratifiedGroupKFold(n_splits=4, shuffle=True, random_state=0)
known, new = next(folds.split(X, y, slides))
clf = PatchCNNClassifier(
    architecture=ReferenceCNN(filters=(8, 16), dense_units=32, conv_dropout=0.0),
    epochs=15,
    batch_size=len(known) // 28,  # the same number of decay steps for any data set
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
# The lower row shows the evidence for tumour in the patches of the upper row. The
# square is the central third, which the label describes.

size = X.shape[1]
shown = found[:6]


def finish(display, title):
    """Mark the central third and set the title of the figure."""
    for image in display.images_ + display.maps_:
        left, _, _, top = image.get_extent()
        corner = left + size / 3, top + size / 3
        square = plt.Rectangle(corner, size / 3, size / 3, fill=False)
        display.ax_.add_patch(square)
    display.figure_.suptitle(title)


display = CAMDisplay.from_estimator(clf, X[shown])
finish(display, "Evidence for tumour by HiRes-CAM, in patches of other slides")

# %%
# In how many of the detected patches is more than half of the evidence in the central
# half of the height and width? This area is a quarter of the patch. A uniform map would
# have a quarter of its evidence there. Grad-CAM averages the gradients over all
# locations, although the dense layer has separate weights for each location. HiRes-CAM,
# the default, does not average.

half = slice(size // 4, size - size // 4)
for method in ["hires_cam", "grad_cam"]:
    maps = class_activation_map(clf, X[found], method=method)
    maps = maps[maps.any(axis=(1, 2))]  # others contain no evidence for tumour
    inside = maps[:, half, half].sum(axis=(1, 2)) / maps.sum(axis=(1, 2))
    print(
        f"{method:9}  evidence in the central half: {np.median(inside):.0%} (median), "
        f"more than half of it in {np.mean(inside > 0.5):.0%} of the patches"
    )

# %%
# Shuffled weights
# ----------------
# A map can look convincing because it follows the outlines in a patch, even if the
# network has learned nothing. A sanity check [1]_ compares the maps with those of a
# network whose weights are shuffled. The maps must differ. A rank correlation near 1
# would mean that the maps depend on the patch and not on the network.

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
# `occlusion_map` measures how much the probability decreases when a square of the mean
# colour covers a part of the patch.

third = slice(size // 3, size - size // 3)
normal = new[(y[new] == 0) & (proba < 0.5)]
for name, rows in {"tumour": found[:30], "normal": normal[:30]}.items():
    maps = occlusion_map(clf, X[rows], window=size // 4, stride=size // 8)
    decrease = maps[:, third, third].mean()
    print(f"centre of {name} patches covered: probability {-decrease:+.3f}")
    if name == "tumour":
        label = "decrease of the probability"
        display = CAMDisplay(X[shown], maps[:6], label=label).plot()
        finish(display, "Decrease of the probability of tumour by the covered area")

# %%
# Covering the centre increases the probability (purple), exactly where the maps above
# show evidence. It also increases in normal patches: for this network, a uniform square
# in the centre looks like tumour. The network was not trained on such squares, so its
# prediction says more about the squares than about the tissue that they cover.

# %%
# Limits of maps
# --------------
# These maps point to the area that the label describes, and they depend on the weights.
# However, they show where the evidence is, not what it consists of: large nuclei, pale
# nuclei, or the absence of small ones. They also do not apply to other networks. A
# network with another ``random_state`` may rank patches almost as well while its maps
# point elsewhere, even to the surroundings of the centre. Inspect maps of many patches
# and several seeds, and use them to find errors. Only labels on new slides show whether
# a network is accurate.
#
# .. [1] J. Adebayo et al. "Sanity Checks for Saliency Maps". NeurIPS 2018.

plt.show()
