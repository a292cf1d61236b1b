"""The last image inside a network, and the gradient of a logit with respect to it."""

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
    """A fitted network and the last of its layers that returns an image.

    An image has more than one position. The order in which layers are called determines
    the last layer. This includes the layers of nested and subclassed networks.

    Attributes
    ----------
    strides : tuple of float (vertical, horizontal)
        Distance of neighbouring positions of the image, in pixels of the patch.

    Raises
    ------
    ValueError
        If none of the layers returns an image.
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
        # The first two layers of a network of pixels only rescale the patches.
        before = self._network.layers[:2] if ends.pixel_dtype != "float32" else []
        images = [
            call for call in calls if _is_image(call[2]) and call[0] not in before
        ]
        if not images:
            raise ValueError(
                f"Activations of the network {self._network.name!r} cannot be mapped, "
                "because none of its layers returns an image with more than one "
                "position."
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
        X : ndarray or PatchArray of shape (n, height, width, channels)
            The patches.
        outputs : ndarray of shape (n,), int
            Position of the logit for each patch.
        signs : ndarray of shape (n,)
            Factor of the logit for each patch. It is -1 for the first of two classes,
            which share one logit.

        Yields
        ------
        images, gradients : ndarray of shape (n_batch, rows, columns, channels)
            The images of a batch and their gradients.
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
    """Return the distance of two positions of the last image in pixels of the patch.

    Layers with strides reduce an image by their strides. Cropping and padding do not
    change the distance. All other layers, and operations between layers, are assumed to
    resize the image as a whole.
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
