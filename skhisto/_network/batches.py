"""Patches to batches."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from skhisto._images.patch_array import PatchArray


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
    """

    patches: np.ndarray
    target: np.ndarray
    weight: np.ndarray
    n_rows: int
    total_weight: float


class TrainingBatches:
    """Batches of a constant size, in a new order in every epoch.

    The last batch of an epoch is filled up with further training rows of weight zero:
    blank patches would enter the statistics of batch norm.

    Parameters
    ----------
    X : ndarray or PatchArray of shape (n, height, width, channels)
    target : ndarray of shape (n,), int
    weight : ndarray of shape (n,)
    batch_size : int
    pixel_dtype : str
        Dtype of the patches in a batch.
    """

    def __init__(
        self,
        X: np.ndarray | PatchArray,
        target: np.ndarray,
        weight: np.ndarray,
        *,
        batch_size: int,
        pixel_dtype: str,
    ) -> None:
        self.X = X
        self.target = target
        self.weight = weight
        self.batch_size = min(batch_size, len(X))
        self.pixel_dtype = pixel_dtype

    def __len__(self) -> int:
        return -(-len(self.X) // self.batch_size)

    def epoch(self, rng: np.random.Generator) -> Iterator[Batch]:
        """Yield the batches of one epoch in an order drawn from `rng`."""
        order = rng.permutation(len(self.X))
        for start in range(0, len(order), self.batch_size):
            rows = order[start : start + self.batch_size]
            filling = order[: self.batch_size - len(rows)]
            yield self._batch(rows, filling)

    def _batch(self, rows: np.ndarray, filling: np.ndarray) -> Batch:
        weight = np.zeros(self.batch_size, np.float32)
        weight[: len(rows)] = self.weight[rows] * (self.batch_size / len(rows))
        rows_and_filling = np.concatenate([rows, filling])
        return Batch(
            patches=np.asarray(self.X[rows_and_filling], dtype=self.pixel_dtype),
            target=self.target[rows_and_filling],
            weight=weight,
            n_rows=len(rows),
            total_weight=float(self.weight[rows].sum()),
        )
