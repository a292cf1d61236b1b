"""Build networks from architectures, and rebuild them from their descriptions.

`initial_network` calls the builder of an architecture and describes the result by a
`NetworkSpec`. Networks for training and for prediction are built from this description.
The same description gives the same network in all processes.
"""

import warnings
from dataclasses import dataclass, field
from typing import Self

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from skhisto._keras.graph_hash import graph_hash
from skhisto._keras.isolated_build import isolated_build
from skhisto._keras.precision import POLICIES
from skhisto._keras.stored_config import (
    DEFAULT_POLICY,
    NotStorableError,
    build_from_config,
    config_of,
)
from skhisto._keras.user_network import call_builder, check_logits
from skhisto._keras.weights import Layers, Weights, by_name, describe_layers
from skhisto._types import Builder, PatchShape

# Exceptions that layers raise for inputs of an unexpected dtype.
_ERRORS_OF_LAYERS = (
    TypeError,
    ValueError,
    AssertionError,
    NotImplementedError,
    tf.errors.OpError,
)


@dataclass(frozen=True)
class Ends:
    """The inputs and the outputs of a network.

    Parameters
    ----------
    patch_shape : tuple of int (height, width, channels)
        Shape of the patches, in pixels.
    n_outputs : int
        Number of logits: 1 for two classes, otherwise the number of classes.
    pixel_dtype : {"uint8", "uint16", "float32"}
        Dtype of the patches. The network divides integers by the maximum of the dtype.
    """

    patch_shape: PatchShape
    n_outputs: int
    pixel_dtype: str

    @classmethod
    def of(cls, patch_shape: PatchShape, classes: np.ndarray, pixel_dtype: str) -> Self:
        """Return the ends of a network that distinguishes these classes."""
        n_outputs = 1 if len(classes) == 2 else len(classes)
        return cls(patch_shape, n_outputs, pixel_dtype)


@dataclass(frozen=True)
class NetworkSpec:
    """A complete description of a network without its weights.

    Either `config` or `graph_hash` is None. Specs with equal graphs are equal, even if
    their builders are different objects.

    Parameters
    ----------
    ends : Ends
        The inputs and the outputs.
    precision : {"float32", "bfloat16", "float16"}
        Number format of the layers. Weights, pixels and logits are float32.
    config : str or None
        The stored configuration, from which the network is built.
    graph_hash : str or None
        Hash of the network that `builder` must build, if it cannot be stored.
    builder : callable or None
        Builder of a network that cannot be stored.
    """

    ends: Ends
    precision: str
    config: str | None
    graph_hash: str | None = None
    builder: Builder | None = field(default=None, compare=False)

    def build(self) -> keras.Model:
        """Build the network, which maps patches to logits. Its weights are random."""
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
            If the builder builds another network.
        """
        if self.graph_hash is None:
            return
        assert self.builder is not None
        if _hash_of(self.builder, self.ends) != self.graph_hash:
            raise ValueError(
                "architecture does not build the network that this classifier was "
                "fitted with. The network could not be stored with the classifier, so "
                "predictions need the same function, the same values of the variables "
                "that it reads, and the same versions of Keras and TensorFlow. Restore "
                "these, or fit again."
            )


@dataclass(frozen=True)
class InitialNetwork:
    """An untrained network as plain data."""

    spec: NetworkSpec
    weights: Weights
    layers: Layers


def initial_network(
    builder: Builder, ends: Ends, precision: str, seed: int
) -> InitialNetwork:
    """Build the network of an architecture. The seed determines its initial weights.

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
        # User-defined code may fail in a precision that the user did not request.
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
            "architecture must build the same network in each call with the same "
            "arguments, but two calls built different networks. Remove differences, "
            "such as random numbers or counters."
        )
    warnings.warn(
        f"The network cannot be stored with the classifier, because {reason}. "
        "Predictions will call architecture again, and raise an error if it builds "
        "another network. Keep the function importable and unchanged.",
        stacklevel=2,
    )
    return NetworkSpec(ends, precision, None, network_hash, builder)


def with_probabilities(network: keras.Model) -> keras.Model:
    """Add the activation that converts logits to probabilities."""
    activation = "sigmoid" if network.output_shape[-1] == 1 else "softmax"
    outputs = layers.Activation(
        activation, dtype="float32", name="skhisto_probabilities"
    )(network.output)
    return keras.Model(network.input, outputs, name=network.name)


def _hash_of(builder: Builder, ends: Ends) -> str:
    """Return the hash of a network that is built in float32, for all precisions."""
    return graph_hash(_call_and_complete(builder, ends, 0, POLICIES["float32"]))


def _call_and_complete(
    builder: Builder, ends: Ends, seed: int, policy: str
) -> keras.Model:
    """Build a network that maps unscaled patches to float32 logits.

    Names that start with "skhisto_" are reserved for the layers that are added here.
    """
    with isolated_build(seed, policy):
        body = call_builder(builder, ends.patch_shape, ends.n_outputs)
        inputs = keras.Input(
            ends.patch_shape, dtype=ends.pixel_dtype, name="skhisto_patches"
        )
        x = inputs
        if ends.pixel_dtype != "float32":
            scale = 1 / np.iinfo(ends.pixel_dtype).max
            x = layers.Rescaling(scale, dtype="float32", name="skhisto_rescaling")(x)
        # The layers of a sequential network are added directly, for readable summaries.
        stack = body.layers if type(body) is keras.Sequential else [body]
        try:
            for layer in stack:
                x = layer(x)
        except Exception as error:  # layers raise many types
            raise ValueError(
                "The network that architecture built cannot be applied to patches of "
                f"shape {ends.patch_shape}. {error}"
            ) from error
        check_logits(x, ends.n_outputs)
        if x.dtype != "float32":
            x = layers.Activation("linear", dtype="float32", name="skhisto_logits")(x)
        return keras.Model(inputs, x, name=body.name)


def _follows_policy(network: keras.Model) -> bool:
    """Return whether any layer with weights uses the default policy."""
    default = keras.dtype_policies.get(DEFAULT_POLICY)
    return any(
        layer.weights and layer.compute_dtype == default.compute_dtype
        for layer in network._flatten_layers()
        if not isinstance(layer, keras.Model)
    )
