"""
================
Your own network
================

The parameter ``architecture`` also accepts a function that builds a Keras network.
Patches, augmentation, cross-validation and saving work as with the networks of skhisto.
In this example, a small residual network is compared with the two named networks on
slides that were not used for training. It is then turned into an `Architecture
<skhisto.architectures.Architecture>`, and a grid search finds its width.
"""

# %%
import argparse

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_validate

from skhisto import PatchCNNClassifier, ReferenceCNN, load_patch_folder, make_patches
from skhisto.architectures import Architecture

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="folder of patches, instead of synthetic ones")
args, _ = parser.parse_known_args()  # ignores the arguments of Jupyter

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data.center_crop(32), train.target, train.groups
else:
    X, y, slides = make_patches(360, size=32, random_state=0, return_groups=True)

# %%
# A function that builds a network
# --------------------------------
# The function receives the shape of a patch and the number of outputs. Each call
# returns a new, uncompiled ``keras.Model``. Its input is pixels in [0, 1], and its
# output is logits, without sigmoid or softmax. Keras is imported inside the function,
# so that it is loaded only when a network is built.


def residual_network(patch_shape, n_outputs, filters=8):
    """Build three residual blocks of two convolutions each."""
    import keras
    from keras import layers

    inputs = keras.Input(patch_shape)
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(inputs)
    for block in range(3):
        width = filters * 2**block
        shortcut = layers.Conv2D(width, 1, strides=2)(x)
        for strides in (2, 1):
            x = layers.ReLU()(layers.BatchNormalization()(x))
            x = layers.Conv2D(width, 3, strides, padding="same", use_bias=False)(x)
        x = layers.Add()([x, shortcut])
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(n_outputs)(x))


# %%
# Comparison with the named networks
# ----------------------------------
# All networks are trained for the same number of epochs and scored on the same three
# folds of slides. The fit times are from a single machine, and the first fit of each
# network includes its compilation.

small_reference = ReferenceCNN(filters=(16, 32, 64), dense_units=64)
networks = {
    "reference": PatchCNNClassifier(architecture=small_reference),
    "compact": PatchCNNClassifier(architecture="compact", learning_rate=3e-3),
    "residual": PatchCNNClassifier(architecture=residual_network, learning_rate=3e-3),
}
folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)
rows, aucs = {}, {}
for name, clf in networks.items():
    scores = cross_validate(
        clf.set_params(epochs=6, random_state=0),
        X,
        y,
        groups=slides,
        cv=folds,
        scoring="roc_auc",
        return_estimator=True,
    )
    weights = scores["estimator"][0].weights_.values()
    aucs[name] = scores["test_score"]
    rows[name] = {
        "parameters": sum(weight.size for weight in weights),
        "AUC, mean": aucs[name].mean(),
        "seconds a fit": np.median(scores["fit_time"]),
    }
table = pd.DataFrame.from_dict(rows, orient="index")
print(table.round(3).to_string())

# %%
# Each dot is the AUC on one fold, and each bar is the mean of the folds.

figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
for position, values in enumerate(aucs.values()):
    ax.plot(np.full(3, position), values, "o", color="#0072B2")
    ax.plot(position, values.mean(), "_", color="#D55E00", markersize=40)
ax.set(
    title="AUC on slides not trained on, by network",
    ylabel="AUC",
    xlim=(-0.5, 2.5),
    xticks=range(3),
    xticklabels=aucs,
)
ax.spines[["top", "right"]].set_visible(False)

# %%
# An architecture with parameters
# -------------------------------
# A subclass of `Architecture <skhisto.architectures.Architecture>` gives the network
# parameters that scikit-learn can set, clone and search. The constructor assigns the
# parameters, and ``build`` builds the network.


class ResidualCNN(Architecture):
    """Three residual blocks.

    Parameters
    ----------
    filters : int, default=8
        Filters of the first block. Each following block has twice as many.
    """

    def __init__(self, *, filters=8):
        self.filters = filters

    def build(self, patch_shape, n_outputs):
        """Build the network."""
        return residual_network(patch_shape, n_outputs, self.filters)


# %%
# In a search, the parameters of the architecture have the prefix ``architecture__``.
# The folds keep the patches of each slide together.

clf = networks["residual"].set_params(architecture=ResidualCNN())
grid = {"architecture__filters": [4, 8]}
search = GridSearchCV(clf, grid, scoring="roc_auc", cv=folds)
search.fit(X, y, groups=slides)
results = search.cv_results_
for parameters, auc in zip(results["params"], results["mean_test_score"], strict=True):
    print(f"{parameters}: AUC {auc:.3f}")

# %%
# The layers of the best network
# ------------------------------
# A fitted classifier describes its layers as plain data. Reading them does not require
# TensorFlow.

pd.DataFrame(search.best_estimator_.layers_)

# %%
# Networks of Keras Applications, such as ``MobileNetV2(weights=None)``, are used in the
# same way. The user guide has an example. The scores of the folds often differ by more
# than the scores of the networks, so do not choose a network by a small difference.

plt.show()
