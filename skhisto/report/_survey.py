"""One pass over all images that keeps a few hundred bytes per image."""

import hashlib
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from skhisto.patches._measures import (
    Scale,
    contrast,
    glass_share,
    ink_share,
    sharpness,
    to_grey,
)
from skhisto.report._images import Batch, Unreadable, batches_of
from skhisto.report._perceptual_hash import SIDE, coefficients


class Survey(NamedTuple):
    """The results of a pass over the images of a data set."""

    measures: pd.DataFrame
    """One row per patch, see `PatchReport`. NaN for files that cannot be read."""

    digests: np.ndarray
    """Digests of the pixels, of dtype object. None for files that cannot be read."""

    coefs: np.ndarray
    """Coefficients for the perceptual hash, of shape (n, 8, 8)."""

    unreadable: list[Unreadable]
    """The files that cannot be read."""


def survey(X: Any) -> Survey:
    """Read all images once and measure them."""
    scale, parts, unreadable = Scale(), [], []
    for batch in batches_of(X):
        if isinstance(batch, Unreadable):
            unreadable.append(batch)
        else:
            parts.append((batch.rows, *_measure(batch, scale)))
    n_patches = sum(len(part[0]) for part in parts) + len(unreadable)
    digests = np.full(n_patches, None, dtype=object)
    coefs = np.zeros((n_patches, SIDE, SIDE), np.float16)
    for rows, _, some_digests, some_coefs in parts:
        digests[rows], coefs[rows] = some_digests, some_coefs
    tables = [table.set_axis(rows) for rows, table, *_ in parts]
    measures = pd.concat(tables) if tables else pd.DataFrame()
    return Survey(measures.reindex(range(n_patches)), digests, coefs, unreadable)


def _measure(
    batch: Batch, scale: Scale
) -> tuple[pd.DataFrame, list[bytes], np.ndarray]:
    """Return measures, digests and coefficients of images of one size."""
    images = scale(batch.images)
    grey = to_grey(images)
    measures = {
        "height": images.shape[1],
        "width": images.shape[2],
        "mode": f"{batch.images.dtype}, {images.shape[3]} channels",
        "contrast": contrast(images),
        "sharpness": sharpness(grey),
        "glass": glass_share(images),
        "ink": ink_share(images),
    }
    digests = [
        hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        for image in batch.images
    ]
    return pd.DataFrame(measures), digests, coefficients(grey)
