"""Predictions for all windows of a region in one pass."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from skhisto._keras.dense_layers import DenseLayers, NotDenseError, Pair, dense_layers
from skhisto._keras.fast_layers import use_faster_layers
from skhisto._keras.folding import fold, prepare_folding
from skhisto._keras.inference import logits_of_mean_probabilities
from skhisto._keras.network import NetworkSpec
from skhisto._keras.weights import Weights, set_weights
from skhisto.patches._views import inverse, view


class DenseNetwork:
    """A network with a traced function that maps a region to logits of its windows.

    Windows must cover the region exactly. One trace serves regions of all sizes.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    stride : int
        Distance of neighbouring windows in pixels.

    Raises
    ------
    NotDenseError
        If the network cannot be applied to a region with this stride.
    """

    def __init__(self, spec: NetworkSpec, stride: int) -> None:
        self.network = spec.build()
        self._folded = prepare_folding(self.network)
        use_faster_layers(self.network)
        self._layers = dense_layers(self.network)
        strides = strides_between_windows(self._layers, stride)
        self._logits = tf.function(
            lambda region: _logits_of(self._layers, region, strides), autograph=False
        ).get_concrete_function(
            tf.TensorSpec(
                (1, None, None, spec.ends.patch_shape[2]), spec.ends.pixel_dtype
            )
        )

    def load(self, weights: Weights) -> None:
        """Set the weights."""
        set_weights(self.network, weights)
        fold(self._folded)

    def logits(self, region: np.ndarray, views: Sequence[int] = (0,)) -> np.ndarray:
        """Return the logits of all windows, float32 of shape (rows, columns, outputs).

        With several views of the square, these are the logits of the mean
        probabilities. A view of a window is a window of the viewed region.
        """
        of_views = []
        for number in views:
            viewed = np.ascontiguousarray(view(region[np.newaxis], number))
            logits = self._logits(tf.constant(viewed)).numpy()
            of_views.append(view(logits[np.newaxis], inverse(number))[0])
        if len(views) == 1:
            return of_views[0]
        return logits_of_mean_probabilities(np.stack(of_views))


def check_dense(spec: NetworkSpec, stride: int) -> DenseLayers:
    """Return the layers of a network that can be applied to a region.

    Raises
    ------
    NotDenseError
        If the network cannot be applied to a region with this stride.
    """
    if spec.config is None:
        raise NotDenseError("The network cannot be stored, so its layers are unknown.")
    found = dense_layers(spec.build())
    strides_between_windows(found, stride)
    return found


def strides_between_windows(found: DenseLayers, stride: int) -> Pair:
    """Return the vertical and horizontal strides of windows, in map positions."""
    for own in found.stride:
        if stride % own:
            raise NotDenseError(
                f"stride={stride} is not a multiple of {own} pixels, the stride of the "
                "network."
            )
    return stride // found.stride[0], stride // found.stride[1]


def _logits_of(found: DenseLayers, region: tf.Tensor, strides: Pair) -> tf.Tensor:
    maps = region
    for layer in found.body:
        maps = layer(maps)
    maps = found.collect(maps, strides)
    n_rows, n_columns = tf.shape(maps)[1], tf.shape(maps)[2]
    vectors = tf.reshape(maps, (-1, maps.shape[-1]))
    for layer in found.tail:
        vectors = layer(vectors)
    return tf.reshape(vectors, (n_rows, n_columns, vectors.shape[-1]))
