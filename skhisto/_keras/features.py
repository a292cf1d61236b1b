"""Features of networks.

The features of a classification network are the input of the last layer with weights.
This layer computes the logits. The features of a network without logits are its output.
"""

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from skhisto._keras.engines import hash_of_arrays
from skhisto._keras.inference import InferenceNetwork, check_range
from skhisto._keras.isolated_build import isolated_build
from skhisto._keras.network import Ends, NetworkSpec, initial_network
from skhisto._keras.pool import POOL
from skhisto._keras.recording import leaves, recording
from skhisto._keras.runtime import check_runtime
from skhisto._keras.stored_config import NotStorableError, config_of
from skhisto._keras.weights import Weights, by_name
from skhisto._types import Builder, ValueRange
from skhisto.patches._definition import Patches


class FeatureNetwork(InferenceNetwork):
    """A network with a traced function that maps one batch of patches to features.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    pooling : {"avg", "max", "cls"}
        How to combine the features of several positions to one vector.
    has_logits : bool
        Whether the output of the network consists of logits.
    engine : {"keras", "openvino"}
        The engine that computes the features.

    Attributes
    ----------
    unused : frozenset of int
        Positions of the weights that do not affect the features.
    """

    def __init__(
        self, spec: NetworkSpec, pooling: str, has_logits: bool, engine: str
    ) -> None:
        self._pooling = pooling
        self._has_logits = has_logits
        self.unused: frozenset[int] = frozenset()
        super().__init__(spec, self._features_of, engine)

    def _features_of(self, network: keras.Model, patches: tf.Tensor) -> tf.Tensor:
        if not self._has_logits:
            return _pooled(network(patches, training=False), self._pooling)
        with recording(_layers_with_weights(network)) as calls:
            network(patches, training=False)
        if not calls:
            raise ValueError(
                f"The network {network.name!r} does not have a layer with weights. "
                "Features are the input of the last layer with weights."
            )
        last, features, _ = calls[-1]
        of_last = {id(variable) for variable in last.weights}
        self.unused = frozenset(
            i for i, variable in enumerate(network.weights) if id(variable) in of_last
        )
        return _pooled(features, self._pooling)


def _layers_with_weights(network: keras.Model) -> list[layers.Layer]:
    """Return the innermost layers that have weights."""
    found = [layer for layer in leaves(network) if layer.weights]
    ids = {id(layer) for layer in found}
    return [
        layer
        for layer in found
        if not any(
            id(part) in ids for part in layer._flatten_layers(include_self=False)
        )
    ]


def _pooled(features: Any, pooling: str) -> tf.Tensor:
    """Return one float32 vector for each patch."""
    if not tf.is_tensor(features) or features.shape.rank < 2:
        raise ValueError(
            "A backbone must return one array of features of shape (n, n_features), "
            "(n, n_tokens, n_features) or (n, height, width, n_features); got "
            f"{features}."
        )
    features = tf.cast(features, tf.float32)
    rank = features.shape.rank
    if rank == 2:
        return features
    if pooling == "cls":
        if rank != 3:
            raise ValueError(
                "pooling='cls' needs features of shape (n, n_tokens, n_features), but "
                f"the backbone returns {tuple(features.shape)}. Use pooling='avg' or "
                "'max'."
            )
        return features[:, 0]
    reduce = tf.reduce_mean if pooling == "avg" else tf.reduce_max
    return reduce(features, axis=list(range(1, rank - 1)))


