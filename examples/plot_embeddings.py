"""
=============================
Embeddings with a linear head
=============================

A network that was trained on photographs turns patches into features, and a linear
classifier learns from them. Only the linear classifier is trained, which takes
seconds. In this example, the classifier is scored on slides that were not used for
training, and the features are shown in two dimensions.

The example needs ``pip install "skhisto[pretrained]"``.
"""

# %%
import argparse

import matplotlib.pyplot as plt
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

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
# From patches to features
# ------------------------
# `PatchEmbedder` is a transformer. Each patch becomes a row of 1,280 features, the
# means over the patch of the last convolution of EfficientNet-Lite0. ``views="d4"``
# averages the features of the eight views of the square, because tissue has no
# preferred direction.

embedder = PatchEmbedder("efficientnet_lite0", views="d4")
features = embedder.fit_transform(X)
print(features.shape, features.dtype)

# %%
# A linear head
# -------------
# The features are standardised, and a strongly regularised logistic regression
# separates the classes. All patches of a slide are in the same fold.

head = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
folds = StratifiedGroupKFold(4)
scores = cross_val_score(head, features, y, groups=slides, cv=folds, scoring="roc_auc")
print("AUC of each fold:", scores.round(3), "mean:", scores.mean().round(3))

# %%
# To predict new patches, put both into one Pipeline. With ``memory=FOLDER``, the
# embedder stores the features, so that searches embed every patch only once.

classifier = make_pipeline(embedder, head).fit(X, y)
print(classifier.predict_proba(X[:3]).round(2))

# %%
# Features in two dimensions
# --------------------------
# The first two principal components show what dominates the features. If patches of
# the same slide are close together, slides differ more than classes, and scores on
# random folds are optimistic.

projection = make_pipeline(StandardScaler(), PCA(2, random_state=0))
components = projection.fit_transform(features)
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (name, values) in zip(axes, {"class": y, "slide": slides}.items(), strict=True):
    for value in sorted(set(values)):
        ax.scatter(*components[values == value].T, s=8, label=str(value))
    ax.set(xlabel="first component", ylabel="second component", title=f"by {name}")
    if name == "class":
        ax.legend(title=name)
plt.show()
