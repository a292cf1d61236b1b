"""
===============================================
Tune crop size, learning rate and network width
===============================================

The crop size, the learning rate and the width of the network are parameters of a
pipeline of `CenterCrop` and `PatchCNNClassifier`. In this example, scikit-learn's
``GridSearchCV`` tries all combinations of crop sizes and learning rates. A second
search compares widths of the network. The result is then tested on slides that took no
part in the searches.
"""

# %%
import argparse
import os

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.callback import ProgressBar
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from skhisto import (
    CenterCrop,
    PatchCNNClassifier,
    ReferenceCNN,
    load_patch_folder,
    make_patches,
)

# Hides TensorFlow's messages about missing GPUs. It is imported at the first fit.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="folder of patches, instead of synthetic ones")
args, _ = parser.parse_known_args()  # ignores the arguments of Jupyter

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(420, size=48, random_state=0, return_groups=True)

# %%
# About a quarter of the patches is set aside for the final test. These patches come
# from slides that are not used for the searches.

folds = StratifiedGroupKFold(n_splits=4, shuffle=True, random_state=0)
known, new = next(folds.split(X, y, slides))

# %%
# Crop size and learning rate
# ---------------------------
# The label describes the central third of a patch. A crop to that third contains the
# labelled area but cuts nuclei at its edge. Larger crops show these nuclei completely
# but take longer: twice the side length means four times as many pixels. The learning
# rates differ by a factor of ten, because their order of magnitude matters most.

pipeline = Pipeline(
    [
        ("crop", CenterCrop()),
        (
            "cnn",
            PatchCNNClassifier(
                architecture=ReferenceCNN(filters=(8, 16), dense_units=32),
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
# The search passes the progress bar on to the pipelines that it fits. There is one bar
# for each candidate on each fold. ``ProgressBar(max_propagation_depth=2)`` also shows
# the epochs of each fit. The groups are passed to the splitter, which keeps the patches
# of each slide in the same fold.

search.set_callbacks(ProgressBar())
search.fit(X[known], y[known], groups=slides[known])
print(search.best_params_)

# %%
# Each score is the area under the ROC curve (AUC): its mean over the folds and its
# standard deviation.

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
# The crop to the central third has the lowest scores. The larger learning rate has the
# higher scores, because eight epochs with small steps are not enough to converge. The
# two larger crops differ by less than their standard deviations, so the search does not
# show which one is better. In such a case, choose the cheaper one. The best learning
# rate is the largest in the grid. A further search would include larger ones.

# %%
# Width of the network
# --------------------
# The parameters of an architecture object have the prefix ``architecture__``. They can
# be searched only if ``architecture`` is an object such as ``ReferenceCNN()``: a name
# such as "reference" has no parameters. This search uses the crop size and the learning
# rate found above.

widths = GridSearchCV(
    search.best_estimator_,
    {"cnn__architecture__filters": [(4, 8), (8, 16), (16, 32)]},
    scoring="roc_auc",
    cv=search.cv,
)
widths.fit(X[known], y[known], groups=slides[known])
columns = {
    "param_cnn__architecture__filters": "filters",
    "mean_test_score": "AUC, mean",
    "std_test_score": "AUC, std",
    "mean_fit_time": "seconds a fit",
}
table = pd.DataFrame(widths.cv_results_)[list(columns)].rename(columns=columns)
print(table.round(3).to_string(index=False))

# %%
# The narrowest network has the lowest score. The two wider ones differ by less than
# their standard deviations, and the wider of the two takes longer.

# %%
# Test on other slides
# --------------------
# The best score of a search is optimistic, because it is the highest of several scores
# that vary by chance. Slides that took no part in the searches give an unbiased score.
# On the other hand, the final network is trained on all patches of the search, which is
# half as many again as in each fold. The score on the other slides can therefore be
# lower or higher than the best score of the search.

auc = roc_auc_score(y[new], widths.decision_function(X[new]))
print(f"AUC of the best combination in the search: {widths.best_score_:.3f}")
print(f"AUC on {len(new)} patches of other slides: {auc:.3f}")

plt.show()
