"""
=====================
Looking at a data set
=====================

Before a network is trained, a person should look at the patches. What do the classes
look like, how many of each are there, on which slides, and is anything broken? And
what do colours alone tell? Slides are stained by different hands and read by different
scanners, so that colour says more about the slide than about the tissue.

On real patches: ``python examples/plot_data_set.py --data DIR``. The file
``slide_folds.csv`` is needed.
"""

# %%
import argparse
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhisto import (
    ClassBalanceDisplay,
    PatchGridDisplay,
    load_patch_folder,
    make_patches,
    patch_report,
)

parser = argparse.ArgumentParser(description="Look at a data set of patches.")
real = os.environ.get("SKHISTO_DATA")
parser.add_argument("--data", type=Path, default=real and Path(real, "pcam"))
args, _ = parser.parse_known_args()  # notebooks have arguments of their own

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(360, random_state=0, return_groups=True)

NAMES = ["normal", "tumour"]

# %%
# What a patch looks like
# -----------------------
# The label is about the black square in the middle: is there any tumour in it? What
# lies around the square is context only, and there may be tumour in it on a patch that
# is called normal. So compare what is within the squares. Tumour has larger nuclei of
# irregular outline, lymphocytes have small round ones.

display = PatchGridDisplay.from_arrays(
    X, y, display_labels=NAMES, center=32, random_state=0
)
display.figure_.suptitle("Patches drawn at random from both classes")

# %%
# How many there are
# ------------------
# The share of each class tells what a score has to be compared with: whoever calls all
# patches by the more frequent class has an accuracy of that share. The share should be
# known for each slide too. On the synthetic patches it is the same everywhere. Where
# it is not, a network can guess the label from the slide, without any knowledge of
# tumours.

n_slides = len(np.unique(slides))
figure, (top, bottom) = plt.subplots(
    2,
    figsize=(7, 2 + 0.32 * n_slides),
    height_ratios=[2.2, n_slides],
    layout="constrained",
)
ClassBalanceDisplay.from_arrays(y, display_labels=NAMES, ax=top)
ClassBalanceDisplay.from_arrays(y, groups=slides, display_labels=NAMES, ax=bottom)
top.set_xlabel(None)
bottom.set_ylabel("slide")
bottom.get_legend().remove()
figure.suptitle("Patches of each class, on all slides and by slide")

# %%
# What is broken
# --------------
# A copy of a patch may be in training and in the test. A patch of glass shows no
# tissue, and a blurred one no details. `patch_report` finds them.

report = patch_report(X, y, groups=slides)
print(report)

# %%
# What colours alone tell
# -----------------------
# One pass over the patches keeps the mean and the spread of each channel. A
# `PatchArray` decodes patches one by one, so that they need not fit into memory.

rows = [[*patch.mean(axis=(0, 1)), *patch.std(axis=(0, 1))] for patch in X]
channels = ["red", "green", "blue"]
colours = pd.DataFrame(rows, columns=channels + [f"{c}, spread" for c in channels])

# %%
# Each box holds the patches of one class on one slide. If their colour told the classes
# apart, blue boxes would lie on one side and orange boxes on the other. On the
# synthetic patches the two boxes of a slide lie near each other, and it is the slides
# that differ.

order = colours["blue"].groupby(slides).median().sort_values().index
figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
for label, fill in enumerate(["#0072B2", "#D55E00"]):
    ax.boxplot(
        [colours["blue"][(slides == slide) & (y == label)] for slide in order],
        positions=np.arange(n_slides) + 0.36 * label - 0.18,
        widths=0.3,
        patch_artist=True,
        manage_ticks=False,
        boxprops={"facecolor": fill},
        medianprops={"color": "white"},
        sym=".",
        label=NAMES[label],
    )
ax.set(
    title="Colour of patches, by slide and class",
    xlabel="slide, ordered by median",
    ylabel="mean of the blue channel (0 to 255)",
    xticks=range(n_slides),
    xticklabels=order,
)
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# The same in numbers: how much of the variance is between slides, and how much between
# classes.

shares = pd.DataFrame(
    {
        name: colours.groupby(by).transform("mean").var() / colours.var()
        for name, by in {"between slides": slides, "between classes": y}.items()
    }
)
print(shares.round(2))

# %%
# Together they may tell more than each of them. A logistic regression on them, tested
# on slides that it was not fitted on, is what a network has to beat. An area under the
# ROC curve (AUC) of 0.5 is guessing.

regression = make_pipeline(StandardScaler(), LogisticRegression())
folds = StratifiedGroupKFold(n_splits=4, shuffle=True, random_state=0)
scores = cross_val_score(
    regression, colours, y, groups=slides, cv=folds, scoring="roc_auc"
)
print(f"AUC of colours alone, on other slides: {scores.mean():.2f}")

# %%
# `make_patches` draws patches whose colour tells the slide, and little about the class.
# Two things follow. Training and test must not share slides, or a network may gain by
# knowing them. And stains should change in training, as they do with the default
# ``augment="auto"`` of `PatchCNNClassifier`.
#
# On real patches it may be the other way round: in those of the accuracy benchmark of
# this project, colours alone tell the classes apart far better than guessing, also on
# slides that they were not fitted on.

plt.show()
