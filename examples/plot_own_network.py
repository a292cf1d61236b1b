"""
================
Your own network
================

``model=`` takes a function that builds a network of Keras. Everything else stays as it
is: patches, augmentation, cross-validation, saving. Here a small residual network
competes with the two networks that have a name, on slides that none of them has seen,
and a search finds how wide it should be.

On real patches: ``python examples/plot_own_network.py --data DIR``, where DIR holds
``slide_folds.csv`` too.
"""

# %%
import argparse
import os
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_validate

from skhisto import PatchCNNClassifier, load_patch_folder, make_patches

parser = argparse.ArgumentParser(description="Train a network of your own.")
real = os.environ.get("SKHISTO_DATA")
parser.add_argument("--data", type=Path, default=real and Path(real, "pcam"))
args, _ = parser.parse_known_args()  # notebooks have arguments of their own

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data.center_crop(32), train.target, train.groups
else:
    X, y, slides = make_patches(360, size=32, random_state=0, return_groups=True)

# %%
# A function that builds
# ----------------------
# It gets the shape of a patch and the number of outputs, and returns a new, uncompiled
# model at each call, from pixels in [0, 1] to logits: no sigmoid or softmax at the end.
# Keras is imported inside, so that nothing is loaded before it is needed.


def residual_network(patch_shape, n_outputs, filters=8):
    """Three blocks, each of which adds to its input what two convolutions find."""
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
# Beside the networks with a name
# -------------------------------
# All train for the same number of epochs and are scored on the same three folds of
# slides. Times hold on one machine, and the first fit of each network compiles it.

networks = {
    "reference": PatchCNNClassifier(filters=(16, 32, 64), dense_units=64),
    "compact": PatchCNNClassifier(architecture="compact", learning_rate=3e-3),
    "residual": PatchCNNClassifier(model=residual_network, learning_rate=3e-3),
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
# Each dot is a fold, each bar a mean.

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
# A search over the builder's parameters
# --------------------------------------
# ``functools.partial`` fixes a parameter of the function, and ``model`` is a parameter
# like any other. With folds of slides, no slide is in training and test at once.

widths = [4, 8]
builders = [partial(residual_network, filters=width) for width in widths]
search = GridSearchCV(
    networks["residual"], {"model": builders}, scoring="roc_auc", cv=folds
)
search.fit(X, y, groups=slides)
for width, auc in zip(widths, search.cv_results_["mean_test_score"], strict=True):
    print(f"{width} filters in the first block: AUC {auc:.3f}")

# %%
# What was built
# --------------
# The layers of a fitted classifier are a plain table; no TensorFlow is needed for it.

pd.DataFrame(search.best_estimator_.layers_)

# %%
# A network of Keras Applications, such as ``MobileNetV2(weights=None)``, works in the
# same way; the user guide has one. Differences between folds are often larger than
# those between networks, so do not choose by the third digit.

plt.show()
