"""Batch normalisation folded into the layers before it, for prediction.

In prediction batch normalisation is a factor and an offset for each channel. Behind a
convolution or a dense layer the factor can go into the kernel, so that only the offset
is left to be added.
"""

from collections.abc import Iterable
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from skhisto._keras.fast_layers import layers_of

Pair = tuple[layers.Layer, layers.BatchNormalization]


class Offset(layers.BatchNormalization):
    """What is left of batch normalisation behind a layer with a folded kernel."""

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None
    ) -> tf.Tensor:
        """Add the offset."""
        return tf.nn.bias_add(inputs, tf.cast(self.beta.value, inputs.dtype))


def prepare_folding(network: keras.Model) -> list[Pair]:
    """Take out of a network what folding replaces; return the layers to `fold`.

    The network keeps its variables, so that weights can be set as before.
    """
    # A layer may be a part of several networks within the network.
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
        before.use_bias = False  # the offset holds it
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
            # A dense layer goes on adding it.
            before.bias.assign(tf.zeros_like(before.bias))


def _operations_behind_outputs(candidates: Iterable[layers.Layer]) -> set[Any]:
    """Return what gives an output of a network: it may be used outside of it."""
    return {
        output._keras_history.operation
        for network in candidates
        if isinstance(network, keras.Model)
        for output in keras.tree.flatten(getattr(network, "outputs", None) or [])
    }


def _only_layer_before(norm: layers.Layer) -> layers.Layer | None:
    """Return the layer whose output goes into this one, and nowhere else."""
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
        and isinstance(before.kernel, keras.Variable)  # neither adapted nor quantised
        and before.kernel.dtype == "float32"
        and getattr(before, "data_format", "channels_last") == "channels_last"
        and norm.axis in (-1, norm.input_spec.ndim - 1)
        and norm.center
        and not getattr(norm, "renorm", False)
    )
