"""Patches to batches."""

import warnings
from collections.abc import Generator, Sequence
from contextlib import closing
from typing import NamedTuple

import numpy as np

from skhisto._data.decoding import as_pixels, check_unit_range, prefetch, range_of
from skhisto._data.samples import Samples
from skhisto._types import AugmentFunction, ValueRange

# Images scaled to [0, 1] or [-1, 1], or standardised, do not exceed this. Pixels from
# 0 to 255 do, wherever there is anything but black.
_MAX_SCALED = 16
# Enough for statistics of every channel, and next to nothing beside a fit.
_SAMPLE_SIZE = 1024
_SAMPLE_BATCH_SIZE = 64
# Tags of random streams: larger than any epoch's number, by which the order is drawn.
_AUGMENT, _SAMPLE = 2**31, 2**31 + 1


class Batch(NamedTuple):
    """One training step's rows.

    Attributes
    ----------
    patches : ndarray of shape (batch_size, height, width, channels)
    target : ndarray of shape (batch_size,)
        Class numbers.
    weight : ndarray of shape (batch_size,), float32
        Zero in rows that only fill the batch up, and such that the mean over the
        batch is the mean over the others.
    n_rows : int
        Rows that are not filling.
    total_weight : float
        Sum of the rows' own weights.
    value_range : tuple of float (minimum, maximum), or None
        Of the patches before augmentation; None for pixels of an integer dtype.
    """

    patches: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    n_rows: int
    total_weight: float
    value_range: ValueRange | None


class TrainingBatches:
    """Batches of a constant size, in a new order in every epoch.

    The last batch of an epoch is filled up with further training rows of weight zero:
    blank patches would enter the statistics of batch norm.

    Parameters
    ----------
    samples : Samples
    batch_size : int
    pixel_dtype : str
        Dtype of the patches in a batch.
    augment : callable, default=None
        Gets the patches of a batch and a random generator, gives other patches.
    needs_pixels : bool, default=False
        Whether numbers outside of [0, 1] are an error.
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
        """Yield the batches of one epoch, whose order and augmentation seed gives."""
        order = np.random.default_rng(seed).permutation(len(self.samples))

        def batch(start: int) -> Batch:
            positions = order[start : start + self.batch_size]
            filling = order[: self.batch_size - len(positions)]
            # A generator of its own: batches do not depend on those before them.
            rng = np.random.default_rng([*seed, _AUGMENT, start])
            return self._batch(positions, filling, rng)

        with closing(prefetch(batch, range(0, len(order), self.batch_size))) as ready:
            for loaded in ready:
                self._record(loaded.value_range)
                yield loaded

    def _record(self, value_range: ValueRange | None) -> None:
        """Extend the range of values seen; warn once if they look like raw pixels."""
        if value_range is None:
            return
        low, high = self.value_range or value_range
        was_scaled = max(-low, high) <= _MAX_SCALED or self.value_range is None
        low, high = min(low, value_range[0]), max(high, value_range[1])
        if max(-low, high) > _MAX_SCALED and was_scaled:
            warnings.warn(
                f"X holds values from {low:g} to {high:g} that are neither uint8 nor "
                "uint16, so the network takes them as they are. Networks expect values "
                "of the order of 1. If X holds pixels from 0 to 255, convert them with "
                "X.astype(np.uint8), which the network divides by 255; otherwise scale "
                "them.",
                stacklevel=2,
            )
        self.value_range = (low, high)

    def sample(self, seed: int) -> Generator[np.ndarray, None, None]:
        """Yield batches of plain patches: all of them, or some that are drawn."""
        rng = np.random.default_rng([seed, _SAMPLE])
        order = rng.permutation(len(self.samples))[:_SAMPLE_SIZE]
        # Of about the same size: a small one at the end would be noise.
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
