"""The last images inside a network, and what a logit owes to them."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import tensorflow as tf
from keras import layers

from skhisto._data.decoding import as_pixels
from skhisto._keras.network import NetworkSpec
from skhisto._keras.recording import Call, leaves, recording
from skhisto._keras.weights import Weights, set_weights
from skhisto.patches._definition import Patches

_BATCH_SIZE = 24


class Activations:
    """The network of a fit, and the last of its layers that gives an image.

    Layers are found by the order in which they are called, so that those within
    networks of any kind count. An image has more than one place.

    Attributes
    ----------
    strides : tuple of float (vertical, horizontal)
        Distance of the places of that image, in pixels of the patch.

    Raises
    ------
    ValueError
        If no layer gives an image.
    """

    def __init__(self, spec: NetworkSpec, weights: Weights) -> None:
        self._ends = spec.ends
        self._network = replace(spec, precision="float32").build()
        set_weights(self._network, weights)
        self._layer, self.strides = self._find_last_image()

    def _find_last_image(self) -> tuple[layers.Layer, tuple[float, float]]:
        ends = self._ends
        blank = tf.zeros((1, *ends.patch_shape), ends.pixel_dtype)
        with recording(leaves(self._network)) as calls:
            self._network(blank, training=False)
        # Patches that were only scaled are no image inside the network.
        before = self._network.layers[:2] if ends.pixel_dtype != "float32" else []
        images = [
            call for call in calls if _is_image(call[2]) and call[0] not in before
        ]
        if not images:
            raise ValueError(
                f"The network {self._network.name!r} has no layer that gives an image "
                "of more than one place, so that there are no activations to map."
            )
        vertical, horizontal = (
            _stride(images, axis, ends.patch_shape[axis - 1]) for axis in (1, 2)
        )
        return images[-1][0], (vertical, horizontal)

    def batches(
        self, X: Patches, outputs: np.ndarray, signs: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield images, and the gradients of a logit with respect to them.

        Parameters
        ----------
        X : patches of shape (n, height, width, channels)
        outputs : ndarray of shape (n,), int
            Which logit of each patch.
        signs : ndarray of shape (n,)
            What each logit is multiplied by: -1 for the first of two classes, which
            have but one logit.

        Yields
        ------
        images, gradients : ndarray of shape (n_batch, rows, columns, channels)
        """
        for start in range(0, len(X), _BATCH_SIZE):
            rows = slice(start, start + _BATCH_SIZE)
            patches = tf.constant(as_pixels(X[rows], self._ends.pixel_dtype))
            with (
                tf.GradientTape(watch_accessed_variables=False) as tape,
                recording([self._layer], tape) as calls,
            ):
                logits = self._network(patches, training=False)
                chosen = tf.gather(logits, outputs[rows], axis=1, batch_dims=1)
                target = chosen * tf.constant(signs[rows], tf.float32)
            images = calls[-1][2]
            gradients = tape.gradient(
                target, images, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            yield images.numpy(), gradients.numpy()


def _is_image(outputs: Any) -> bool:
    shape = getattr(outputs, "shape", ())
    return len(shape) == 4 and min(shape[1:3]) > 1


def _stride(images: list[Call], axis: int, side: float) -> float:
    """Return how many pixels of the patch lie between two places of the last image.

    A layer makes images smaller by its strides, or by cropping, or as a whole; so does
    what happens between layers. What makes them larger again does it as a whole.
    """
    stride = 1.0
    for layer, inputs, outputs in images:
        if _is_image(inputs) and inputs.shape[axis] < side:
            stride *= side / inputs.shape[axis]
            side = inputs.shape[axis]
        size = outputs.shape[axis]
        if size == side or isinstance(layer, layers.ZeroPadding2D):
            continue
        if size < side and hasattr(layer, "strides"):
            stride *= layer.strides[axis - 1]
        elif not isinstance(layer, (layers.Cropping2D, layers.CenterCrop)):
            stride *= side / size
        side = size
    return stride
