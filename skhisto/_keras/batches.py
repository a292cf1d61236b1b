"""Batches of training patches."""

import warnings
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np

from skhisto._data.decoding import as_pixels, check_unit_range, prefetch, range_of
from skhisto._data.samples import Samples
from skhisto._types import AugmentFunction, ValueRange

# Images that are standardised or scaled to [0, 1] or [-1, 1] do not exceed this number.
# Unscaled pixels do, unless they are nearly black.
_MAX_SCALED = 16
# Enough patches for the statistics of each channel, at a negligible cost.
_SAMPLE_SIZE = 1024
_SAMPLE_BATCH_SIZE = 64
# Tags of random streams. They are larger than the numbers of epochs, which seed the
# order of the patches.
_AUGMENT, _SAMPLE = 2**31, 2**31 + 1


class Batch(NamedTuple):
    """The rows of one training step.

    Attributes
    ----------
    patches : ndarray of shape (batch_size, height, width, channels)
        Augmented patches.
    target : ndarray of shape (batch_size,)
        Class numbers.
    weight : ndarray of shape (batch_size,), float32
        Weights in the loss. Padding rows have the weight zero. The other weights are
        scaled so that the mean over the batch is the mean over the rows.
    n_rows : int
        Number of rows without padding.
    total_weight : float
        Sum of the unscaled weights.
    value_range : tuple of float (minimum, maximum), or None
        Range of the patches before augmentation. None for integer dtypes.
    """

    patches: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    n_rows: int
    total_weight: float
    value_range: ValueRange | None


class TrainingBatches:
    """Batches of a constant size, in a new order in each epoch.

    The last batch of an epoch is padded with training rows of weight zero. Blank
    patches would distort the statistics of batch normalisation.

    Parameters
    ----------
    samples : Samples
        The training rows.
    batch_size : int
        Number of rows in a batch.
    pixel_dtype : str
        Dtype of the patches in a batch.
    augment : callable, default=None
        A function ``(patches, rng) -> patches``.
    needs_pixels : bool, default=False
        Whether numbers outside [0, 1] are an error.
    """

    def __init__(
        self,
        samples: Samples,
        *,
        batch_size: int,
        pixel_dtype: str,
        augment: AugmentFunction | None = None,
        needs_pixels: bool = False,
    ) -> None:
        self.samples = samples
        self._needs_pixels = needs_pixels
        self.augment = augment
        self.target = samples.target
        self.batch_size = min(batch_size, len(samples))
        self.pixel_dtype = pixel_dtype
        self.value_range: ValueRange | None = None

    def __len__(self) -> int:
        return -(-len(self.samples) // self.batch_size)

    def epoch(self, seed: Sequence[int]) -> Generator[Batch, None, None]:
        """Yield the batches of one epoch. `seed` determines order and augmentation."""
        order = np.random.default_rng(seed).permutation(len(self.samples))

        def batch(start: int) -> Batch:
            positions = order[start : start + self.batch_size]
            filling = order[: self.batch_size - len(positions)]
            # A separate generator, so that batches do not depend on previous batches.
            rng = np.random.default_rng([*seed, _AUGMENT, start])
            return self._batch(positions, filling, rng)

        with closing(prefetch(batch, range(0, len(order), self.batch_size))) as ready:
            for loaded in ready:
                self._record(loaded.value_range)
                yield loaded

    def _record(self, value_range: ValueRange | None) -> None:
        """Extend the range of values, and warn once if they look like raw pixels."""
        if value_range is None:
            return
        low, high = self.value_range or value_range
        was_scaled = max(-low, high) <= _MAX_SCALED or self.value_range is None
        low, high = min(low, value_range[0]), max(high, value_range[1])
        if max(-low, high) > _MAX_SCALED and was_scaled:
            warnings.warn(
                f"X contains values from {low:g} to {high:g}. Their dtype is neither "
                "uint8 nor uint16, so the network does not rescale them. Networks need "
                "values of the order of 1. Convert pixels from 0 to 255 with "
                "X.astype(np.uint8), which the network divides by 255. Scale other "
                "values.",
                stacklevel=2,
            )
        self.value_range = (low, high)

    def sample(self, seed: int) -> Generator[np.ndarray, None, None]:
        """Yield batches of patches without augmentation, up to a maximum number."""
        rng = np.random.default_rng([seed, _SAMPLE])
        order = rng.permutation(len(self.samples))[:_SAMPLE_SIZE]
        # Batches of nearly equal size. Statistics of a small last batch would be noisy.
        n_batches = -(-len(order) // _SAMPLE_BATCH_SIZE)

        def patches(positions: np.ndarray) -> np.ndarray:
            rows = self.samples.rows[positions]
            return as_pixels(self.samples.X[rows], self.pixel_dtype)

        return prefetch(patches, np.array_split(order, n_batches))

    def _batch(
        self, positions: np.ndarray, filling: np.ndarray, rng: np.random.Generator
    ) -> Batch:
        samples, n_rows = self.samples, len(positions)
        weight = np.zeros(self.batch_size, np.float32)
        weight[:n_rows] = samples.weight[positions] * (self.batch_size / n_rows)
        positions_and_filling = np.concatenate([positions, filling])
        patches = as_pixels(
            samples.X[samples.rows[positions_and_filling]], self.pixel_dtype
        )
        value_range = range_of(patches)
        if self._needs_pixels:
            check_unit_range(value_range)
        return Batch(
            patches=patches if self.augment is None else self.augment(patches, rng),
            target=self.target[positions_and_filling],
            weight=weight,
            n_rows=n_rows,
            total_weight=float(samples.weight[positions].sum()),
            value_range=value_range,
        )
