"""Store the configuration of a network as JSON, and rebuild the network from it.

The stored network is built with a mixed precision policy. This distinguishes layers
that follow the default policy from layers that are explicitly float32. Networks of any
precision can be built from the configuration.
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

# Keras layers that contain code or objects of other libraries.
_OPAQUE_LAYERS = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


class NotStorableError(Exception):
    """A network cannot be stored. The message completes "because ..."."""


def config_of(network: keras.Model) -> str:
    """Return the configuration of a network.

    Networks can be stored if they consist only of layers, operations, activations and
    initializers of Keras. The behaviour of other code may depend on more than its
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
    except Exception as error:  # user-defined layers raise many types
        raise NotStorableError(f"Keras cannot serialise it: {error}") from error
    for item in _objects(config):
        if not _is_from_keras(item):
            name = item["class_name"]
            if name == "function":
                name = item["config"]
            raise NotStorableError(f"it contains code that is not from Keras: {name}")
    _forget_seeds(config)
    try:
        stored = json.dumps(config, sort_keys=True)
        signature = _rebuilt_signature(stored)
    except Exception as error:  # functions are stored in several forms
        raise NotStorableError(
            "Keras cannot build it from its configuration, for example because it "
            f"contains a function ({type(error).__name__})"
        ) from error
    if signature != _signature(network):
        raise NotStorableError(
            "its configuration is incomplete, for example if single weights of a layer "
            "are frozen"
        )
    return stored


def build_from_config(config: str, precision: str) -> keras.Model:
    """Build a network with random weights from a stored configuration.

    Raises
    ------
    ValueError
        If the configuration contains code that is not from Keras. This happens if a
        file was tampered with.
    """
    objects = json.loads(config)
    for item in _objects(objects):
        if not _is_from_keras(item):
            raise ValueError(
                "The stored network contains code that is not from Keras: "
                f"{item['class_name']}. The file was modified after it was written. "
                "Do not use it. Get a new copy from a trusted source."
            )
        settings = item["config"]
        if item["class_name"] == "DTypePolicy" and settings["name"] == DEFAULT_POLICY:
            settings["name"] = POLICIES[precision]
        # Inputs of nested networks, and operations, store the number format itself.
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
    """Remove seeds. Some layers store drawn seeds, and each fit sets new ones."""
    for item in _objects(config):
        if isinstance(item["config"], dict) and "seed" in item["config"]:
            item["config"]["seed"] = None


# Cached, because a cross-validation stores the same network several times.
@lru_cache(maxsize=32)
def _rebuilt_signature(config: str) -> tuple[Any, ...]:
    return _signature(build_from_config(config, "float32"))


def _signature(network: keras.Model) -> tuple[Any, ...]:
    # The first parts of paths depend on whether a network was built before its call.
    return tuple(
        (weight.path.split("/")[-2:], tuple(weight.shape), weight.trainable)
        for weight in network.weights
    )
