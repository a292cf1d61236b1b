"""
================
Scores of slides
================

Which slides contain tumour, and how certain is the answer? Each slide is predicted by a
classifier that was trained on other slides. The probabilities of its patches give one
score. A confidence interval takes into account that there are few slides.

The example needs ``pip install "skhisto[pretrained,slides]"``.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhisto import PatchEmbedder, Slide, SlidePatches, make_slide
from skhisto.metrics import aggregate_by_group, bootstrap_interval, top_k

# %%
# Slides with and without tumour
# ------------------------------
# Half of the twelve slides contain tumour. The patches of all slides form one stack.
# ``X.groups`` contains the slide of each patch.

tumour_shares = [0, 0.05, 0, 0.1, 0, 0.2] * 2
made = [
    make_slide((768, 768), tumor_share=share, random_state=seed)
    for seed, share in enumerate(tumour_shares)
]
patches = SlidePatches(
    [Slide(m.image, mpp=m.mpp, name=f"slide{i:02}") for i, m in enumerate(made)],
    stride=64,
    annotations=[m.annotations for m in made],
)
X, y = patches.to_patch_array(), patches.y
slides = X.groups
has_tumour = aggregate_by_group(y, slides, method="max")["score"]
print(f"{len(y)} patches, {y.mean():.0%} with tumour")
print(f"{len(has_tumour)} slides, {has_tumour.sum():.0f} with tumour")

# %%
# Cross-validation by slide
# -------------------------
# A frozen network turns patches into features once. A linear classifier learns from all
# other slides and predicts the slide that was left out.

features = PatchEmbedder("efficientnet_lite0").fit_transform(X)
head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
proba = cross_val_predict(
    head, features, y, groups=slides, cv=LeaveOneGroupOut(), method="predict_proba"
)[:, 1]

# %%
# Intervals
# ---------
# Patches of one slide resemble each other. Therefore whole slides are resampled. The
# score of a slide is the mean of its five highest probabilities. With twelve slides,
# the interval is wide even if the scores rank all of them correctly.

scores = aggregate_by_group(proba, slides, method=top_k(5))["score"]
intervals = {
    "patches": bootstrap_interval(
        roc_auc_score, y, proba, groups=slides, random_state=0
    ),
    "slides": bootstrap_interval(roc_auc_score, has_tumour, scores, random_state=0),
}
for name, interval in intervals.items():
    print(f"AUC of {name}: {interval}")

# %%
# Each dot is a patch, and each line is the score of a slide.

names, position = np.unique(slides, return_inverse=True)
jitter = np.random.default_rng(0).uniform(-0.25, 0.25, len(position))
figure, (left, right) = plt.subplots(
    1, 2, figsize=(10, 3.8), width_ratios=[2, 1], layout="constrained"
)
for label, colour, text in ((0, "0.6", "normal"), (1, "#D55E00", "tumour")):
    rows = y == label
    left.scatter(
        position[rows] + jitter[rows], proba[rows], s=6, color=colour, label=text
    )
left.plot(range(len(names)), scores, "_", color="black", markersize=18, label="score")
left.set_xticks(range(len(names)), names, rotation=60)
left.set(ylabel="probability of tumour", title="Patches and scores of slides")
left.legend(loc="upper left", bbox_to_anchor=(1, 1))
for row, interval in enumerate(intervals.values()):
    right.plot([interval.low, interval.high], [row, row], color="#0072B2")
    right.plot(interval.estimate, row, "o", color="#0072B2")
right.set_yticks(range(len(intervals)), intervals)
right.set(xlabel="AUC", title="95 % intervals", ylim=(1.5, -0.5))
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)

plt.show()
