"""
======================================
Quickstart: find tumour in lymph nodes
======================================

Pathologists search sections of lymph nodes, stained with haematoxylin and eosin, for
metastases. In this example, a convolutional network learns whether the centre of a
patch contains tumour. The example shows the patches, cross-validates by slide, trains
the network, and measures accuracy, area under the ROC curve (AUC) and log loss on
slides that were used neither for cross-validation nor for training.

Without arguments, the script uses synthetic patches. With ``--data``, it reads a folder
in the layout of the Kaggle competition `Histopathologic Cancer Detection
<https://www.kaggle.com/c/histopathologic-cancer-detection>`_. If the folder contains
``test/``, the script also writes a submission::

    python examples/plot_quickstart.py
    python examples/plot_quickstart.py --data DIR
"""

# %%
import argparse
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.callback import ProgressBar
from sklearn.metrics import RocCurveDisplay, accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import (
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_validate,
)
from sklearn.utils import resample

from skhisto import (
    ClassBalanceDisplay,
    PatchCNNClassifier,
    PatchGridDisplay,
    ReferenceCNN,
    center_crop,
    load_patch_folder,
    make_patches,
    write_submission,
)

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="folder of patches, instead of synthetic ones")
parser.add_argument("--samples", type=int, help="number of patches")
parser.add_argument("--size", type=int, default=32, help="pixels of the centre to use")
parser.add_argument("--epochs", type=int, default=10, help="epochs of each training")
parser.add_argument("--output", type=Path, default="output", help="folder for pictures")
args, _ = parser.parse_known_args()  # ignores the arguments of Jupyter
for name in ("samples", "size", "epochs"):
    if getattr(args, name) is not None and getattr(args, name) < 1:
        parser.error(f"--{name} must be at least 1.")

args.output.mkdir(parents=True, exist_ok=True)
NAMES = ["normal", "tumour"]


def save(figure, name):
    """Save a picture to the output folder."""
    figure.savefig(args.output / name, dpi=110)
    print(f"Wrote {args.output / name}")


# %%
# The patches
# -----------
# Loading a folder does not decode its files. ``data`` is a `PatchArray`, which decodes
# the files of each batch when the network needs them. ``groups`` contains the slide of
# each patch. Patches of one slide resemble each other, so a fair test uses other
# slides.

if not args.data:
    n_samples = args.samples or 900
    X, y, groups = make_patches(n_samples, random_state=0, return_groups=True)
else:
    train = load_patch_folder(args.data)
    if train.target is None:
        parser.error(f"{args.data} has no file train_labels.csv.")
    X, y, groups = train.data, train.target, train.groups
    n_samples = args.samples or 2500
    if n_samples < len(y):
        rows = resample(
            np.arange(len(y)),
            replace=False,
            n_samples=n_samples,
            stratify=y,
            random_state=0,
        )
        X, y = X[rows], y[rows]
        groups = None if groups is None else groups[rows]

if args.size > min(X.shape[1:3]):
    size = f"{X.shape[1]}x{X.shape[2]}"
    parser.error(f"--size {args.size} does not fit into patches of {size} pixels.")
labels, numbers = np.unique(y, return_counts=True)
counts = dict(zip(labels.tolist(), numbers.tolist(), strict=True))
if set(counts) != {0, 1} or min(counts.values()) < 4:
    parser.error(
        "At least 4 patches of each of the labels 0 and 1 are needed, and no other "
        f"labels. The numbers of patches by label are {counts}."
    )
n_groups = "unknown" if groups is None else len(np.unique(groups))
if groups is not None and n_groups < 4:
    parser.error(f"Patches of at least 4 slides are needed, but got {n_groups}.")
print(f"{len(y)} patches of {X.shape[1]}x{X.shape[2]} pixels, slides: {n_groups}")

# %%
# The label describes the central 32x32 pixels, which are framed. The surroundings are
# only context: tumour outside the frame does not make a patch positive.

display = PatchGridDisplay.from_arrays(
    X, y, display_labels=NAMES, center=32, random_state=0
)
display.figure_.suptitle("Patches without and with tumour in their centre")
save(display.figure_, "patches.png")

