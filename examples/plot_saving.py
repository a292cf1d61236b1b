"""
==========================
Save and load a classifier
==========================

A fitted `PatchCNNClassifier` consists of parameters, plain data and NumPy arrays. It is
saved like any other scikit-learn estimator, and its predictions after loading are
identical. This example saves a classifier with joblib, with skops and as a Keras model,
and continues the training of a loaded classifier.
"""

# %%
import argparse
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
    ReferenceCNN,
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
    X, y, slides = make_patches(600, size=48, random_state=0, return_groups=True)

# %%
# A fitted pipeline
# -----------------
# Notebooks show the classes, the last scores and the layers of a fitted classifier.
# Click on the last step to see them.

folds = StratifiedGroupKFold(n_splits=4, shuffle=True, random_state=0)
known, new = next(folds.split(X, y, slides))
clf = make_pipeline(
    CenterCrop(32),
    PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(8, 16), dense_units=32),
        epochs=12,
        random_state=0,
    ),
)
clf.fit(X[known], y[known])

# %%
# joblib and skops
# ----------------
# Loading a joblib file can run arbitrary code, so load only files that you trust. skops
# loads only types of NumPy and scikit-learn, and the types in ``trusted``.

folder = TemporaryDirectory()
path = Path(folder.name)
joblib.dump(clf, path / "pipeline.joblib")
skops.io.dump(clf, path / "pipeline.skops")

from_joblib = joblib.load(path / "pipeline.joblib")
from_skops = skops.io.load(
    path / "pipeline.skops",
    trusted=[
        "skhisto.CenterCrop",
        "skhisto.PatchCNNClassifier",
        "skhisto.ReferenceCNN",
    ],
)

proba = clf.predict_proba(X[new])
print(f"weights: {sum(w.nbytes for w in clf[-1].weights_.values()) / 1024:.0f} KiB")
for name, loaded in {"joblib": from_joblib, "skops": from_skops}.items():
    size = (path / f"pipeline.{name}").stat().st_size / 1024
    same = np.array_equal(loaded.predict_proba(X[new]), proba)
    print(f"{name}: {size:.0f} KiB, the same predictions bit by bit: {same}")

# %%
# A loaded classifier works like any other classifier.

display = PatchGridDisplay.from_estimator(
    from_skops,
    X[new],
    y[new],
    order="probability",
    center=X.shape[1] // 3,
    display_labels=["normal", "tumour"],
)
display.ax_.set_title("predictions of a loaded classifier on slides not trained on")

# %%
# Continue training
# -----------------
# With ``warm_start``, ``fit`` continues from the loaded weights for another ``epochs``
# epochs. The state of the optimizer is saved only if the classifier was fitted with
# ``warm_start``. In this example, the optimizer starts from its initial state.

from_joblib.set_params(patchcnnclassifier__warm_start=True)
from_joblib.fit(X[known], y[known])
print(f"epochs: {clf[-1].n_iter_} before, {from_joblib[-1].n_iter_} after")
for name, estimator in {"before": clf, "after": from_joblib}.items():
    auc = roc_auc_score(y[new], estimator.decision_function(X[new]))
    print(f"AUC on other slides {name}: {auc:.3f}")

# %%
# Export to Keras
# ---------------
# ``model_`` is a new ``keras.Model`` with the fitted weights. It maps pixels to the
# probability of ``classes_[1]``. It consists of layers of Keras only, so it can be
# saved, loaded, exported and converted without skhisto.

clf[-1].model_.save(path / "network.keras")
print(f"network.keras: {(path / 'network.keras').stat().st_size / 1024:.0f} KiB")
folder.cleanup()

# %%
# A saved classifier contains no patches, and no labels other than the names of the
# classes. Load it with the versions of skhisto and scikit-learn that saved it, or with
# versions that you have tested.

plt.show()
