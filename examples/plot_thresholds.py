"""
==========================
Thresholds and calibration
==========================

A network gives a probability, but a decision needs a threshold, and 0.5 is not always
the one that you want. Here tumour is rare, and the network is trained with class
weights, as is common then: its probabilities are too high. We calibrate them, and
choose thresholds for accuracy and for sensitivity, all with predictions on slides that
the network was not trained on.

On real patches: ``python examples/plot_thresholds.py --data DIR``. The folder needs
``slide_folds.csv``, since all splits are by slide.
"""

# %%
import argparse
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.calibration import CalibratedClassifierCV, CalibrationDisplay
from sklearn.metrics import (
    RocCurveDisplay,
    accuracy_score,
    log_loss,
    make_scorer,
    recall_score,
)
from sklearn.model_selection import StratifiedGroupKFold, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline

from skhisto import CenterCrop, PatchCNNClassifier, load_patch_folder, make_patches
from skhisto.metrics import specificity_at_sensitivity

parser = argparse.ArgumentParser(description="Calibrate, and choose thresholds.")
real = os.environ.get("SKHISTO_DATA")
parser.add_argument("--data", type=Path, default=real and Path(real, "pcam"))
args, _ = parser.parse_known_args()  # notebooks have arguments of their own

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(1400, size=48, random_state=0, return_groups=True)

# %%
# Three of four patches with tumour are left out, to make tumour rare. Half of the
# slides are held out to the end: it takes many patches to see what a threshold does.

rng = np.random.default_rng(0)
kept = np.flatnonzero((y == 0) | (rng.random(len(y)) < 0.25))
X, y, slides = X[kept], y[kept], slides[kept]

halves = StratifiedGroupKFold(n_splits=2, shuffle=True, random_state=0)
splits = halves.split(X, y, slides)
known, new = max(splits, key=lambda rows: len(np.unique(slides[rows[0]])))
X_known, y_known, X_new, y_new = X[known], y[known], X[new], y[new]
print(f"{len(known)} patches to learn from, {y_known.mean():.0%} with tumour")
print(f"{len(new)} patches held out, {y_new.mean():.0%} with tumour")

# %%
# Splits by slide
# ---------------
# Calibration and thresholds are learnt from predictions. On patches that a network was
# trained on they would be far too good, and on their neighbours on the same slide still
# too good. So there is a cross-validation by slide in each of scikit-learn's tools. The
# splits are made beforehand, which works without metadata routing.
#
# For a high sensitivity the threshold may lie very near 0, where few of the 100
# probabilities are that are tried by default. So it is looked for among 1,000 logits,
# the values of ``decision_function``.

cnn = make_pipeline(
    CenterCrop(32),
    PatchCNNClassifier(
        architecture="compact",
        learning_rate=3e-3,
        learning_rate_schedule="one_cycle",
        epochs=4,
        batch_size=32,
        class_weight="balanced",
        random_state=0,
    ),
)
inner = StratifiedGroupKFold(n_splits=3, shuffle=True, random_state=0)
by_slide = list(inner.split(X_known, y_known, slides[known]))

SENSITIVITY = 0.9
scorer = make_scorer(specificity_at_sensitivity, sensitivity=SENSITIVITY)

calibrated = CalibratedClassifierCV(cnn, cv=by_slide, ensemble=False)
accurate = TunedThresholdClassifierCV(cnn, scoring="accuracy", cv=by_slide)
sensitive = TunedThresholdClassifierCV(
    cnn,
    scoring=scorer,
    cv=by_slide,
    response_method="decision_function",
    thresholds=1000,
)
for model in (calibrated, accurate, sensitive):
    model.fit(X_known, y_known)

# The tools fit the network on all known patches in the end: it is the same in each.
network = accurate.estimator_

# %%
# Probabilities
# -------------
# Of the patches with a probability near 0.3, three in ten should hold tumour. Class
# weights made the network answer for a world in which tumour is as common as not, so
# that its curve lies below the diagonal, and its mean probability above the share of
# tumour. Calibration adds two parameters, a slope and a shift of the logits. It learns
# them from networks that saw fewer slides, and may make the final one too modest.

proba = {
    "network": network.predict_proba(X_new)[:, 1],
    "calibrated": calibrated.predict_proba(X_new)[:, 1],
}
figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
for (name, values), colour in zip(proba.items(), ["#D55E00", "#0072B2"], strict=True):
    CalibrationDisplay.from_predictions(
        y_new,
        values,
        n_bins=5,
        strategy="quantile",
        name=f"{name}, log loss {log_loss(y_new, values):.2f}",
        color=colour,
        ax=ax,
    )
    print(f"{name}: mean probability {values.mean():.2f}")
print(f"share of tumour: {y_new.mean():.2f}")
ax.set_title("Calibration on held-out slides")
ax.set(xlabel="mean predicted probability", ylabel="share of patches with tumour")
ax.spines[["top", "right"]].set_visible(False)

# %%
# Decisions
# ---------
# Where tumour is rare, accuracy rewards silence: the last row is what calling every
# patch normal gives.

decisions = {
    "network at 0.5": (network, 0.5),
    "calibrated at 0.5": (calibrated, 0.5),
    "tuned for accuracy": (accurate, accurate.best_threshold_),
    # Of the logit, the probability.
    f"sensitivity {SENSITIVITY:.0%}": (sensitive, expit(sensitive.best_threshold_)),
}
table = pd.DataFrame(columns=["threshold", "accuracy", "sensitivity", "specificity"])
for name, (model, threshold) in decisions.items():
    predicted = model.predict(X_new)
    table.loc[name] = [
        threshold,
        accuracy_score(y_new, predicted),
        recall_score(y_new, predicted),
        recall_score(y_new, predicted, pos_label=0),
    ]
table.loc["all normal"] = [1, 1 - y_new.mean(), 0, 1]
print(table.round(3).to_string())
print(f"\nStandard error of an accuracy of 0.9: {np.sqrt(0.9 * 0.1 / len(new)):.3f}")

# %%
# A threshold moves along the ROC curve, and no threshold makes the curve better.
# Calibration keeps the order of the patches too, so its threshold is a point of the
# same curve. Do not expect much accuracy from either: the first three rows differ by
# no more than about a standard error, though they make different mistakes. A threshold
# pays where mistakes do not cost the same. Where tumour must not be missed, choose the
# sensitivity, and pay with specificity. The threshold reached it in each fold of the
# cross-validation. On other slides it may fall short, so measure it there.
#
# A classifier can also abstain: see :doc:`/user_guide/prediction_sets`.

figure, ax = plt.subplots(figsize=(6, 5), layout="constrained")
RocCurveDisplay.from_predictions(
    y_new, proba["network"], name="network", curve_kwargs={"color": "0.4"}, ax=ax
)
colours = ["#D55E00", "#0072B2", "#009E73", "black"]
for name, marker, colour in zip(decisions, "os^D", colours, strict=True):
    sensitivity, specificity = table.loc[name, ["sensitivity", "specificity"]]
    ax.plot(1 - specificity, sensitivity, marker, ms=9, color=colour, label=name)
ax.set_title("Decisions on the ROC curve of held-out slides")
ax.set(xlabel="1 - specificity", ylabel="sensitivity")
ax.legend(loc="lower right")
ax.spines[["top", "right"]].set_visible(False)

plt.show()
