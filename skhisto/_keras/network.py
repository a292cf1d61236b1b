"""From the description of a network to a Keras model.

A network is described by a `NetworkSpec` and built by `build`: the same description and
seed give the same network, however often and wherever it is built.
"""

import functools
import pickle
import random
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import layers

from skhisto._keras.fast_layers import layers_of
from skhisto._keras.precision import POLICIES

Weights = dict[str, np.ndarray]
Layers = list[dict[str, Any]]
Builder = Callable[[tuple[int, int, int], int], keras.Model]

_BUILD_LOCK = threading.RLock()
_BODIES: weakref.WeakSet[keras.Model] = weakref.WeakSet()


@dataclass(frozen=True)
class NetworkSpec:
    """All that shapes a network's graph.

    Parameters
    ----------
    builder : callable
        ``builder(patch_shape, n_outputs)`` gives an uncompiled `keras.Model` from
        pixels in [0, 1] to logits.
    patch_shape : tuple of (height, width, channels)
    n_outputs : int
        1 for two classes, else the number of classes.
    pixel_dtype : {"uint8", "uint16", "float32"}
        Integers are divided by their maximum inside the network.
    precision : {"float32", "bfloat16", "float16"}, default="float32"
        What the layers compute in. Weights, pixels and logits are float32.
    """

    builder: Builder
    patch_shape: tuple[int, int, int]
    n_outputs: int
    pixel_dtype: str
    precision: str = "float32"

    @property
    def key(self) -> Any:
        """What two specs with interchangeable graphs have in common."""
        return (
            _comparable(self.builder),
            self.patch_shape,
            self.n_outputs,
            self.pixel_dtype,
            self.precision,
        )


def build(spec: NetworkSpec, seed: int) -> keras.Model:
    """Build the network of a spec: patches as they come in, logits out."""
    with _BUILD_LOCK, _fixed_defaults(seed, POLICIES[spec.precision]):
        body = _call_builder(spec)
        inputs = keras.Input(spec.patch_shape, dtype=spec.pixel_dtype, name="patches")
        x = inputs
        if spec.pixel_dtype != "float32":
            maximum = np.iinfo(spec.pixel_dtype).max
            x = layers.Rescaling(1 / maximum, dtype="float32", name="rescaling")(x)
        # The layers of a plain stack are laid out flat, for readable summaries.
        stack = body.layers if type(body) is keras.Sequential else [body]
        try:
            for layer in stack:
                x = layer(x)
        except Exception as error:  # whatever the layers raise
            raise ValueError(
                "The network that model built cannot be applied to patches of shape "
                f"{spec.patch_shape}: {error}"
            ) from error
        _check_logits(x, spec)
        if spec.precision != "float32":
            x = layers.Activation("linear", dtype="float32", name="float32_logits")(x)
        return keras.Model(inputs, x, name=body.name)


def by_name(variables: Sequence[keras.Variable], root: str | None = None) -> Weights:
    """Read variables out, in their order; a root replaces the first part of names."""
    arrays: Weights = {}
    for variable in variables:
        name = variable.path
        if root is not None:
            name = f"{root}/{name.partition('/')[2]}"
        if name in arrays:
            name = f"{name}_{len(arrays)}"
        arrays[name] = variable.numpy()
    return arrays


def set_weights(network: keras.Model, weights: Weights) -> None:
    """Set a network's weights by position: names may change with every build."""
    expected = [tuple(variable.shape) for variable in network.weights]
    if [value.shape for value in weights.values()] != expected:
        raise ValueError(
            "The weights do not suit the network: a parameter that shapes it (model, "
            "architecture, filters, kernel_size, dense_units or padding) has changed "
            "since fit. Set it back, or fit again with warm_start=False."
        )
    network.set_weights(list(weights.values()))


def describe_layers(network: keras.Model) -> Layers:
    """Describe the layers of a network in plain data, for those who have no Keras.

    Each has "name", "type", "output_shape" of a patch, None where a layer has no single
    one, and "n_parameters". Of networks within the network the layers are listed.
    """
    leaves = (layer for layer in layers_of(network) if not hasattr(layer, "layers"))
    return [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": _output_shape(layer),
            "n_parameters": layer.count_params(),
        }
        for layer in dict.fromkeys(leaves)
    ]


def _output_shape(layer: layers.Layer) -> tuple[int | None, ...] | None:
    # Layers that only a subclassed network calls have no output, others several.
    shape = getattr(getattr(layer, "output", None), "shape", None)
    return None if shape is None else tuple(shape[1:])


def with_probabilities(network: keras.Model) -> keras.Model:
    """Extend a network from logits to probabilities."""
    activation = "sigmoid" if network.output_shape[-1] == 1 else "softmax"
    outputs = layers.Activation(activation, dtype="float32", name="probabilities")(
        network.output
    )
    return keras.Model(network.input, outputs, name=network.name)


def _comparable(builder: Builder) -> Any:
    """Return something that is equal for builders of the same network only.

    Partials compare by identity, and `clone` copies them: they are compared by value,
    where their arguments can be pickled.
    """
    if not isinstance(builder, functools.partial):
        return builder
    try:
        return builder.func, pickle.dumps((builder.args, builder.keywords))
    except Exception:  # whatever the arguments raise
        return builder


def _call_builder(spec: NetworkSpec) -> keras.Model:
    if isinstance(spec.builder, keras.Model):
        raise TypeError(
            "model must be a function that builds a keras.Model, not a keras.Model: "
            "each fit needs a new one."
        )
    body = spec.builder(spec.patch_shape, spec.n_outputs)
    if not isinstance(body, keras.Model):
        raise TypeError(
            "model must return an uncompiled keras.Model, but it returned "
            f"{type(body).__name__}."
        )
    if body in _BODIES:
        raise ValueError(
            "model must build a new keras.Model at each call, but it returned the same "
            "one again: fits would share their weights."
        )
    _BODIES.add(body)
    return body


def _check_logits(outputs: Any, spec: NetworkSpec) -> None:
    expected = (None, spec.n_outputs)
    if getattr(outputs, "shape", None) != expected:
        raise ValueError(
            f"model must return a keras.Model with one output of shape {expected}, the "
            f"logits of {spec.n_outputs} per patch. Its output is {outputs}."
        )
    last = outputs._keras_history.operation
    while getattr(last, "outputs", None) and isinstance(last, keras.Model):
        last = last.outputs[0]._keras_history.operation
    activation = getattr(getattr(last, "activation", None), "__name__", None)
    # The last operation may be one of keras.ops too.
    kind = type(last).__name__
    if activation in ("sigmoid", "softmax") or kind in ("Sigmoid", "Softmax"):
        raise ValueError(
            "model must return a keras.Model that gives logits, but its last layer, "
            f"{last.name!r}, gives probabilities: leave its activation out."
        )


@contextmanager
def _fixed_defaults(seed: int, dtype_policy: str) -> Iterator[None]:
    """Fix, for the time of a build, the global settings that layers look at.

    Layers without a seed, and some Keras Applications, draw from Python's generator.
    """
    state = random.getstate()
    policy = keras.config.dtype_policy()
    data_format = keras.config.image_data_format()
    random.seed(seed)
    keras.config.set_dtype_policy(dtype_policy)
    keras.config.set_image_data_format("channels_last")
    try:
        yield
    finally:
        random.setstate(state)
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format(data_format)