@dataclass(frozen=True)
class FeatureExtractor:
    """A network with weights as plain data, and the definition of its features.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    weights : dict of str to ndarray
        Weights of the network.
    pooling : {"avg", "max", "cls"}
        How to combine the features of several positions to one vector.
    has_logits : bool
        Whether the output of the network consists of logits.
    fitted_range : tuple of float (minimum, maximum), default=None
        Range of the training patches, if they were not pixels.
    engine : {"keras", "openvino"}, default="keras"
        The engine that computes the features.
    n_features : int
        Number of features. It is computed.
    fingerprint : str
        A hash of the weights that affect the features. It is computed.
    """

    spec: NetworkSpec
    weights: Weights
    pooling: str
    has_logits: bool = True
    fitted_range: ValueRange | None = None
    engine: str = "keras"
    n_features: int = field(init=False)
    fingerprint: str = field(init=False)

    def __post_init__(self) -> None:
        with self._borrow() as network:
            object.__setattr__(self, "n_features", network.n_outputs)
            used = self._used_weights(network.unused)
        object.__setattr__(self, "fingerprint", hash_of_arrays(used))

    @property
    def identity(self) -> dict[str, Any]:
        """Everything that the features depend on except the patches."""
        network = self.spec.config or self.spec.graph_hash or ""
        return {
            "weights": self.fingerprint,
            "network": hashlib.sha256(network.encode()).hexdigest(),
            "pooling": self.pooling,
            "precision": self.spec.precision,
            "engine": self.engine,
        }

    def features(self, X: Patches, views: Sequence[int]) -> np.ndarray:
        """Return the features of views, float32 of shape (n_views, n, n_features)."""
        self.spec.check_builder()
        with self._borrow() as network:
            network.load(self.weights)
            features, ranges = network.outputs(X, np.arange(len(X)), views)
        check_range(ranges, self.fitted_range)
        return features

    def has_equal_weights(self, weights: Weights) -> bool:
        """Return whether all weights that affect the features are equal."""
        with self._borrow() as network:
            unused = network.unused
        others = [array for i, array in enumerate(weights.values()) if i not in unused]
        return all(map(np.array_equal, self._used_weights(unused), others))

    def _used_weights(self, unused: frozenset[int]) -> list[np.ndarray]:
        return [
            array for i, array in enumerate(self.weights.values()) if i not in unused
        ]

    def _borrow(self) -> Any:
        check_runtime()
        settings = (self.spec, self.pooling, self.has_logits, self.engine)
        return POOL.borrow(("features", *settings), lambda: FeatureNetwork(*settings))


def pretrained_extractor(
    builder: Builder, ends: Ends, precision: str, pooling: str, engine: str
) -> FeatureExtractor:
    """Return the feature extractor of an architecture with pretrained weights.

    Raises
    ------
    ValueError
        If the weights are random.
    """
    initial = initial_network(builder, ends, precision, seed=0)
    extractor = FeatureExtractor(initial.spec, initial.weights, pooling, engine=engine)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the same warnings again
        other = initial_network(builder, ends, precision, seed=1)
    if not extractor.has_equal_weights(other.weights):
        raise ValueError(
            "The backbone does not have pretrained weights, because two builds with "
            "different seeds have different weights. Use a pretrained architecture, "
            "such as 'efficientnet_lite0', or a fitted PatchCNNClassifier."
        )
    return extractor


def extractor_from_file(
    path: str | PathLike[str],
    patch_shape: tuple[int, int, int],
    pooling: str,
    engine: str,
) -> FeatureExtractor:
    """Return a feature extractor for the network in a ``.keras`` file.

    The features are the output of the network. The network receives float32 numbers, or
    pixels if its input has an integer dtype.

    Raises
    ------
    ValueError
        - If the file is not a Keras file.
        - If the network does not accept patches of this shape.
        - If the network has several inputs or outputs.
        - If the network contains layers that are not from Keras.
    """
    with isolated_build(0, "float32"):
        try:
            loaded = keras.saving.load_model(path, compile=False, safe_mode=True)
        except Exception as error:  # Keras raises many types
            raise ValueError(
                f"'{path}' cannot be read as a Keras file: {error}"
            ) from error
        given = getattr(loaded, "inputs", None) or []
        outputs = getattr(loaded, "outputs", None) or []
        if len(given) != 1 or len(outputs) != 1:
            raise ValueError(
                f"The network in '{path}' has {len(given)} inputs and {len(outputs)} "
                "outputs, but it must have one input (patches) and one output "
                "(features). Save a functional or sequential network with this form."
            )
        _check_input_shape(path, given[0].shape[1:], patch_shape)
        dtype = given[0].dtype if given[0].dtype in ("uint8", "uint16") else "float32"
        inputs = keras.Input(patch_shape, dtype=dtype, name="skhisto_patches")
        network = keras.Model(inputs, loaded(inputs))
    try:
        config = config_of(network)
    except NotStorableError as error:
        raise ValueError(
            f"The network in '{path}' cannot be used as a backbone, because {error}. "
            "Pass a function that embeds patches instead."
        ) from error
    ends = Ends(patch_shape, network.output_shape[-1], dtype)
    spec = NetworkSpec(ends, "float32", config)
    return FeatureExtractor(
        spec, by_name(network.weights), pooling, has_logits=False, engine=engine
    )


def _check_input_shape(
    path: str | PathLike[str],
    expected: tuple[int | None, ...],
    patch_shape: tuple[int, int, int],
) -> None:
    if len(expected) != 3 or any(
        wanted not in (None, length)
        for wanted, length in zip(expected, patch_shape, strict=True)
    ):
        raise ValueError(
            f"The network in '{path}' needs inputs of shape {tuple(expected)}, but the "
            f"patches have the shape {patch_shape}. Set the parameter size to resize "
            "the patches."
        )
