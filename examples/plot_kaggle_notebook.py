"""
============================================
A Kaggle notebook, from folder to submission
============================================

skhisto is based on a notebook for Kaggle's competition `Histopathologic Cancer
Detection <https://www.kaggle.com/c/histopathologic-cancer-detection>`_, with 220,025
training patches of 96x96 pixels and 57,458 test patches. The label is 1 if the central
32x32 pixels contain tumour. This example repeats the notebook on a few synthetic
patches. Training on all patches of Kaggle would take hours on two cores.

With ``--data DIR``, the example reads a folder with ``train/`` and
``train_labels.csv``. If the folder also contains ``test/``, the example writes
``submission.csv`` to the current folder.
"""

# %%
import argparse
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

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="folder of patches, instead of synthetic ones")
args, _ = parser.parse_known_args()  # ignores the arguments of Jupyter

# %%
# The folder
# ----------
# The synthetic patches are written to a temporary folder, those of two slides to
# ``test/``.

scratch = tempfile.TemporaryDirectory()
folder = Path(args.data or scratch.name)

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
# The patches
# -----------
# ``train.data`` is a `PatchArray`, which decodes patches when they are needed. The
# square marks the centre that the label describes.

train = load_patch_folder(folder)
print(f"{len(train.data)} patches of {train.data.shape[1:]}")

NAMES = ["no cancer", "cancer"]
display = PatchGridDisplay.from_arrays(
    train.data, train.target, display_labels=NAMES, center=32, random_state=0
)
display.ax_.set_title("Patches without and with cancer")

# %%
# Kaggle's folder contains more patches without cancer than with it. The synthetic one
# contains the same number of both.

display = ClassBalanceDisplay.from_arrays(train.target, display_labels=NAMES)
display.figure_.suptitle("Distribution of cases")

# %%
# The network
# -----------
# The notebook trained the reference network for three epochs with Adam and a learning
# rate of 0.001, without augmentation. Its other settings are unknown, so the defaults
# are used. A random quarter of the patches is used for validation, because Kaggle does
# not state the slides. The validation scores are too high, because other patches of the
# same slides are used for training.

known, valid = train_test_split(
    np.arange(len(train.target)),
    test_size=0.25,
    stratify=train.target,
    random_state=0,
)
X_val, y_val = train.data[valid], train.target[valid]
clf = PatchCNNClassifier(epochs=3, learning_rate=1e-3, augment=None, random_state=0)
clf.fit(train.data[known], train.target[known], X_val=X_val, y_val=y_val)

pd.DataFrame(clf.layers_)

# %%
# Training curves
# ---------------
# The training loss is measured while the weights change, with dropout. It can therefore
# exceed the validation loss.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
for metric, ax in zip(["loss", "accuracy"], axes, strict=True):
    TrainingCurveDisplay.from_estimator(clf, metric=metric, ax=ax)
figure.suptitle("Three epochs of training")

# %%
# The first column contains the scores of the notebook for all patches of Kaggle. Its
# AUC is Kaggle's score of the submission. Here the AUC is that of the validation
# patches.

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
# The synthetic scores are low, because three epochs of a few patches are only some
# dozens of training steps. With Kaggle's patches, they are thousands of steps. For few
# patches, increase the number of epochs, and use the recipe of the README: the compact
# network with a one-cycle schedule, the default augmentation, and ``tta="d4"``. If the
# slides are known, use whole slides for validation.
#
# The submission
# --------------
# Kaggle expects one probability for each id of the sample.

if (folder / "test").is_dir():
    output = Path("submission.csv") if args.data else folder / "submission.csv"
    test = load_patch_folder(folder, subset="test")
    write_submission(
        output,
        test.ids,
        clf.predict_proba(test.data),
        sample=folder / "sample_submission.csv",
    )
    print(f"{len(test.ids)} predictions in {output.name}, which begins:")
    print(pd.read_csv(output).head().to_string(index=False))

plt.show()
scratch.cleanup()
