"""
====================================
Save a classifier, load it elsewhere
====================================

A fitted `PatchCNNClassifier` is made of parameters and NumPy arrays. So it is saved as
any other scikit-learn estimator is, and predicts the same after loading, bit by bit.
This example saves one with joblib, with skops, and as a model of Keras, and trains a
loaded one further.

On real patches: ``python examples/plot_saving.py --data DIR``, where DIR holds
``slide_folds.csv`` too.
"""

# %%
import argparse
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import joblib
import matplotlib.pyplot as plt
import numpy as np
import skops.io
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline

from skhisto import (
    CenterCrop,
    PatchCNNClassifier,
    PatchGridDisplay,
    load_patch_folder,
    make_patches,
)

parser = argparse.ArgumentParser(description="Save and load a classifier.")
real = os.environ.get("SKHISTO_DATA")
parser.add_argument("--data", type=Path, default=real and Path(real, "pcam"))
args, _ = parser.parse_known_args()  # notebooks have arguments of their own

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(600, size=48, random_state=0, return_groups=True)

# %%
# A fitted pipeline
# -----------------
# In a notebook, and here, a fitted classifier shows its classes, its last scores and
# the layers of its network: unfold the last step.

folds = StratifiedGroupKFold(n_splits=4, shuffle=True, random_state=0)
known, new = next(folds.split(X, y, slides))
clf = make_pipeline(
    CenterCrop(32),
    PatchCNNClassifier(filters=(8, 16), dense_units=32, epochs=12, random_state=0),
)
clf.fit(X[known], y[known])

# %%
# joblib and skops
# ----------------
# joblib's files may run any code when they are loaded: load those only that you trust.
# skops loads nothing but NumPy's and scikit-learn's types and those that it is told to
# trust.

folder = TemporaryDirectory()
path = Path(folder.name)
joblib.dump(clf, path / "pipeline.joblib")
skops.io.dump(clf, path / "pipeline.skops")

from_joblib = joblib.load(path / "pipeline.joblib")
from_skops = skops.io.load(
    path / "pipeline.skops",
    trusted=["skhisto.CenterCrop", "skhisto.PatchCNNClassifier"],
)

proba = clf.predict_proba(X[new])
print(f"weights: {sum(w.nbytes for w in clf[-1].weights_.values()) / 1024:.0f} KiB")
for name, loaded in {"joblib": from_joblib, "skops": from_skops}.items():
    size = (path / f"pipeline.{name}").stat().st_size / 1024
    same = np.array_equal(loaded.predict_proba(X[new]), proba)
    print(f"{name}: {size:.0f} KiB, the same predictions bit by bit: {same}")

# %%
# A loaded classifier is one like any other: it predicts, and is shown.

display = PatchGridDisplay.from_estimator(
    from_skops,
    X[new],
    y[new],
    order="probability",
    center=X.shape[1] // 3,
    display_labels=["normal", "tumour"],
)
display.ax_.set_title("predicted by a loaded classifier, on slides it has not seen")

# %%
# Training further
# ----------------
# With ``warm_start``, ``fit`` goes on from the weights that were loaded, for as many
# epochs again. The optimizer's state is saved only by classifiers that were fitted with
# ``warm_start`` themselves; here it starts anew.

from_joblib.set_params(patchcnnclassifier__warm_start=True)
from_joblib.fit(X[known], y[known])
print(f"epochs: {clf[-1].n_iter_} before, {from_joblib[-1].n_iter_} after")
for name, estimator in {"before": clf, "after": from_joblib}.items():
    auc = roc_auc_score(y[new], estimator.decision_function(X[new]))
    print(f"AUC on other slides {name}: {auc:.3f}")

# %%
# For Keras' own tools
# --------------------
# ``model_`` is a new ``keras.Model`` with the fitted weights, from pixels to the
# probability of ``classes_[1]``. It consists of Keras' own layers, so that what it
# saves is loaded without skhisto, exported or converted.

clf[-1].model_.save(path / "network.keras")
print(f"network.keras: {(path / 'network.keras').stat().st_size / 1024:.0f} KiB")
folder.cleanup()

# %%
# A saved classifier holds no patches and no labels beyond the names of the classes. It
# needs the versions of skhisto and scikit-learn that it was saved with, or tested ones.

plt.show()
