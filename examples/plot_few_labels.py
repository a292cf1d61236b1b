"""
==========
Few labels
==========

Patches are cheap, but labels by a pathologist are expensive. In this example, only 50
patches have labels. A linear classifier learns from their features, which a pretrained
network computes. Self-training then labels other patches for which the classifier is
confident, and also learns from them. Both are scored on other slides and compared with
a classifier that knows all labels.

The example needs ``pip install "skhisto[pretrained]"``.
"""

# %%
import argparse

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier

from skhisto import PatchEmbedder, load_patch_folder, make_patches

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="folder of patches, instead of synthetic ones")
args, _ = parser.parse_known_args()  # ignores the arguments of Jupyter

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(400, size=64, random_state=0, return_groups=True)

# %%
# Features of all patches, labels of 50
# -------------------------------------
# The network needs no labels, so all patches are embedded. The labelled patches are
# drawn at random ten times, which shows how much the scores depend on the choice.

features = PatchEmbedder("efficientnet_lite0").fit_transform(X)
known, new = next(StratifiedGroupKFold(4).split(X, y, slides))
head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
self_training = SelfTrainingClassifier(head, threshold=0.9)


def score(estimator, rows, labels):
    """Return the AUC on the new slides."""
    estimator.fit(features[rows], labels)
    return roc_auc_score(y[new], estimator.predict_proba(features[new])[:, 1])


scores = []
for seed in range(10):
    rng = np.random.default_rng(seed)
    labelled = np.concatenate(
        [rng.choice(known[y[known] == label], 25, replace=False) for label in (0, 1)]
    )
    # scikit-learn's convention: -1 for patches without a label.
    partly = np.full(len(y), -1)
    partly[labelled] = y[labelled]
    scores.append(
        {
            "50 labels": score(head, labelled, y[labelled]),
            "50 labels, self-training": score(self_training, known, partly[known]),
        }
    )
table = pd.DataFrame(scores)
print(table.describe().loc[["mean", "std", "min"]].round(3))

# %%
# What more labels are worth
# --------------------------
# Each dot is one choice of 50 patches. The line is the score with all labels. Self-
# training helps only if its confident predictions are correct. Compare both on your own
# data.

all_labels = score(head, known, y[known])
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for position, name in enumerate(table):
    ax.plot(np.full(len(table), position), table[name], "o", alpha=0.6)
ax.axhline(all_labels, color="black", label=f"all {len(known)} labels")
ax.set_xticks(range(len(table.columns)), table.columns)
ax.set(xlim=(-0.5, 1.5), ylabel="AUC on other slides")
ax.legend(loc="center")
plt.show()
