"""
==========================
Thresholds and calibration
==========================

A network predicts probabilities, but a decision needs a threshold, and 0.5 is not
always the best one. In this example, tumour is rare, and the network is trained with
class weights. Its probabilities are therefore too high. They are calibrated, and
thresholds are chosen for accuracy and for sensitivity, always with predictions on
slides that were not used for training.
"""

# %%
import argparse

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

parser = argparse.ArgumentParser()
parser.add_argument("--data", help="folder of patches, instead of synthetic ones")
args, _ = parser.parse_known_args()  # ignores the arguments of Jupyter

if args.data:
    train = load_patch_folder(args.data)
    X, y, slides = train.data, train.target, train.groups
else:
    X, y, slides = make_patches(1400, size=48, random_state=0, return_groups=True)

# %%
# Three quarters of the patches with tumour are removed, so that tumour is rare. Half of
# the slides are held out for the test, because the effect of a threshold is only
# visible with many patches.

rng = np.random.default_rng(0)
kept = np.flatnonzero((y == 0) | (rng.random(len(y)) < 0.25))
X, y, slides = X[kept], y[kept], slides[kept]

halves = StratifiedGroupKFold(n_splits=2, shuffle=True, random_state=0)
splits = halves.split(X, y, slides)
known, new = max(splits, key=lambda rows: len(np.unique(slides[rows[0]])))
X_known, y_known, X_new, y_new = X[known], y[known], X[new], y[new]
print(f"{len(known)} training patches, {y_known.mean():.0%} with tumour")
print(f"{len(new)} held-out patches, {y_new.mean():.0%} with tumour")

# %%
# Splits by slide
# ---------------
# Predictions on training patches are too good for calibration and tuning, and so are
# predictions on other patches of the same slides. The tools of scikit-learn therefore
# get splits by slide. Splits that are made beforehand need no metadata routing.
#
# For a high sensitivity, the threshold can be close to 0, where the 100 default
# thresholds are too coarse. It is selected from 1,000 values of ``decision_function``,
# which are logits.

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

# All three tools finally fit the same network on all training patches.
network = accurate.estimator_

# %%
# Calibration
# -----------
# Of the patches with a probability of about 0.3, three in ten should contain tumour.
# Class weights make the network predict as if tumour were as common as normal tissue.
# Its curve is below the diagonal, and its mean probability exceeds the share of tumour.
# Calibration fits a slope and an offset of the logits. It uses networks that were
# trained on fewer slides, so the calibrated probabilities can be too cautious.

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
# Thresholds
# ----------
# If tumour is rare, a high accuracy means little. The last row shows the accuracy of
# predicting "normal" for every patch.

decisions = {
    "network at 0.5": (network, 0.5),
    "calibrated at 0.5": (calibrated, 0.5),
    "tuned for accuracy": (accurate, accurate.best_threshold_),
    # The threshold of the logit, as a probability.
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
# A threshold moves the decision along the ROC curve and does not improve the curve.
# Calibration keeps the order of the patches, so its decision is on the same curve. The
# accuracies of the first three rows differ by about a standard error. A threshold is
# useful if errors have different costs. If tumour must not be missed, choose a
# sensitivity and accept the lower specificity. The threshold reached the sensitivity in
# each fold of the cross-validation. It may not reach it on other slides, so measure it
# there.
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
