"""From an architecture to a network, and from its description to a network again.

`initial_network` calls the builder of an architecture once and describes the result by
a `NetworkSpec`. Networks for training and for prediction are built from this
description: the same description gives the same network, in every process.
"""

import warnings
import weakref
from dataclasses import dataclass, field

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from skhisto._keras.graph_hash import graph_hash
from skhisto._keras.isolated_build import isolated_build
from skhisto._keras.logits import check_logits
from skhisto._keras.precision import POLICIES
from skhisto._keras.stored_config import (
    DEFAULT_POLICY,
    NotStorableError,
    build_from_config,
    config_of,
)
from skhisto._keras.weights import Layers, Weights, by_name, describe_layers
from skhisto._types import Builder, PatchShape

# What layers raise on inputs of an unexpected dtype.
_ERRORS_OF_LAYERS = (
    TypeError,
    ValueError,
    AssertionError,
    NotImplementedError,
    tf.errors.OpError,
)
# What a network may define for Keras' training, which is not used here.
_METHODS_OF_TRAINING = (
    "fit",
    "train_step",
    "test_step",
    "predict_step",
    "compute_loss",
    "compute_metrics",
)
_RESERVED = "skhisto_"

_BODIES: weakref.WeakSet[keras.Model] = weakref.WeakSet()


@dataclass(frozen=True)
class Ends:
    """What comes into a network, and how many numbers come out.

    Parameters
    ----------
    patch_shape : tuple of (height, width, channels)
    n_outputs : int
        1 for two classes, otherwise the number of classes.
    pixel_dtype : {"uint8", "uint16", "float32"}
        Integers are divided by their maximum inside the network.
    """

    patch_shape: PatchShape
    n_outputs: int
    pixel_dtype: str


@dataclass(frozen=True)
class NetworkSpec:
    """A complete description of a network, apart from its weights.

    Either `config` or `graph_hash` is None. Specs with equal graphs are equal, even if
    their builders are different objects.

    Parameters
    ----------
    ends : Ends
    precision : {"float32", "bfloat16", "float16"}
        What the layers compute in. Weights, pixels and logits are float32.
    config : str or None
        The stored configuration, from which the network is built.
    graph_hash : str or None
        For networks that cannot be stored: a hash of what `builder` must build.
    builder : callable or None
        Builds networks that cannot be stored.
    """

    ends: Ends
    precision: str
    config: str | None
    graph_hash: str | None = None
    builder: Builder | None = field(default=None, compare=False)

    def build(self) -> keras.Model:
        """Build the network, from patches to logits. Its weights are arbitrary."""
        if self.config is not None:
            return build_from_config(self.config, self.precision)
        assert self.builder is not None
        return _call_and_complete(
            self.builder, self.ends, seed=0, policy=POLICIES[self.precision]
        )

    def check_builder(self) -> None:
        """Check that the builder of a network that is not stored still builds it.

        Raises
        ------
        ValueError
            If it builds another network.
        """
        if self.graph_hash is None:
            return
        assert self.builder is not None
        if _hash_of(self.builder, self.ends) != self.graph_hash:
            raise ValueError(
                "architecture does not build the network that this classifier was "
                "fitted with. That network could not be stored with the classifier, so "
                "predictions need the same function, the same values of the variables "
                "that it reads, and the same versions of Keras and TensorFlow. Restore "
                "them, or fit again."
            )


@dataclass(frozen=True)
class InitialNetwork:
    """A network that has not seen a patch, as plain data."""

    spec: NetworkSpec
    weights: Weights
    layers: Layers


def initial_network(
    builder: Builder, ends: Ends, precision: str, seed: int
) -> InitialNetwork:
    """Build the network of an architecture, with initial weights that the seed gives.

    Warns
    -----
    UserWarning
        If the network cannot be stored, so that predictions need the builder.
    """
    try:
        network = _call_and_complete(builder, ends, seed, DEFAULT_POLICY)
        precision = precision if _follows_policy(network) else "float32"
        spec = NetworkSpec(ends, precision, config_of(network))
    except NotStorableError as error:
        network = _call_and_complete(builder, ends, seed, POLICIES["float32"])
        spec = _unstored_spec(network, builder, ends, precision, str(error))
    except _ERRORS_OF_LAYERS as error:
        # Code of the user's own may fail in a precision that was not asked for.
        network = _call_and_complete(builder, ends, seed, POLICIES["float32"])
        reason = f"it cannot be built in mixed precision ({error})"
        spec = _unstored_spec(network, builder, ends, precision, reason)
    return InitialNetwork(spec, by_name(network.weights), describe_layers(network))


