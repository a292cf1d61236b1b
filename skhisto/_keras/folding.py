"""Fold batch normalisation into the previous layers for prediction.

In prediction, batch normalisation applies a factor and an offset to each channel. If
the previous layer is a convolution or a dense layer, its kernel can include the factor,
and only the offset remains.
"""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from skhisto._keras.fast_layers import layers_of

Pair = tuple[layers.Layer, layers.BatchNormalization]


class Offset(layers.BatchNormalization):
    """The remaining offset of batch normalisation after a folded kernel."""

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None
    ) -> tf.Tensor:
        """Add the offset."""
        return tf.nn.bias_add(inputs, tf.cast(self.beta.value, inputs.dtype))


def prepare_folding(network: keras.Model) -> list[Pair]:
    """Replace the layers of a network that can be folded, and return them for `fold`.

    The network keeps its variables, so that weights can be set in the same way.
    """
    # A layer may be part of several nested networks.
    all_layers = dict.fromkeys(layers_of(network))
    outputs = _operations_behind_outputs([network, *all_layers])
    pairs = [
        (before, norm)
        for norm in all_layers
        if type(norm) is layers.BatchNormalization
        and (before := _only_layer_before(norm)) is not None
        and before not in outputs
        and _is_foldable(before, norm)
    ]
    for before, norm in pairs:
        before.use_bias = False  # the offset includes it
        norm.__class__ = Offset
    return pairs


def fold(pairs: list[Pair]) -> None:
    """Fold the weights that have just been set."""
    for before, norm in pairs:
        scale = tf.math.rsqrt(norm.moving_variance + norm.epsilon)
        if norm.scale:
            scale *= norm.gamma
        norm.beta.assign(norm.beta - norm.moving_mean * scale)
        before.kernel.assign(before.kernel * scale)
        if before.bias is not None:
            norm.beta.assign_add(before.bias * scale)
            # A dense layer adds it regardless of use_bias.
            before.bias.assign(tf.zeros_like(before.bias))


def _operations_behind_outputs(candidates: Iterable[layers.Layer]) -> set[Any]:
    """Return the operations of network outputs, which may be used elsewhere."""
    return {
        output._keras_history.operation
        for network in candidates
        if isinstance(network, keras.Model)
        for output in keras.tree.flatten(getattr(network, "outputs", None) or [])
    }


def _only_layer_before(norm: layers.Layer) -> layers.Layer | None:
    """Return the previous layer if this layer is its only consumer."""
    before = {
        parent.operation for node in norm._inbound_nodes for parent in node.parent_nodes
    }
    if len(before) != 1:
        return None
    (layer,) = before
    after = {node.operation for node in layer._outbound_nodes}
    return layer if after == {norm} else None


def _is_foldable(before: layers.Layer, norm: layers.BatchNormalization) -> bool:
    return (
        type(before) in (layers.Conv2D, layers.Dense)
        and before.activation is keras.activations.linear
        and isinstance(before.kernel, keras.Variable)  # no LoRA and no quantisation
        and before.kernel.dtype == "float32"
        and getattr(before, "data_format", "channels_last") == "channels_last"
        and norm.axis in (-1, norm.input_spec.ndim - 1)
        and norm.center
        and not getattr(norm, "renorm", False)
    )
