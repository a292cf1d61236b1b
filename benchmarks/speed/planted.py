"""Problems that are put into patches, and how many of them `patch_report` finds."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from benchmarks.options import Options
from benchmarks.table import Table

N_PLANTED = 60
SHARE_OF_WRONG_LABELS = 0.05


def rates(options: Options) -> Table:
    """Return the table of problems found in synthetic and in real patches."""
    table = Table(
        ["planted", "patches", "found", "found in clean patches"],
        caption=f"Up to {N_PLANTED} patches of each kind are changed in which nothing "
        "was found before. The last column counts what the report finds without the "
        "changes:",
    )
    n_synthetic = 200 if options.quick else 1_600
    for name, (X, y) in {
        "make_patches": _synthetic(n_synthetic),
        **_real(200 if options.quick else None),
    }.items():
        _add_rates(table, name, X, y)
    return table


def _synthetic(n: int) -> tuple[np.ndarray, np.ndarray]:
    from skhisto import make_patches

    return make_patches(n, random_state=0)


def _real(n: int | None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    from skhisto import load_patch_folder

    if not (folder := os.environ.get("SKHISTO_DATA")):
        return {}
    train = load_patch_folder(Path(folder, "pcam"))
    return {"pcam": (np.array(train.data[:n]), np.array(train.target[:n]))}


def _jpeg(patch: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(patch).save(file, "JPEG", quality=60)
    return np.asarray(Image.open(file))


def _pen(patch: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    image = Image.fromarray(patch)
    height, width = patch.shape[:2]
    ImageDraw.Draw(image).line((0, height // 3, width, height // 2), colour, 10)
    return np.asarray(image)


def _blur(sigma: float) -> Callable[[np.ndarray], np.ndarray]:
    return lambda patch: gaussian_filter(patch, (sigma, sigma, 0))


def _glass(patch: np.ndarray) -> np.ndarray:
    noise = np.random.default_rng(int(patch[0, 0, 0])).normal(0, 3, patch.shape)
    return np.clip(238 + noise, 0, 255).astype(np.uint8)


# For each kind, the problem that must be found, and a function of another patch.
KINDS: dict[str, tuple[str, Callable[[np.ndarray], np.ndarray]]] = {
    "equal copy": ("exact duplicate", lambda patch: patch),
    "rotated copy": ("near duplicate", np.rot90),
    "transposed copy": ("near duplicate", lambda patch: patch.transpose(1, 0, 2)),
    "flipped copy, saved as JPEG": ("near duplicate", lambda p: _jpeg(np.fliplr(p))),
    "brighter copy": ("near duplicate", lambda p: np.clip(p * 0.85 + 20, 0, 255)),
    "single colour": ("single colour", lambda patch: np.full_like(patch, 12)),
    "noisy glass": ("glass", _glass),
    "blurred, sigma 1": ("blur", _blur(1)),
    "blurred, sigma 1.5": ("blur", _blur(1.5)),
    "blurred, sigma 2": ("blur", _blur(2)),
    "blue pen": ("pen", lambda patch: _pen(patch, (30, 60, 150))),
    "green pen": ("pen", lambda patch: _pen(patch, (30, 110, 60))),
    "black pen": ("pen", lambda patch: _pen(patch, (25, 25, 30))),
}


def _add_rates(table: Table, name: str, X: np.ndarray, y: np.ndarray) -> None:
    from skhisto import patch_report

    rng = np.random.default_rng(0)
    before = patch_report(X)
    clean = np.setdiff1d(np.arange(len(X)), before.rows())
    # All kinds at once, in distinct patches and as copies of distinct patches.
    n = min(N_PLANTED, len(clean) // (2 * len(KINDS)))
    parts = rng.permutation(clean)[: 2 * n * len(KINDS)].reshape(len(KINDS), 2, n)
    changed = X.copy()
    for (rows, sources), (problem, change) in zip(parts, KINDS.values(), strict=True):
        is_copy = "duplicate" in problem
        for row, source in zip(rows, sources if is_copy else rows, strict=True):
            changed[row] = change(X[source])
    report = patch_report(changed)
    for (rows, _), (kind, (problem, _)) in zip(parts, KINDS.items(), strict=True):
        found = np.isin(rows, report.rows(problem)).mean()
        false = len(before.rows(problem))
        table.add(kind, f"{name}, {len(X):,}", f"{found:.0%}", f"{false} ({problem})")
    _add_labels(table, name, X, y, rng)


def _add_labels(
    table: Table, name: str, X: np.ndarray, y: np.ndarray, rng: np.random.Generator
) -> None:
    from skhisto import patch_report

    wrong = rng.random(len(y)) < SHARE_OF_WRONG_LABELS
    noisy = np.where(wrong, 1 - y, y)
    proba = _out_of_fold(X, noisy)
    rows = patch_report(X, noisy, proba=proba).rows("doubtful label")
    found = np.isin(np.flatnonzero(wrong), rows).mean()
    table.add(
        f"wrong labels, {SHARE_OF_WRONG_LABELS:.0%}",
        f"{name}, {len(X):,}",
        f"{found:.0%}",
        f"{np.mean(~wrong[rows]):.0%} of {len(rows)} were labelled correctly",
    )


def _out_of_fold(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Predict with gradient boosting on histograms of colours and details."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.model_selection import cross_val_predict

    features = np.stack([_histograms(patch) for patch in X])
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    return cross_val_predict(model, features, y, cv=4, method="predict_proba")


def _histograms(patch: np.ndarray) -> np.ndarray:
    third = len(patch) // 3
    images = [patch, patch[third:-third, third:-third]]
    images += [gaussian_filter(images[1].astype(float), (s, s, 0)) for s in (2, 4)]
    counts = [
        np.histogram(image[..., channel], bins=24, range=(0, 256))[0]
        for image in images
        for channel in range(3)
    ]
    return np.concatenate(counts)