# %%
# About a quarter of the patches is held out for the final test. The held-out patches
# come from separate slides. Because slides differ in size, the fold closest to a
# quarter is used. If the slides are not known, the split is stratified by class, and
# the scores may be too high.

KFold = StratifiedKFold if groups is None else StratifiedGroupKFold
splits = KFold(n_splits=4, shuffle=True, random_state=0).split(X, y, groups)
train_rows, test_rows = min(splits, key=lambda rows: abs(len(rows[1]) - len(y) / 4))
X_train, y_train = X[train_rows], y[train_rows]
X_test, y_test = X[test_rows], y[test_rows]
groups_train = None if groups is None else groups[train_rows]

part = np.full(len(y), "training")
part[test_rows] = "held out"
display = ClassBalanceDisplay.from_arrays(y, groups=part, display_labels=NAMES)
display.figure_.suptitle("Patches of each class, for training and held out")
save(display.figure_, "class_balance.png")

# %%
# Cross-validation
# ----------------
# The classifier is a network for the centre of each patch. To be fast, it has half the
# filters of the default. It works like any other scikit-learn estimator.
# Cross-validation trains it three times, each time on two thirds of the training
# patches, and tests it on patches of the other slides.

# sphinx_gallery_start_ignore
# TensorFlow writes messages to stderr while it is imported, which no setting prevents.
# Here, they are shown only if the import fails.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
stderr = os.dup(2)
with tempfile.TemporaryFile() as messages:
    os.dup2(messages.fileno(), 2)
    try:
        import tensorflow  # noqa: F401
    except BaseException:
        messages.seek(0)
        os.write(stderr, messages.read())
        raise
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
# sphinx_gallery_end_ignore

clf = PatchCNNClassifier(
    architecture=ReferenceCNN(filters=(16, 32, 64)),
    epochs=args.epochs,
    random_state=0,
)
clf.set_callbacks(ProgressBar())

centers_train = center_crop(X_train, args.size)
scores = cross_validate(
    clf,
    centers_train,
    y_train,
    groups=groups_train,
    cv=KFold(n_splits=3, shuffle=True, random_state=0),
    scoring={"accuracy": "accuracy", "AUC": "roc_auc", "log loss": "neg_log_loss"},
)

# %%
# Training and test
# -----------------
# The final classifier is trained on all training patches.

clf.fit(centers_train, y_train)
proba = clf.predict_proba(center_crop(X_test, args.size))[:, 1]

held_out = {
    "accuracy": accuracy_score(y_test, proba > 0.5),
    "AUC": roc_auc_score(y_test, proba),
    "log loss": log_loss(y_test, proba),
}
print(f"{'':10}  cross-validation  held out ({len(y_test)} patches)")
for name, value in held_out.items():
    folds = np.abs(scores[f"test_{name}"])
    print(f"{name:10}  {folds.mean():.3f} +- {folds.std():.3f}   {value:.3f}")

# %%
# The first line above each patch is its label. The second line is the prediction, which
# also determines the colour of the frame.

figure = plt.figure(figsize=(11, 4), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[6, 4])
PatchGridDisplay.from_predictions(
    X_test,
    y_test,
    proba,
    order="random",
    n_patches=18,
    display_labels=NAMES,
    random_state=0,
    ax=left.subplots(),
)
figure.suptitle("Held-out patches with label, prediction and probability")
ax = right.subplots()
RocCurveDisplay.from_predictions(
    y_test, proba, ax=ax, name="held-out patches", plot_chance_level=True
)
ax.set(xlabel="false positive rate", ylabel="true positive rate")
ax.spines[["top", "right"]].set_visible(False)
save(figure, "predictions.png")

# %%
# A submission
# ------------
# Kaggle expects one probability for each test patch, and scores the AUC.

if args.data and Path(args.data, "test").is_dir():
    test = load_patch_folder(args.data, subset="test")
    sample = Path(args.data, "sample_submission.csv")
    write_submission(
        args.output / "submission.csv",
        test.ids,
        clf.predict_proba(center_crop(test.data, args.size)),
        sample=sample if sample.exists() else None,
    )
    print(f"Wrote {args.output / 'submission.csv'}")

plt.show()
