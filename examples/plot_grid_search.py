"""
================================
Tune crop size and learning rate
================================

Two choices matter most for a small network: how much of a patch it sees, and how large
the steps are in which it learns. A pipeline of `CenterCrop` and `PatchCNNClassifier`
has both as parameters, and scikit-learn's ``GridSearchCV`` tries all pairs. Slides that
the search has not seen tell what the best pair is worth.

On real patches: ``python examples/plot_grid_search.py --data DIR``. The file
``slide_folds.csv`` is needed.
"""

# %%
import argparse
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.callback import ProgressBar
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from skhisto import CenterCrop, PatchCNNClassifier, load_patch_folder, make_patches

# TensorFlow is imported when the first network is trained; no remarks on missing GPUs.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

parser = argparse.ArgumentParser(description="Tune crop size and learning rate.")
real = os.environ.get("SKHISTO_DATA")
parser.add_argument("--data", type=Path, default=real and Path(real, "pcam"))
args, _ = parser.parse_known_args()  # notebooks have arguments of their own

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(420, size=48, random_state=0, return_groups=True)

# %%
# About a quarter of the patches, from slides of their own, is kept for the end.

folds = StratifiedGroupKFold(n_splits=4, shuffle=True, random_state=0)
known, new = next(folds.split(X, y, slides))

# %%
# The search
# ----------
# The label is about the central third of a patch. A crop to that third holds all that
# the label is about, but cuts the nuclei at its edge. Larger crops show them whole, but
# cost time: twice the side has four times the pixels. Learning rates are tried in large
# steps, since at first only their order of magnitude matters.

pipeline = Pipeline(
    [
        ("crop", CenterCrop()),
        (
            "cnn",
            PatchCNNClassifier(
                filters=(8, 16),
                dense_units=32,
                epochs=8,
                batch_size=16,
                random_state=0,
            ),
        ),
    ]
)
side = X.shape[1]
grid = {
    "crop__size": [side // 3, side // 2, 2 * side // 3],
    "cnn__learning_rate": [1e-3, 1e-2],
}
search = GridSearchCV(
    pipeline,
    grid,
    scoring="roc_auc",
    cv=StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=0),
)

# %%
# The search itself takes the progress bar, and hands it on to the pipelines that it
# fits: there is a bar for each candidate on each fold. With
# ``ProgressBar(max_propagation_depth=2)`` there would be bars for the epochs of each
# fit too. The groups go to the splitter, so that each fold has slides of its own.

search.set_callbacks(ProgressBar())
search.fit(X[known], y[known], groups=slides[known])
print(search.best_params_)

# %%
# What the search found
# ---------------------
# The score of a pair is the area under the ROC curve (AUC), as the mean over the folds.
# Beside it stands the standard deviation over the folds.

table = pd.DataFrame(search.cv_results_).pivot_table(
    index="param_crop__size",
    columns="param_cnn__learning_rate",
    values=["mean_test_score", "std_test_score"],
)
means, deviations = table["mean_test_score"], table["std_test_score"]

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
image = ax.imshow(means, cmap="viridis", aspect="auto")
for (row, column), mean in np.ndenumerate(means):
    ax.text(
        column,
        row,
        f"{mean:.3f} ± {deviations.iloc[row, column]:.3f}",
        color="black" if image.norm(mean) > 0.5 else "white",
        ha="center",
        va="center",
    )
ax.set(
    title="AUC on other slides, by crop size and learning rate",
    xlabel="learning rate",
    ylabel="side of the crop (pixels)",
    xticks=range(means.shape[1]),
    xticklabels=means.columns,
    yticks=range(means.shape[0]),
    yticklabels=means.index,
)
ax.spines[:].set_visible(False)
figure.colorbar(image, label="mean AUC")

# %%
# Here the crop to the central third is worst, and the larger learning rate is better,
# since small steps do not get far in so few epochs. Do not conclude that the best pair
# is the best: the two larger crops differ by less than the folds of each do. Of two
# such pairs, take the cheaper one. The best learning rate is at the edge of the grid,
# as it must be with two of them, and a next search would go on from there.

# %%
# Slides that the search has not seen
# -----------------------------------
# The score of the best pair flatters a little, as luck helps to be the best of several.
# Slides that took no part in the search are free of that. On the other hand the search
# ends with a fit on all patches that it got, a third more than in each fold, which
# helps. So this score can be higher or lower than that of the search.

auc = roc_auc_score(y[new], search.decision_function(X[new]))
print(f"AUC of the best pair in the search:  {search.best_score_:.3f}")
print(f"AUC on {len(new)} patches of new slides: {auc:.3f}")

plt.show()
