"""Record the inputs and outputs of layers when a network is called."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf
from keras import layers

_ATTENTION = (layers.MultiHeadAttention, layers.GroupQueryAttention)

Call = tuple[layers.Layer, Any, Any]
"""A layer, its first argument, and its outputs."""


def leaves(network: keras.Model) -> list[layers.Layer]:
    """Return the layers of a network and of nested networks, except the networks."""
    found = list(network._flatten_layers())
    # The layers inside attention belong to it.
    inner = {
        id(part)
        for layer in found
        if isinstance(layer, _ATTENTION)
        for part in layer._flatten_layers(include_self=False)
    }
    return [
        layer
        for layer in found
        if not isinstance(layer, (keras.Model, layers.InputLayer))
        and id(layer) not in inner
    ]


@contextmanager
def recording(
    recorded: list[layers.Layer], tape: tf.GradientTape | None = None
) -> Iterator[list[Call]]:
    """Record the calls of layers. If a tape is given, it watches their outputs."""
    calls: list[Call] = []

    def record(layer: layers.Layer) -> Any:
        call = layer.call

        def recording_call(*args: Any, **kwargs: Any) -> Any:
            outputs = call(*args, **kwargs)
            if tape is not None:
                tape.watch(outputs)
            calls.append((layer, args[0] if args else None, outputs))
            return outputs

        return recording_call

    # Some layers have a faster `call` in their instance, which must be restored.
    own = {id(layer): vars(layer).get("call") for layer in recorded}
    try:
        for layer in recorded:
            layer.call = record(layer)
        yield calls
    finally:
        for layer in recorded:
            if own[id(layer)] is None:
                del layer.call
            else:
                layer.call = own[id(layer)]
