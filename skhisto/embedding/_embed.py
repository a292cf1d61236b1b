"""Computation of features, a few patches at a time."""

from collections.abc import Sequence
from contextlib import closing

import numpy as np

from skhisto._data.checks import pixel_dtype_of
from skhisto._data.decoding import as_pixels, check_unit_range, prefetch, range_of
from skhisto.embedding._backbones import Backbone
from skhisto.embedding._store import FeatureStore, keys_of
from skhisto.patches._definition import Patches
from skhisto.patches._resizing import resize_patches

# Approximate size of a chunk of float32 patches in bytes. The number of patches is a
# multiple of the batch sizes of all backbones, so that few batches need padding.
_BYTES_PER_CHUNK = 2**25
_CHUNK_STEP = 96


class Embedding:
    """Function that returns the features of any number of patches.

    Parameters
    ----------
    backbone : Backbone
    size : tuple of int (height, width) or None
        The size to which patches are resized. None keeps their size.
    views : sequence of int
        Views of the square whose features are averaged.
    store : FeatureStore or None
        Storage of features.
    verbose : bool
        Whether to print progress.
    """

    def __init__(
        self,
        backbone: Backbone,
        *,
        size: tuple[int, int] | None,
        views: Sequence[int],
        store: FeatureStore | None,
        verbose: bool,
    ) -> None:
        self._backbone = backbone
        self._size = size
        self._views = views
        self._store = store
        self._verbose = verbose

    def __call__(self, X: Patches) -> np.ndarray:
        """Return the features of patches, float32 of shape (n, n_features)."""
        features = np.empty((len(X), self._backbone.n_features), np.float32)
        step = self._chunk_size(X.shape[1:])
        starts = range(0, len(X), step)
        pixel_dtype = pixel_dtype_of(X)

        def decode(start: int) -> np.ndarray:
            return as_pixels(X[start : start + step], pixel_dtype)

        with closing(prefetch(decode, starts)) as chunks:
            for start, patches in zip(starts, chunks, strict=True):
                if self._backbone.is_pretrained_on_pixels:
                    check_unit_range(range_of(patches))
                end = start + len(patches)
                features[start:end] = self._chunk(patches, start)
                if self._verbose:
                    print(f"[PatchEmbedder] {end:,} of {len(X):,} patches", flush=True)
        return features

    def _chunk_size(self, patch_shape: tuple[int, ...]) -> int:
        height, width = np.maximum(patch_shape[:2], self._size or (1, 1))
        n = _BYTES_PER_CHUNK // (4 * int(height) * int(width) * patch_shape[2])
        return max(1, n // _CHUNK_STEP) * _CHUNK_STEP

    def _chunk(self, patches: np.ndarray, start: int) -> np.ndarray:
        """Embed consecutive patches that begin at row `start`."""
        if self._store is None:
            return self._embed(patches, start + np.arange(len(patches)))
        keys = keys_of(patches)
        found = dict(zip(keys, self._store.read(keys), strict=True))
        known = {key: row for key, row in found.items() if row is not None}
        unknown = {key: row for row, key in enumerate(keys) if key not in known}
        if unknown:
            rows = np.array(list(unknown.values()))
            features = self._embed(patches[rows], start + rows)
            self._store.write(list(unknown), features)
            known |= zip(unknown, features, strict=True)
        return np.stack([known[key] for key in keys])

    def _embed(self, patches: np.ndarray, rows: np.ndarray) -> np.ndarray:
        if self._size is not None:
            patches = resize_patches(patches, self._size)
        views = self._backbone.features(patches, self._views)
        # Sorted, so that a rotated patch has bitwise equal features.
        features = np.sort(views, axis=0).mean(axis=0)
        bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
        if len(bad):
            raise ValueError(
                f"The backbone returned NaN or infinite features for {len(bad)} "
                f"patches. The first is in row {rows[bad[0]]}. Check the weights of "
                "the backbone and, for files, mean and std."
            )
        return features
