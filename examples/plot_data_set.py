"""
=====================
Looking at a data set
=====================

Before you train a network, look at the patches. What do the classes look like? How many
patches does each class have, and from which slides? How much does colour alone reveal?
Slides are stained and scanned differently, so that colour often depends more on the
slide than on the tissue.
"""

# %%
import argparse

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
)

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="folder of patches, instead of synthetic ones")
args, _ = parser.parse_known_args()  # ignores the arguments of Jupyter

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(360, random_state=0, return_groups=True)

NAMES = ["normal", "tumour"]

# %%
# Patches
# -------
# The label describes the black square in the centre: does it contain tumour? The
# surroundings are context. Patches that are labelled normal may contain tumour there,
# so compare only the squares. Tumour has larger nuclei with irregular outlines.
# Lymphocytes have small round nuclei.

display = PatchGridDisplay.from_arrays(
    X, y, display_labels=NAMES, center=32, random_state=0
)
display.figure_.suptitle("Random patches of both classes")

# %%
# Classes and slides
# ------------------
# An accuracy is only meaningful in comparison with the share of the most frequent
# class. The share can also differ between slides. A network can then guess labels by
# recognising the slide. In the synthetic patches, the share is the same on all slides.

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
# Colour
# ------
# The colour of a patch is described by the mean and the standard deviation of each
# channel. If ``X`` is a `PatchArray`, the loop decodes one patch at a time.

rows = [[*patch.mean(axis=(0, 1)), *patch.std(axis=(0, 1))] for patch in X]
channels = ["red", "green", "blue"]
colours = pd.DataFrame(rows, columns=channels + [f"{c}, std" for c in channels])

# %%
# Each box shows the patches of one class on one slide. In the synthetic patches, the
# two classes of a slide have similar colours, and the slides differ.

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
ax.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
ax.spines[["top", "right"]].set_visible(False)

# %%
# A baseline without shapes
# -------------------------
# A logistic regression of these colours is the baseline that a network must exceed. It
# is tested on slides that it was not trained on. An area under the ROC curve (AUC) of
# 0.5 is guessing.

regression = make_pipeline(StandardScaler(), LogisticRegression())
folds = StratifiedGroupKFold(n_splits=4, shuffle=True, random_state=0)
scores = cross_val_score(
    regression, colours, y, groups=slides, cv=folds, scoring="roc_auc"
)
print(f"AUC of colours alone, on other slides: {scores.mean():.2f}")

# %%
# Colour identifies the slide here, and says little about the class. This has two
# consequences. First, training and test must use different slides. Second, stains
# should vary during training, as with the default ``augment="auto"`` of
# `PatchCNNClassifier`.
#
# Real patches can differ from this. In those of the accuracy benchmark, colour alone is
# much better than guessing, even on other slides. To find duplicates and blurred
# patches, use `patch_report`.

plt.show()
