"""
========================
Problems before training
========================

Duplicates, blurred patches and wrong labels are common in published data sets, and a
score does not show them. `patch_report` finds them before training. This example puts
problems into synthetic patches and looks for them.
"""

# %%
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

from skhisto import make_patches, patch_report

X, y, slides = make_patches(300, random_state=0, return_groups=True)
splits = np.where(slides < 8, "train", "test")

# %%
# Planted problems
# ----------------
# The problems are three copies, of which one is rotated and one is flipped, two blurred
# patches, a patch of glass, and a pen mark.

train, test = (np.flatnonzero(splits == name) for name in ("train", "test"))
X[test[0]] = X[train[0]]
X[test[1]] = np.rot90(X[train[1]])
X[test[2]] = np.fliplr(X[train[2]])
for row in train[[10, 11]]:
    X[row] = gaussian_filter(X[row], (2, 2, 0))
noise = np.random.default_rng(0).normal(240, 3, X[0].shape)
X[train[12]] = noise.clip(0, 255).astype(np.uint8)
X[train[13], len(X[0]) // 2 :][:10] = (30, 60, 150)

# %%
# The report
# ----------
# The report has one line for each problem. "across splits" counts the copies that make
# a test score too high.

report = patch_report(X, y, groups=slides, splits=splits)
print(report)

# %%
# The table of findings has one row for each patch and problem.

print(report.findings[["problem", "row", "value", "across"]].to_string())

# %%
# The patches
# -----------
# Each row of the picture is a problem. The numbers are rows of ``X``.

display = report.plot()
display.figure_.suptitle("Patches with problems")

# %%
# With the name of a problem, each set of duplicates is a row.

display = report.plot("near duplicate")
display.figure_.suptitle("Near duplicates")

# %%
# Sharpness of all patches
# ------------------------
# The measures of all patches help you to choose a limit.

figure, ax = plt.subplots(figsize=(7, 3), layout="constrained")
ax.hist(report.measures["sharpness"].dropna(), bins=40)
ax.set(xlabel="sharpness", ylabel="patches", title="Blurred patches are on the left")
ax.spines[["top", "right"]].set_visible(False)

plt.show()
