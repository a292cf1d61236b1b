"""
=====================
From a slide to a map
=====================

A pathologist outlines tumour on a few slides. A network learns from patches of these
slides and maps the probability of tumour on slides that it has not seen. The outlines
are read from GeoJSON files of QuPath, and the map is written as one.

The example needs ``pip install "skhisto[slides]"``.
"""

# %%
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from skhisto import (
    PatchCNNClassifier,
    ReferenceCNN,
    Slide,
    SlideMapDisplay,
    SlidePatches,
    make_slide,
    probability_map,
    read_annotations,
)
from skhisto.metrics import aggregate_by_group, share_above, top_k

# %%
# Slides and annotations
# ----------------------
# Eight synthetic slides and the outlines of their tumours are written to a folder. The
# last slide has no tumour. Your own slides and annotations can be used in the same way.

scratch = TemporaryDirectory()
folder = Path(scratch.name)
tumour_shares = [0.25] * 7 + [0]
for seed, share in enumerate(tumour_shares):
    file = folder / f"slide{seed}.tif"
    written = make_slide(tumor_share=share, random_state=seed, path=file)
    written.annotations.to_geojson(file.with_suffix(".geojson"))

slides = [Slide(path) for path in sorted(folder.glob("*.tif"))]
annotations = [read_annotations(folder / f"{s.name}.geojson") for s in slides]
print(slides[0])
print(annotations[0])

# %%
# Patches with labels
# -------------------
# `SlidePatches` cuts overlapping patches from the tissue of six slides. A patch is
# positive if an outline touches its central 32x32 pixels, as in PatchCamelyon. The
# labels are named after classes of QuPath.

patches = SlidePatches(slides[:6], stride=48, annotations=annotations[:6])
X = np.asarray(patches.to_patch_array())
y = np.where(patches.y == 1, "Tumor", "Other")
print(f"{len(y)} patches, {np.mean(y == 'Tumor'):.0%} with tumour")

# %%
# Maps are fast if the network has unpadded convolutions, as `ReferenceCNN` has.

clf = PatchCNNClassifier(
    architecture=ReferenceCNN(filters=(16, 32, 64), dense_units=64),
    learning_rate=3e-3,
    learning_rate_schedule="one_cycle",
    epochs=8,
    precision="auto",
    random_state=0,
).fit(X, y)

# %%
# Maps of new slides
# ------------------
# The network predicts a window every 16 pixels. Each cell of the map is the square of
# 16x16 pixels around the centre of a window.

maps = [probability_map(clf, slide, stride=16) for slide in slides[6:]]
for result in maps:
    n_rows, n_columns = result.tissue.shape
    print(
        f"{result.slide_name}: {n_rows}x{n_columns} cells, {result.tissue.mean():.0%}"
    )
print(f"{maps[0].way}: {maps[0].reason}")

# %%
# The map is drawn over the slide. Orange lines surround cells with a probability of at
# least 0.5. Dashed black lines are the outlines of the pathologist. The map extends
# beyond them by about 16 pixels, because a patch is positive if tumour touches the
# 32x32 pixels in its centre.

figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
for ax, result, slide, drawn in zip(
    axes, maps, slides[6:], annotations[6:], strict=True
):
    SlideMapDisplay.from_map(result, slide, class_="Tumor", ax=ax)
    for polygon in drawn.polygons:
        ax.plot(*polygon.exterior.xy, color="black", linestyle="--", linewidth=1)
figure.suptitle("Slides that were not used for training")

# %%
# Accuracy of the map
# -------------------
# The map is compared with two definitions of the truth:
#
# - **label**: an outline touches the 32x32 pixels around the centre of the cell. This
#   is what the network was trained to predict.
# - **cell**: at least half of the pixels of the cell are tumour in the mask of the
#   synthetic slide.

result, drawn = maps[0], annotations[6]
proba = result.of("Tumor")[result.tissue]
boxes = result.boxes()[result.tissue.ravel()]
squares = boxes + np.array([-8, -8, 8, 8])  # from 16x16 to 32x32 pixels
mask = make_slide(tumor_share=tumour_shares[6], random_state=6).mask
tumour_of_cell = [
    mask[top:bottom, left:right].mean()
    for left, top, right, bottom in boxes.astype(int)
]
truths = {
    "label": drawn.touched(squares),
    "cell": np.array(tumour_of_cell) >= 0.5,
}
for name, truth in truths.items():
    print(f"AUC by {name}: {roc_auc_score(truth, proba):.3f}")

# %%
# Scores of slides
# ----------------
# A slide often needs a single score. The mean depends on the size of the tumour, and
# the maximum on a single false alarm. The mean of the 20 highest probabilities and the
# share above a threshold are compromises.

cell_proba = np.concatenate([m.of("Tumor")[m.tissue] for m in maps])
cell_slide = np.repeat([m.slide_name for m in maps], [m.tissue.sum() for m in maps])
methods = {"mean": "mean", "max": "max", "top 20": top_k(20), "share": share_above(0.5)}
for name, method in methods.items():
    scores = aggregate_by_group(cell_proba, cell_slide, method=method)["score"]
    print(f"{name:>6}: {scores.round(3).to_dict()}")

# %%
# Back to QuPath
# --------------
# Drop the file onto the slide in QuPath: each region above the threshold is an
# annotation with measurements. The map itself is saved in one file.

result.to_geojson(folder / "map.geojson", class_="Tumor", threshold=0.5)
print(read_annotations(folder / "map.geojson"))
result.save(folder / "map.npz")

plt.show()
scratch.cleanup()
