"""
======================
Augmentation and views
======================

Tissue has no natural orientation, and laboratories stain differently. Augmentation
teaches this to the network: in every epoch, it changes the training patches at random
in ways that do not change their labels. This helps most with few patches. In this
example, networks learn from about a hundred patches of a few slides, with and without
augmentation, and predict all other slides.
"""

# %%
import argparse

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from skhisto import (
    D4,
    BrightnessJitter,
    PatchCNNClassifier,
    PatchGridDisplay,
    StainJitter,
    center_crop,
    load_patch_folder,
    make_patches,
)

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="folder of patches, instead of synthetic ones")
args, _ = parser.parse_known_args()  # ignores the arguments of Jupyter

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(400, size=48, random_state=0, return_groups=True)

# %%
# Random changes of a patch
# -------------------------
# Augmentation can also be a function of a batch and a random generator. This function
# changes the illumination from left to right.


def uneven_light(patches, rng):
    """Make patches brighter on one side and darker on the other."""
    slope = rng.uniform(-0.25, 0.25, size=(len(patches), 1, 1, 1))
    light = 1 + slope * np.linspace(-1, 1, patches.shape[2])[:, np.newaxis]
    return np.clip(patches * light, 0, 255).astype(patches.dtype)


changes = {
    "D4": D4(),
    "StainJitter": StainJitter(),
    "BrightnessJitter": BrightnessJitter(),
    "uneven light": uneven_light,
}
patch = np.asarray(X[:1])
same = np.repeat(patch, 5, axis=0)
rows = [[patch, change(same, np.random.default_rng(0))] for change in changes.values()]
display = PatchGridDisplay(
    np.concatenate([patches for row in rows for patches in row]),
    y_true=np.ravel([[0, k, k, k, k, k] for k in (1, 2, 3, 4)]),
    display_labels=["original", *changes],
)
display.plot(n_columns=6, center=None)
display.ax_.set_title("Random changes of the same patch")

# %%
# Training with few patches
# -------------------------
# One fold of slides is used for training, and the others for the test. This is the
# reverse of a cross-validation. It is repeated with other slides. The default,
# ``augment="auto"``, is ``["d4", "stain"]`` for square RGB patches.
#
# ``tta="d4"`` averages the predictions of eight views. It does not affect training, so
# it can be set after ``fit``.

settings = {
    "none": None,
    "D4": "d4",
    "D4, stains (default)": "auto",
    "D4, stains, uneven light": ["d4", "stain", uneven_light],
}
folds = StratifiedGroupKFold(n_splits=4, shuffle=True, random_state=0)
splits = list(folds.split(X, y, slides))[:2]
X = center_crop(X, 32)

scores = pd.DataFrame(index=list(settings))
for number, (others, few) in enumerate(splits, start=1):
    few = few[:100]
    for name, augment in settings.items():
        clf = PatchCNNClassifier(
            architecture="compact",
            learning_rate=3e-3,
            learning_rate_schedule="one_cycle",
            epochs=18,
            batch_size=16,
            augment=augment,
            random_state=0,
        )
        clf.fit(X[few], y[few])
        for views, tta in {"one view": None, "eight views": "d4"}.items():
            logits = clf.set_params(tta=tta).decision_function(X[others])
            auc = roc_auc_score(y[others], logits)
            scores.loc[name, f"set {number}, {views}"] = auc
print(scores.round(3).to_string())

# %%
# Networks without augmentation have the lowest AUC. The default is much better with
# both sets of slides. Eight views help most if training had only one. Uneven light adds
# little, because the illumination of these slides is even. Use augmentation for
# differences that your slides have, and never one that could change a label. For
# example, if the label depends on a brown stain, do not use `StainJitter`.
#
# Synthetic slides differ only in stain. The page on accuracy shows the effect on real
# patches.

figure, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
colours = ["#0072B2", "#D55E00"] * 2
for (column, aucs), marker, colour in zip(scores.items(), "ooDD", colours, strict=True):
    ax.plot(aucs, scores.index, marker, color=colour, label=column)
ax.set_title("Trained on few patches, scored on other slides")
ax.set_xlabel("AUC")
ax.set_ylabel("augmentation")
ax.invert_yaxis()
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
ax.spines[["top", "right"]].set_visible(False)

plt.show()
