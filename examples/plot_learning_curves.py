"""
==================================
Learning curves and early stopping
==================================

Two questions arise when a network is trained: how many epochs it needs, and whether
more patches would help. Curves by epoch answer the first question, and early stopping
answers it for each fit. Curves by the number of patches answer the second question.
Both kinds of curve are meaningful only for slides that were not used for training.
"""

# %%
import argparse

import matplotlib.pyplot as plt
import sklearn
from sklearn.model_selection import (
    LearningCurveDisplay,
    StratifiedGroupKFold,
    cross_validate,
)

from skhisto import (
    PatchCNNClassifier,
    ReferenceCNN,
    TrainingCurveDisplay,
    load_patch_folder,
    make_patches,
)

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="folder of patches, instead of synthetic ones")
args, _ = parser.parse_known_args()  # ignores the arguments of Jupyter

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data.center_crop(32), train.target, train.groups
else:
    X, y, slides = make_patches(450, size=32, random_state=0, return_groups=True)

folds = StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=0)

# %%
# Curves by epoch
# ---------------
# With ``early_stopping``, a part of the training patches is used for validation.
# Training stops when the validation loss has not improved for ``n_iter_no_change``
# epochs, and the weights of the best epoch are kept. The validation patches should be
# whole slides, because patches of the same slide resemble each other. For this, the
# slides must reach ``fit`` in each fold, which requires scikit-learn's metadata
# routing. Augmentation is switched off to keep the example fast.

clf = PatchCNNClassifier(
    architecture=ReferenceCNN(filters=(8, 16), dense_units=32),
    epochs=25,
    augment=None,
    learning_rate=3e-3,
    early_stopping=True,
    validation_fraction=0.2,
    n_iter_no_change=3,
    random_state=0,
)
with sklearn.config_context(enable_metadata_routing=True):
    scores = cross_validate(
        clf,
        X,
        y,
        params={"groups": slides},
        cv=folds,
        scoring="roc_auc",
        return_estimator=True,
    )
for fitted, auc in zip(scores["estimator"], scores["test_score"], strict=True):
    epochs = f"{fitted.n_iter_} epochs, the best was {fitted.best_epoch_}"
    print(f"{epochs}, AUC on slides of the fold {auc:.3f}")

# %%
# Each line is the mean of the three fits, and the band extends from the lowest to the
# highest value. The training loss is measured during training, with dropout, and may be
# higher than the validation loss.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for ax, metric in zip(axes, ["loss", "accuracy"], strict=True):
    TrainingCurveDisplay.from_estimator(scores["estimator"], metric=metric, ax=ax)
figure.suptitle("Three folds by epoch")

# %%
# The validation set is small, so its loss fluctuates. If the loss still decreases at
# the end of the curve, increase the number of epochs or ``n_iter_no_change`` before you
# tune other parameters.

# %%
# Curves by the number of patches
# -------------------------------
# scikit-learn draws these curves. The number of epochs is fixed, because the smallest
# training sets are too small for a validation set.

display = LearningCurveDisplay.from_estimator(
    clf.set_params(early_stopping=False, epochs=8),
    X,
    y,
    groups=slides,
    cv=folds,
    train_sizes=[0.3, 0.6, 1.0],
    shuffle=True,
    random_state=0,
    scoring="roc_auc",
    score_type="test",
    score_name="AUC on other slides",
    line_kw={"color": "#0072B2", "marker": "o"},
    fill_between_kw={"color": "#0072B2", "alpha": 0.2},
)
display.ax_.set_title("More patches of the same slides")
display.ax_.set_xlabel("training patches")
display.ax_.get_legend().remove()
display.ax_.spines[["top", "right"]].set_visible(False)
for n_patches, aucs in zip(display.train_sizes, display.test_scores, strict=True):
    print(f"{n_patches} patches: AUC {aucs.mean():.3f} +- {aucs.std():.3f}")

# %%
# If the curve still rises at the end, more patches will help. If it is flat, patches of
# additional slides may still help, because all of these patches come from the same few
# slides. With a fixed number of epochs, more patches also mean more training steps,
# which explains a part of the improvement.

plt.show()
