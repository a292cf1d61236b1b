"""Predictions of networks."""

import warnings
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf
from scipy.special import log_expit, log_softmax, logsumexp

from skhisto._data.decoding import as_pixels, check_unit_range, prefetch, range_of
from skhisto._keras.engines import ENGINES
from skhisto._keras.fast_layers import use_faster_layers
from skhisto._keras.folding import fold, prepare_folding
from skhisto._keras.network import NetworkSpec, with_probabilities
from skhisto._keras.pool import POOL
from skhisto._keras.weights import Weights, set_weights
from skhisto._types import ValueRange
from skhisto.patches._definition import Patches
from skhisto.patches._views import view

# The rounding of matrix products depends on the number of rows, and on whether a row is
# part of a complete block of 3, 4, 6 or 8 rows. Therefore all batches have one size,
# which is a multiple of these numbers. The prediction of a patch is then bitwise
# independent of its position and of the other patches. Larger batches are slower: for
# images of more than 32 MB, glibc requests memory from the system in each operation.
BATCH_SIZES = {"float32": 24, "bfloat16": 48, "float16": 48}
# Values that are smaller than the fitted values by this factor are suspicious.
_TINY = 50


class InferenceNetwork:
    """A network with a traced function that maps one batch of patches to outputs.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    outputs_of : callable, default=None
        A function of the network and a tensor of patches. It returns a float32 tensor
        of shape (n, n_outputs). None uses the outputs of the network.
    engine : {"keras", "openvino"}, default="keras"
        The engine that computes the traced function.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        outputs_of: Callable[[keras.Model, tf.Tensor], tf.Tensor] | None = None,
        engine: str = "keras",
    ) -> None:
        self._engine = ENGINES[engine](spec)
        self.network = self._engine.traced_spec.build()
        self._folded = prepare_folding(self.network)
        use_faster_layers(self.network)
        self._ends = spec.ends
        self._batch_size = BATCH_SIZES[spec.precision]
        apply = outputs_of or _logits_of
        self._traced = tf.function(
            lambda patches: apply(self.network, patches), autograph=False
        ).get_concrete_function(
            tf.TensorSpec(
                (self._batch_size, *spec.ends.patch_shape), spec.ends.pixel_dtype
            )
        )
        self.n_outputs = int(self._traced.output_shapes[-1])

    def load(self, weights: Weights) -> None:
        """Set the weights."""
        self._run = self._engine.load(self._traced, weights, self._set_weights)

    def _set_weights(self, weights: Weights) -> None:
        set_weights(self.network, weights)
        fold(self._folded)

    def outputs(
        self,
        X: Patches,
        rows: np.ndarray,
        views: Sequence[int],
        needs_pixels: bool = False,
    ) -> tuple[np.ndarray, list[ValueRange]]:
        """Return the outputs for views of these rows, and the ranges of the batches.

        The outputs have the shape (n_views, n, n_outputs). With `needs_pixels`, numbers
        outside [0, 1] are an error.
        """
        outputs = np.empty((len(views), len(rows), self.n_outputs), np.float32)
        ranges: list[ValueRange] = []
        starts = range(0, len(rows), self._batch_size)

        def batch(start: int) -> np.ndarray:
            patches = X[rows[start : start + self._batch_size]]
            pixels = as_pixels(patches, self._ends.pixel_dtype)
            value_range = range_of(pixels)
            if needs_pixels:
                check_unit_range(value_range)
            if value_range is not None:
                ranges.append(value_range)
            return self._filled(pixels)

        # Each patch is decoded once for all of its views.
        with closing(prefetch(batch, starts)) as batches:
            for start, patches in zip(starts, batches, strict=True):
                end = min(start + self._batch_size, len(rows))
                for position, number in enumerate(views):
                    batch_outputs = self._run(view(patches, number))
                    outputs[position, start:end] = batch_outputs[: end - start]
        return outputs, ranges

    def _filled(self, pixels: np.ndarray) -> np.ndarray:
        """Pad the batch with blank patches."""
        n_blank = self._batch_size - len(pixels)
        return np.pad(pixels, [(0, n_blank), (0, 0), (0, 0), (0, 0)])


def _logits_of(network: keras.Model, patches: tf.Tensor) -> tf.Tensor:
    return network(patches, training=False)


def predict_logits(
    spec: NetworkSpec,
    weights: Weights,
    X: Patches,
    rows: np.ndarray | None = None,
    views: Sequence[int] = (0,),
    fitted_range: ValueRange | None = None,
    needs_pixels: bool = False,
    engine: str = "keras",
) -> np.ndarray:
    """Return the logits of the given or all rows, float32 of shape (n, n_outputs).

    With several views of the square, these are the logits of the mean probabilities.

    Raises
    ------
    ValueError
        With `needs_pixels`, if numbers are outside [0, 1].
    ImportError
        If the library of the engine is not installed.

    Warns
    -----
    UserWarning
        If values are far outside `fitted_range`, the range of the training patches.
    """
    rows = np.arange(len(X)) if rows is None else rows
    with POOL.borrow(
        ("inference", spec, engine), lambda: InferenceNetwork(spec, engine=engine)
    ) as inference:
        inference.load(weights)
        logits, ranges = inference.outputs(X, rows, views, needs_pixels)
    check_range(ranges, fitted_range)
    return logits[0] if len(views) == 1 else logits_of_mean_probabilities(logits)


def check_range(ranges: Sequence[ValueRange], fitted_range: ValueRange | None) -> None:
    """Warn if values are far outside the range of the training patches."""
    if fitted_range is None or not ranges:
        return
    low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
    span = fitted_range[1] - fitted_range[0] or abs(fitted_range[1]) or 1.0
    largest, fitted_largest = max(-low, high), max(-fitted_range[0], fitted_range[1])
    is_outside = low < fitted_range[0] - span or high > fitted_range[1] + span
    # For example, values in [0, 1] after a fit on values in [0, 255].
    if is_outside or largest < fitted_largest / _TINY:
        warnings.warn(
            f"X contains values from {low:g} to {high:g}, but the classifier was "
            f"fitted on values from {fitted_range[0]:g} to {fitted_range[1]:g}. Scale "
            "X in the same way as in fit.",
            stacklevel=2,
        )


def logits_of_mean_probabilities(logits: np.ndarray) -> np.ndarray:
    """Return the logits of the mean probabilities over the first axis.

    All steps use logarithms, so that the results do not saturate.
    """
    logits = logits.astype(np.float64)
    if logits.shape[-1] == 1:
        mean = _log_of_mean(log_expit(logits)) - _log_of_mean(log_expit(-logits))
    else:
        mean = _log_of_mean(log_softmax(logits, axis=-1))
    return mean.astype(np.float32)


def _log_of_mean(logarithms: np.ndarray) -> np.ndarray:
    # Sorted, so that the result is bitwise independent of the order of the views.
    total = logsumexp(np.sort(logarithms, axis=0), axis=0)
    return total - np.log(len(logarithms))


def live_model(spec: NetworkSpec, weights: Weights) -> keras.Model:
    """Return a new Keras model that maps patches to probabilities."""
    model = with_probabilities(replace(spec, precision="float32").build())
    set_weights(model, weights)
    return model
