"""
======================
Augmentation and views
======================

Tissue has no right way up, and no two laboratories stain alike. Augmentation tells the
network so: it changes training patches at random, anew in every epoch, in ways that
leave their labels true. That matters most where patches are few. Here networks learn
from about a hundred patches of a few slides, with and without augmentation, and predict
all other slides.

On real patches: ``python examples/plot_augmentation.py --data DIR``. The folder needs
``slide_folds.csv``, since scores are of other slides.
"""

# %%
import argparse
import os
from pathlib import Path

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

parser = argparse.ArgumentParser(description="Compare kinds of augmentation.")
real = os.environ.get("SKHISTO_DATA")
parser.add_argument("--data", type=Path, default=real and Path(real, "pcam"))
args, _ = parser.parse_known_args()  # notebooks have arguments of their own

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(400, size=48, random_state=0, return_groups=True)

# %%
# One patch, many faces
# ---------------------
# Besides what comes with skhisto, any function of a batch and of a generator of random
# numbers will do. This one makes the light uneven, from left to right.


def uneven_light(patches, rng):
    """Make patches brighter on one side, and darker on the other."""
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
    display_labels=["as it is", *changes],
)
display.plot(n_columns=6, center=None)
display.ax_.set_title("The same patch, changed at random")

# %%
# Few patches of few slides
# -------------------------
# A part of the slides is learnt from alone, and all others are predicted: the reverse
# of a cross-validation. It is done twice, with different slides. The default,
# ``augment="auto"``, is ``["d4", "stain"]`` for patches like these.
#
# Views can be averaged in prediction too. ``tta="d4"`` needs no other training, and may
# be set after ``fit``.

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
# Networks that saw patches from one side only do worst. The default does much better on
# both sets of slides, and averaging eight views helps most where training had none of
# them. Uneven light adds little: no slide here is lit unevenly. So add what your slides
# have, and nothing that could change a label. A patch whose label hangs on its brown
# stain should not get `StainJitter`.
#
# Synthetic slides differ in stain alone, and two sets of slides are few. What
# augmentation gains on real patches, and on all of them, the accuracy page tells.

figure, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
colours = ["#0072B2", "#D55E00"] * 2
for (column, aucs), marker, colour in zip(scores.items(), "ooDD", colours, strict=True):
    ax.plot(aucs, scores.index, marker, color=colour, label=column)
ax.set_title("Trained on few patches, scored on other slides")
ax.set_xlabel("AUC")
ax.set_ylabel("augmentation")
ax.invert_yaxis()
ax.legend(loc="lower left")
ax.spines[["top", "right"]].set_visible(False)

plt.show()
