"""Exportable TensorFlow functions that map patches to probabilities.

All steps are part of the TensorFlow graph: crops, resizing, views, network and
probabilities. The graph contains only operations that converters support. In
particular, views are implemented as transpositions and slices, because some converters
do not support `tf.reverse`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tensorflow as tf

from skhisto._keras.network import NetworkSpec
from skhisto._keras.weights import Weights, set_weights

INPUT, OUTPUT = "patches", "probabilities"
_OPSET = 17  # the newest that tf2onnx 1.17 and OpenVINO support in full


@dataclass(frozen=True)
class Window:
    """A crop of patches.

    Parameters
    ----------
    rows, columns : slice
        The part to keep.
    """

    rows: slice
    columns: slice

    def __call__(self, patches: tf.Tensor) -> tf.Tensor:
        """Crop patches of shape (n, height, width, channels)."""
        return patches[:, self.rows, self.columns]


@dataclass(frozen=True, eq=False)
class Resampling:
    """Resizing with one matrix for each axis, with the same results as Pillow.

    Sums are computed in float64, and the result of each axis is rounded to float32.
    Other formats would round some sums that end in one half differently.

    Parameters
    ----------
    rows, columns : ndarray of shape (old, new), float64
        Weights of the old pixels in each new pixel.
    """

    rows: np.ndarray
    columns: np.ndarray

    def __call__(self, patches: tf.Tensor) -> tf.Tensor:
        """Resize patches of shape (n, height, width, channels) and any dtype."""
        planes = tf.transpose(tf.cast(patches, tf.float64), (0, 3, 1, 2))
        for matrix in (self.columns, self.rows):
            if matrix.shape[0] != matrix.shape[1]:  # Pillow skips equal sizes too
                planes = _as_float32(tf.matmul(planes, matrix))
            planes = tf.transpose(planes, (0, 1, 3, 2))
        resized = tf.transpose(planes, (0, 2, 3, 1))
        if patches.dtype.is_integer:
            limit = float(patches.dtype.max)
            resized = tf.clip_by_value(tf.round(resized), 0.0, limit)
        return tf.cast(resized, patches.dtype)


def _as_float32(planes: tf.Tensor) -> tf.Tensor:
    """Round float64 numbers to the precision of float32."""
    # The maximum has no effect. It prevents tf2onnx from removing both casts.
    rounded = tf.maximum(tf.cast(planes, tf.float32), tf.float32.min)
    return tf.cast(rounded, tf.float64)


def view(patches: tf.Tensor, number: int) -> tf.Tensor:
    """Return one of the eight views of patches, like `skhisto.patches._views.view`."""
    if number >= 4:
        patches = patches[:, :, ::-1]
    if number % 2:
        patches = tf.transpose(patches, (0, 2, 1, 3))
    rows = slice(None, None, -1 if number % 4 in (1, 2) else 1)
    columns = slice(None, None, -1 if number % 4 in (2, 3) else 1)
    return patches[:, rows, columns]


class ExportedFunction(tf.Module):
    """A function from patches to the probabilities of all classes, in float32.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    weights : dict of str to ndarray
        Weights of the network.
    input_shape : tuple of int (height, width, channels)
        Shape of the patches before all steps.
    steps : sequence of Window or Resampling
        Steps before the network.
    views : sequence of int
        Numbers of the views that are averaged.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        weights: Weights,
        input_shape: tuple[int, int, int],
        steps: Sequence[Window | Resampling],
        views: Sequence[int],
    ) -> None:
        super().__init__()
        spec.check_builder()
        network = replace(spec, precision="float32").build()
        set_weights(network, weights)
        self.variables_of_network = network.variables
        self.signature = tf.TensorSpec(
            (None, *input_shape), spec.ends.pixel_dtype, name=INPUT
        )

        def probabilities(patches: tf.Tensor) -> dict[str, tf.Tensor]:
            for step in steps:
                patches = step(patches)
            # Concatenated, so that the graph contains the network only once.
            seen = tf.concat([view(patches, number) for number in views], axis=0)
            each = _probabilities_of(network(seen, training=False))
            each = tf.reshape(each, (len(views), -1, each.shape[-1]))
            return {OUTPUT: tf.reduce_mean(each, axis=0)}

        self.probabilities = tf.function(
            probabilities, input_signature=[self.signature], autograph=False
        )


def _probabilities_of(logits: tf.Tensor) -> tf.Tensor:
    if logits.shape[-1] == 1:
        return tf.sigmoid(tf.concat([-logits, logits], axis=1))
    return tf.nn.softmax(logits)


def write_saved_model(function: ExportedFunction, folder: str) -> None:
    """Write a SavedModel with the single signature "serving_default"."""
    concrete = function.probabilities.get_concrete_function()
    tf.saved_model.save(function, folder, signatures={"serving_default": concrete})


def to_onnx(function: ExportedFunction) -> Any:
    """Convert a function to an ONNX model.

    Returns
    -------
    model : onnx.ModelProto
        The ONNX model.

    Raises
    ------
    ValueError
        If ONNX does not support an operation of the network.
    """
    import onnx
    import tf2onnx

    model, _ = tf2onnx.convert.from_function(
        function.probabilities, input_signature=[function.signature], opset=_OPSET
    )
    for port in (*model.graph.input, *model.graph.output):
        port.type.tensor_type.shape.dim[0].dim_param = "n"
    # tf2onnx does not raise an error if it cannot convert an operation.
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"The network cannot be converted to ONNX: {reason} Export it as a "
            "SavedModel, or use layers that ONNX supports."
        ) from error
    return model
