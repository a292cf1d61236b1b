"""A network as a JSON string, from which the same network is built again.

The string is the serialised configuration of a network that was built in a mixed
precision policy. Layers that follow the default policy can then be told from layers
that are float32 on purpose, and a network of any precision can be built from it.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import keras

from skhisto._keras.isolated_build import isolated_build
from skhisto._keras.precision import POLICIES

_DEFAULT_DTYPE = "bfloat16"
DEFAULT_POLICY = POLICIES[_DEFAULT_DTYPE]
"""The policy of a network whose configuration is stored."""

# Layers of Keras that contain code or objects of other libraries.
_OPAQUE_LAYERS = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


class NotStorableError(Exception):
    """A network cannot be stored. The message completes "because ..."."""


def config_of(network: keras.Model) -> str:
    """Return the configuration of a network.

    Networks can be stored if they consist of Keras' own layers, operations, activations
    and initializers only. The behaviour of other code may depend on more than its
    configuration.

    Raises
    ------
    NotStorableError
        If the network cannot be stored.
    """
    for layer in network._flatten_layers():
        if "call" in vars(layer):
            raise NotStorableError(
                f"its layer {layer.name!r} has a replaced method call"
            )
    try:
        config = keras.saving.serialize_keras_object(network)
    except Exception as error:  # layers of the user's own raise many types
        raise NotStorableError(f"Keras cannot serialise it: {error}") from error
    for item in _objects(config):
        if not _is_from_keras(item):
            name = item["class_name"]
            if name == "function":
                name = item["config"]
            raise NotStorableError(f"it contains code that is not Keras' own: {name}")
    _forget_seeds(config)
    try:
        stored = json.dumps(config, sort_keys=True)
        signature = _rebuilt_signature(stored)
    except Exception as error:  # functions end up in configurations in several forms
        raise NotStorableError(
            "Keras cannot build it from its configuration, for example because it "
            f"contains a function ({type(error).__name__})"
        ) from error
    if signature != _signature(network):
        raise NotStorableError(
            "its configuration does not describe all of it, for example if single "
            "weights of a layer are frozen"
        )
    return stored


def build_from_config(config: str, precision: str) -> keras.Model:
    """Build a network from a stored configuration, with arbitrary weights.

    Raises
    ------
    ValueError
        If the configuration contains code that is not from Keras. It may come from a
        file that was tampered with.
    """
    objects = json.loads(config)
    for item in _objects(objects):
        if not _is_from_keras(item):
            raise ValueError(
                "The stored network contains code that is not from Keras: "
                f"{item['class_name']}. The file that it was loaded from was changed "
                "after it was written. Get it from its source again."
            )
        settings = item["config"]
        if item["class_name"] == "DTypePolicy" and settings["name"] == DEFAULT_POLICY:
            settings["name"] = POLICIES[precision]
        # Inputs of inner networks, and operations, store the number format itself.
        elif isinstance(settings, dict) and settings.get("dtype") == _DEFAULT_DTYPE:
            settings["dtype"] = precision
    with isolated_build(0, POLICIES[precision]):
        return keras.saving.deserialize_keras_object(objects, safe_mode=True)


def _objects(config: Any) -> Iterator[dict[str, Any]]:
    """Yield the descriptions of all objects in a configuration."""
    if isinstance(config, dict):
        if "class_name" in config and "config" in config:
            yield config
        config = list(config.values())
    if isinstance(config, list | tuple):
        for item in config:
            yield from _objects(item)


def _is_from_keras(item: dict[str, Any]) -> bool:
    name = item["class_name"]
    if "module" not in item:  # tensors and arrays
        return name != "__lambda__"
    module = item["module"] or ""
    return module.split(".")[0] == "keras" and name not in _OPAQUE_LAYERS


def _forget_seeds(config: Any) -> None:
    """Remove seeds: some layers store drawn ones, and every fit sets its own."""
    for item in _objects(config):
        if isinstance(item["config"], dict) and "seed" in item["config"]:
            item["config"]["seed"] = None


# Cross-validation stores the same network again and again.
@lru_cache(maxsize=32)
def _rebuilt_signature(config: str) -> tuple[Any, ...]:
    return _signature(build_from_config(config, "float32"))


def _signature(network: keras.Model) -> tuple[Any, ...]:
    # The first parts of paths depend on whether a stack was built before it was called.
    return tuple(
        (weight.path.split("/")[-2:], tuple(weight.shape), weight.trainable)
        for weight in network.weights
    )
