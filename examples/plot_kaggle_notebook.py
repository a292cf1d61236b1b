"""
=============================================
A Kaggle notebook, from folder to submission
=============================================

skhisto grew out of a notebook for Kaggle's competition `Histopathologic Cancer
Detection <https://www.kaggle.com/c/histopathologic-cancer-detection>`_: 220,025 patches
of 96x96 pixels to learn from, and 57,458 to predict. The label is 1 if the central
32x32 pixels hold tumour. This is that notebook again, on a few synthetic patches in a
folder like Kaggle's. All of Kaggle's patches would take hours on two cores.

On real patches: ``python examples/plot_kaggle_notebook.py --data DIR``, for a folder
with ``train/``, ``train_labels.csv`` and, for a submission, ``test/`` and
``sample_submission.csv``.
"""

# %%
import argparse
import os
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from PIL import Image
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.model_selection import train_test_split

from skhisto import (
    ClassBalanceDisplay,
    PatchCNNClassifier,
    PatchGridDisplay,
    TrainingCurveDisplay,
    load_patch_folder,
    make_patches,
    write_submission,
)

parser = argparse.ArgumentParser(description="Go from a folder to a submission.")
real = os.environ.get("SKHISTO_DATA")
parser.add_argument("--data", type=Path, default=real and Path(real, "pcam"))
parser.add_argument("--output", type=Path, help="file to write, submission.csv")
args, _ = parser.parse_known_args()  # notebooks have arguments of their own

# %%
# The folder
# ----------
# Without ``--data``, synthetic patches are written to a temporary folder, those of two
# slides of ten to ``test/``.

scratch = tempfile.TemporaryDirectory()
folder = args.data or Path(scratch.name)
output = args.output or (Path() if args.data else folder) / "submission.csv"

if not args.data:
    X, y, slides = make_patches(300, random_state=0, return_groups=True)
    table = pd.DataFrame({"id": [f"patch{i:03}" for i in range(len(y))], "label": y})
    subset = np.where(slides < 8, "train", "test")
    for name in ("train", "test"):
        (folder / name).mkdir()
    for patch, name, patch_id in zip(X, subset, table["id"], strict=True):
        Image.fromarray(patch).save(folder / name / f"{patch_id}.tif")
    table[subset == "train"].to_csv(folder / "train_labels.csv", index=False)
    sample = table[subset == "test"].assign(label=0)
    sample.to_csv(folder / "sample_submission.csv", index=False)

# %%
# A look at the patches
# ---------------------
# ``train.data`` is a `PatchArray`: only the patches that are shown are decoded now, and
# later those of a batch when it is due. The square is the centre that the label is
# about.

train = load_patch_folder(folder)
print(f"{len(train.data)} patches of {train.data.shape[1:]}")

NAMES = ["no cancer", "cancer"]
display = PatchGridDisplay.from_arrays(
    train.data, train.target, display_labels=NAMES, center=32, random_state=0
)
display.ax_.set_title("Patches without and with cancer")

# %%
# Kaggle's folder holds more patches without cancer than with it, the synthetic one as
# many.

display = ClassBalanceDisplay.from_arrays(train.target, display_labels=NAMES)
display.figure_.suptitle("Distribution of cases")

# %%
# The network
# -----------
# The notebook trained the reference network for three epochs, by Adam with a learning
# rate of 0.001, without augmentation. Its other settings are not known: those of the
# package are taken. A quarter of the patches is set aside for validation, at random, as
# Kaggle does not tell the slides. So validation patches have neighbours of the same
# slide in training, and scores on them are too good.

known, valid = train_test_split(
    np.arange(len(train.target)),
    test_size=0.25,
    stratify=train.target,
    random_state=0,
)
X_val, y_val = train.data[valid], train.target[valid]
clf = PatchCNNClassifier(epochs=3, learning_rate=1e-3, augment=None, random_state=0)
clf.fit(train.data[known], train.target[known], X_val=X_val, y_val=y_val)

sizes = {name: weights.size for name, weights in clf.weights_.items()}
trained = sum(size for name, size in sizes.items() if "/moving_" not in name)
print(f"{sum(sizes.values()):,} parameters, {trained:,} of them trained")
pd.DataFrame(clf.layers_)

# %%
# The curves
# ----------
# The training curve starts behind: it is measured while weights change, with dropout.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for metric, ax in zip(["loss", "accuracy"], axes, strict=True):
    TrainingCurveDisplay.from_estimator(clf, metric=metric, ax=ax)
figure.suptitle("Three epochs of training")

# %%
# Beside the figures that the notebook gave, for all of Kaggle's patches. Its AUC is
# Kaggle's score of the submission, here it is of the validation patches.

proba = clf.predict_proba(X_val)[:, 1]
here = {
    "training accuracy": clf.history_["accuracy"][-1],
    "training loss": clf.history_["loss"][-1],
    "validation accuracy": accuracy_score(y_val, proba > 0.5),
    "validation loss": log_loss(y_val, proba),
    "AUC": roc_auc_score(y_val, proba),
}
notebook = dict(zip(here, [0.91, 0.22, 0.915, 0.24, 0.9484], strict=True))
print(pd.DataFrame({"notebook": notebook, "here": here}).round(4).to_string())

# %%
# The network here is poor, because it made few steps. Three epochs of Kaggle's patches
# are thousands of steps with 64 patches each. Here they are some dozens, with 8 patches
# each, the default for so few. For few patches, take more epochs, and the recipe of the
# README: the compact network with a one-cycle schedule, the default augmentation, and
# ``tta="d4"``. Where slides are known, set whole slides aside.
#
# The submission
# --------------
# Kaggle wants one probability for each test patch, in a file whose ids are those of the
# sample.

if (folder / "test").is_dir():
    test = load_patch_folder(folder, subset="test")
    write_submission(
        output,
        test.ids,
        clf.predict_proba(test.data),
        sample=folder / "sample_submission.csv",
    )
    print(f"{len(test.ids)} predictions in {output.name}, which begins:")
    print(pd.read_csv(output).head().to_string(index=False))
else:
    print(f"No submission: {folder} has no folder test/.")

plt.show()
scratch.cleanup()