def _unstored_spec(
    network: keras.Model, builder: Builder, ends: Ends, precision: str, reason: str
) -> NetworkSpec:
    """Describe a network that cannot be stored by a hash, and warn."""
    network_hash = graph_hash(network)
    if _hash_of(builder, ends) != network_hash:
        raise ValueError(
            "architecture must build the same network at each call with the same "
            "arguments, but two calls built different ones. Remove what differs, such "
            "as random numbers or counters."
        )
    warnings.warn(
        f"The network cannot be stored with the classifier, because {reason}. "
        "Predictions will call architecture again, and raise an error if it builds "
        "another network. Keep the function importable and unchanged.",
        stacklevel=2,
    )
    return NetworkSpec(ends, precision, None, network_hash, builder)


def with_probabilities(network: keras.Model) -> keras.Model:
    """Extend a network from logits to probabilities."""
    activation = "sigmoid" if network.output_shape[-1] == 1 else "softmax"
    outputs = layers.Activation(
        activation, dtype="float32", name="skhisto_probabilities"
    )(network.output)
    return keras.Model(network.input, outputs, name=network.name)


def _hash_of(builder: Builder, ends: Ends) -> str:
    """Hash what a builder builds in float32, for every precision."""
    return graph_hash(_call_and_complete(builder, ends, 0, POLICIES["float32"]))


def _call_and_complete(
    builder: Builder, ends: Ends, seed: int, policy: str
) -> keras.Model:
    """Build a network from patches as they come in to float32 logits.

    Names that begin with "skhisto_" are reserved for the layers that are added here.
    """
    with isolated_build(seed, policy):
        body = _call_builder(builder, ends)
        inputs = keras.Input(
            ends.patch_shape, dtype=ends.pixel_dtype, name="skhisto_patches"
        )
        x = inputs
        if ends.pixel_dtype != "float32":
            scale = 1 / np.iinfo(ends.pixel_dtype).max
            x = layers.Rescaling(scale, dtype="float32", name="skhisto_rescaling")(x)
        # The layers of a plain stack are laid out flat, for readable summaries.
        stack = body.layers if type(body) is keras.Sequential else [body]
        try:
            for layer in stack:
                x = layer(x)
        except Exception as error:  # layers raise many types
            raise ValueError(
                "The network that architecture built cannot be applied to patches of "
                f"shape {ends.patch_shape}: {error}"
            ) from error
        check_logits(x, ends.n_outputs)
        if x.dtype != "float32":
            x = layers.Activation("linear", dtype="float32", name="skhisto_logits")(x)
        return keras.Model(inputs, x, name=body.name)


def _call_builder(builder: Builder, ends: Ends) -> keras.Model:
    body = builder(ends.patch_shape, ends.n_outputs)
    if not isinstance(body, keras.Model):
        raise TypeError(
            "architecture must return an uncompiled keras.Model, but it returned "
            f"{type(body).__name__}."
        )
    if body in _BODIES:
        raise ValueError(
            "architecture must build a new keras.Model at each call, but it returned "
            "the same one again: fits would share their weights."
        )
    _BODIES.add(body)
    _check_body(body)
    return body


def _check_body(body: keras.Model) -> None:
    """Raise a ValueError if a part of a network would be ignored or misunderstood."""
    for method in _METHODS_OF_TRAINING:
        is_own = getattr(type(body), method) is not getattr(keras.Model, method)
        if is_own or method in vars(body):
            raise ValueError(
                f"The network that architecture built defines its own {method}, which "
                "PatchCNNClassifier does not use: it trains with the cross-entropy of "
                f"the logits. Remove {method}. Penalties can be added with add_loss."
            )
    if body.compiled:
        raise ValueError(
            "The network that architecture built is compiled, but PatchCNNClassifier "
            "compiles it with its own loss and optimizer. Remove the call of compile, "
            "or load the network with compile=False, and set optimizer, learning_rate "
            "and optimizer_params of the classifier."
        )
    for tensor in getattr(body, "inputs", None) or []:
        if "float" not in tensor.dtype:
            raise ValueError(
                f"The network that architecture built has an input of dtype "
                f"{tensor.dtype}, but it receives floating-point numbers: pixels of "
                "dtype uint8 and uint16 are divided by their maximum first. Remove the "
                "dtype of the input, and rescaling from 0 to 255."
            )
    reserved = [
        layer.name
        for layer in body._flatten_layers()
        if layer.name.startswith(_RESERVED)
    ]
    if reserved:
        raise ValueError(
            f"The network that architecture built has a layer named {reserved[0]!r}. "
            f"Names that begin with {_RESERVED!r} are reserved: rename it."
        )


def _follows_policy(network: keras.Model) -> bool:
    """Return whether any layer with weights computes in the default policy."""
    default = keras.dtype_policies.get(DEFAULT_POLICY)
    return any(
        layer.weights and layer.compute_dtype == default.compute_dtype
        for layer in network._flatten_layers()
        if not isinstance(layer, keras.Model)
    )
