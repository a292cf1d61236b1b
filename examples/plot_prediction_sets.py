"""
===============
Prediction sets
===============

Which patches should a pathologist look at? A conformal classifier predicts a set of
classes. A set with one class is a decision. A set with both classes is an abstention.
The confidence level states which share of the sets should contain the true class. Each
set here is checked on a slide that is used neither in training nor in calibration.

The example needs ``pip install "skhisto[conformal,pretrained,slides]"``.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhisto import PatchEmbedder, Slide, SlidePatches, make_slide
from skhisto.metrics import aggregate_by_group, bootstrap_interval

# %%
# Slides
# ------
# There are 24 slides with tumour. A frozen network turns each patch into features.
# ``slides`` contains the slide of each patch.

made = [
    make_slide((512, 512), tumor_share=share, random_state=seed)
    for seed, share in enumerate([0.3, 0.5] * 12)
]
patches = SlidePatches(
    [Slide(m.image, mpp=m.mpp, name=f"slide{i:02}") for i, m in enumerate(made)],
    stride=64,
    annotations=[m.annotations for m in made],
)
X, y = patches.to_patch_array(), patches.y
slides = X.groups
features = PatchEmbedder("efficientnet_lite0").fit_transform(X)
print(f"{len(y)} patches on {len(made)} slides, {y.mean():.0%} with tumour")

# %%
# A table of probabilities
# ------------------------
# MAPIE asks its classifier for probabilities. This classifier receives them as its
# input and returns them, so that MAPIE works with predictions from any source.


class FromTable(ClassifierMixin, BaseEstimator):
    """A classifier whose input is a table of probabilities."""

    def fit(self, proba, y):
        """Store the classes, which are the columns of the table."""
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, proba):
        """Return the table."""
        return proba


# %%
# Calibration on whole slides
# ---------------------------
# Each of six rounds holds out four slides. The other slides are the known slides.
#
# - A cross-validation by slide predicts each known slide with a classifier that was
#   trained on other known slides. MAPIE calibrates on these probabilities.
# - A classifier that is trained on all known slides predicts the held-out slides. MAPIE
#   turns these probabilities into sets, one for each confidence level.

LEVELS = [0.8, 0.9, 0.95, 0.98]
head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
sets = np.empty((len(y), 2, len(LEVELS)), dtype=bool)
for known, new in GroupKFold(6).split(features, y, slides):
    X_known, y_known, slides_known = features[known], y[known], slides[known]
    out_of_fold = cross_val_predict(
        head,
        X_known,
        y_known,
        groups=slides_known,
        cv=GroupKFold(5),
        method="predict_proba",
    )
    conformal = SplitConformalClassifier(
        FromTable().fit(out_of_fold, y_known), confidence_level=LEVELS
    )
    conformal.conformalize(out_of_fold, y_known)
    proba = head.fit(X_known, y_known).predict_proba(features[new])
    sets[new] = conformal.predict_set(proba)[1]

# %%
# Sets and their coverage
# -----------------------
# The coverage is the share of sets that contain the true class.
#
# - With a level below the accuracy of the classifier, some sets are empty. These are
#   also abstentions.
# - With a level above the accuracy, some sets contain both classes.
# - The level applies to all patches together. The coverage of one class can be lower.

covered = sets[np.arange(len(y)), y]
n_classes = sets.sum(axis=1)
by_slide = pd.DataFrame(
    {
        level: aggregate_by_group(covered[:, i].astype(float), slides)["score"]
        for i, level in enumerate(LEVELS)
    }
)
table = pd.DataFrame(
    {
        "none": (n_classes == 0).mean(axis=0),
        "one": (n_classes == 1).mean(axis=0),
        "both": (n_classes == 2).mean(axis=0),
        "coverage": covered.mean(axis=0),
        "of normal": covered[y == 0].mean(axis=0),
        "of tumour": covered[y == 1].mean(axis=0),
        "lowest slide": by_slide.min().to_numpy(),
        "median slide": by_slide.median().to_numpy(),
        "highest slide": by_slide.max().to_numpy(),
    },
    index=pd.Index(LEVELS, name="level"),
)
print(table.round(2).to_string())

# %%
# The coverage of all patches together has a confidence interval, for which whole slides
# are resampled.


def coverage(y, covered):
    """Share of patches whose set contains the true class."""
    return covered.mean()


for i, level in enumerate(LEVELS):
    interval = bootstrap_interval(coverage, y, covered[:, i], slides, random_state=0)
    print(f"level {level}: coverage {interval}")

# %%
# No level is guaranteed on a new slide
# -------------------------------------
# The theory needs exchangeable patches. The patches of a new slide are stained and
# scanned together and come from one patient. They are not exchangeable with those of
# the calibration slides. Report the coverage measured on held-out slides and its
# spread.
#
# Part of the spread is chance, because a slide has few patches. The second column shows
# the standard deviation if the patches were independent. Real slides can differ more
# than these, above all slides of another laboratory.

n_patches = len(y) / len(by_slide)
chance = [np.sqrt(level * (1 - level) / n_patches) for level in LEVELS]
spread = pd.DataFrame({"measured": by_slide.std(), "independent patches": chance})
print(spread.rename_axis("standard deviation of slides").round(3).to_string())

# %%
# On the right, each dot is a slide.

names = [f"{level:.0%}" for level in LEVELS]
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
below = np.zeros(len(LEVELS))
for column, colour, label in (
    ("one", "#0072B2", "one class"),
    ("both", "#E69F00", "both: abstention"),
    ("none", "0.75", "no class"),
):
    left.bar(names, table[column], bottom=below, color=colour, width=0.6, label=label)
    below += table[column].to_numpy()
left.set(xlabel="confidence level", ylabel="share of patches", title="Sizes of sets")

rng = np.random.default_rng(0)
for i, level in enumerate(LEVELS):
    jitter = rng.uniform(-0.18, 0.18, len(by_slide))
    right.scatter(i + jitter, by_slide[level], s=14, color="0.5", label="slide")
    right.plot([i - 0.3, i + 0.3], [level, level], "--", color="#D55E00", label="level")
    right.plot(i, covered[:, i].mean(), "D", color="#0072B2", label="all patches")
right.set_xticks(range(len(LEVELS)), names)
right.set(
    xlabel="confidence level", ylabel="coverage", title="Coverage on held-out slides"
)
for ax in (left, right):
    handles, labels = ax.get_legend_handles_labels()
    ax.legend(
        handles[:3],
        labels[:3],
        loc="upper center",
        bbox_to_anchor=(0.5, -0.18),
        ncols=3,
        frameon=False,
    )
    ax.spines[["top", "right"]].set_visible(False)

plt.show()
