"""
==================================
Learning curves and early stopping
==================================

How long should a network be trained, and would more patches help? Curves by epoch
answer the first question, and early stopping answers it for each fit anew. Curves by
the number of patches answer the second one. Both mean something only on slides that
were not trained on.

On real patches: ``python examples/plot_learning_curves.py --data DIR``. The file
``slide_folds.csv`` is needed.
"""

# %%
import argparse
import os
from pathlib import Path

import matplotlib.pyplot as plt
import sklearn
from sklearn.model_selection import (
    LearningCurveDisplay,
    StratifiedGroupKFold,
    cross_validate,
)

from skhisto import (
    PatchCNNClassifier,
    TrainingCurveDisplay,
    load_patch_folder,
    make_patches,
)

parser = argparse.ArgumentParser(description="Draw learning curves.")
real = os.environ.get("SKHISTO_DATA")
parser.add_argument("--data", type=Path, default=real and Path(real, "pcam"))
args, _ = parser.parse_known_args()  # notebooks have arguments of their own

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data.center_crop(32), train.target, train.groups
else:
    X, y, slides = make_patches(450, size=32, random_state=0, return_groups=True)

folds = StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=0)

# %%
# Curves by epoch
# ---------------
# With ``early_stopping``, a part of the training patches is set aside. Training stops
# when the loss on them has not improved for ``n_iter_no_change`` epochs, and the
# weights of the best epoch are kept. What is set aside should be whole slides, since
# patches of one slide resemble each other. For that the slides have to reach ``fit``
# within each fold, which takes scikit-learn's metadata routing. Augmentation is
# off here, to be quick.

clf = PatchCNNClassifier(
    filters=(8, 16),
    dense_units=32,
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
    print(f"{epochs}; AUC on slides of the fold: {auc:.3f}")

# %%
# A line is the mean over the three fits, a band reaches from the lowest to the highest.
# The loss on training patches is taken while they are trained on, with dropout, and
# may well lie above that on patches set aside.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
for ax, metric in zip(axes, ["loss", "accuracy"], strict=True):
    TrainingCurveDisplay.from_estimator(scores["estimator"], metric=metric, ax=ax)
figure.suptitle("Three folds by epoch")

# %%
# Few patches are set aside, so that their loss jumps. Where it still falls at the end
# of the curve, allow for more epochs or more patience before anything else is tuned.

# %%
# Curves by the number of patches
# -------------------------------
# scikit-learn draws these. The number of epochs is fixed here, since the fewest patches
# leave hardly any to set aside.

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
# Where this curve still rises, more patches will help. Where it is flat, patches of
# further slides may help none the less: these are all from the same few. With one
# number of epochs, more patches are also more steps, and a part of the rise is training
# for longer.

plt.show()
