"""Weights to predictions."""

import keras
import numpy as np
import tensorflow as tf

from skhisto._input import Patches
from skhisto._network.architectures import (
    NetworkSpec,
    Weights,
    build,
    set_weights,
    with_probabilities,
)
from skhisto._network.batches import as_pixels
from skhisto._network.pool import POOL

# Matrix products round differently for another number of rows, and in those rows at
# the end that are left over from the kernels' blocks of 4, 6, 8, 12, 16 or 24 rows. So
# every batch has this one size, a multiple of them all: a patch gets the same
# prediction bitwise, wherever it stands and whatever else is predicted with it.
BATCH_SIZE = 48


class InferenceNetwork:
    """A network with a traced function from one batch of patches to logits."""

    def __init__(self, spec: NetworkSpec) -> None:
        self.network = build(spec, seed=0)
        self._batch = np.zeros((BATCH_SIZE, *spec.patch_shape), spec.pixel_dtype)
        self._logits = tf.function(
            lambda patches: self.network(patches, training=False), autograph=False
        ).get_concrete_function(tf.TensorSpec(self._batch.shape, spec.pixel_dtype))

    def logits(self, X: Patches, rows: np.ndarray) -> np.ndarray:
        """Return the logits of these rows, float32 of shape (n, n_outputs)."""
        logits = np.empty((len(rows), self.network.output_shape[-1]), np.float32)
        for start in range(0, len(rows), BATCH_SIZE):
            patches = X[rows[start : start + BATCH_SIZE]]
            self._batch[: len(patches)] = as_pixels(patches, self._batch.dtype.name)
            batch_logits = self._logits(tf.constant(self._batch)).numpy()
            logits[start : start + BATCH_SIZE] = batch_logits[: len(patches)]
        return logits


def predict_logits(
    spec: NetworkSpec, weights: Weights, X: Patches, rows: np.ndarray | None = None
) -> np.ndarray:
    """Return the logits of these rows, or all, float32 of shape (n, n_outputs)."""
    rows = np.arange(len(X)) if rows is None else rows
    key = ("inference", spec.key)
    with POOL.borrow(key, lambda: InferenceNetwork(spec)) as inference:
        set_weights(inference.network, weights)
        return inference.logits(X, rows)


def live_model(spec: NetworkSpec, weights: Weights) -> keras.Model:
    """Return a new Keras model with these weights, from patches to probabilities."""
    model = with_probabilities(build(spec, seed=0))
    set_weights(model, weights)
    return model
