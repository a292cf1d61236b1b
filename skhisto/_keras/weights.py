"""Weights and layers of networks as plain data."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from skhisto._keras.fast_layers import layers_of

Weights = dict[str, np.ndarray]
Layers = list[dict[str, Any]]


def by_name(variables: Sequence[keras.Variable], root: str | None = None) -> Weights:
    """Return the values of variables by name, in order.

    If `root` is given, it replaces the first part of the names.
    """
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
    """Set the weights of a network by position."""
    network.set_weights(list(weights.values()))


def check_same_weights(new: Weights, fitted: Weights) -> None:
    """Check that two networks have the same number and shapes of weights.

    Raises
    ------
    ValueError
        If the number or the shapes differ. The message contains the first difference.
    """
    new_shapes = [(name, value.shape) for name, value in new.items()]
    fitted_shapes = [(name, value.shape) for name, value in fitted.items()]
    if [shape for _, shape in new_shapes] == [shape for _, shape in fitted_shapes]:
        return
    difference = f"{len(new_shapes)} weights instead of {len(fitted_shapes)}"
    for (name, shape), (_, fitted_shape) in zip(
        new_shapes, fitted_shapes, strict=False
    ):
        if shape != fitted_shape:
            difference = f"{name!r} has the shape {shape} instead of {fitted_shape}"
            break
    raise ValueError(
        "This fit continues from the weights of the previous fit, but architecture now "
        f"builds a network with other weights: {difference}. Restore the previous "
        "architecture. To start with new weights instead, call fit with "
        "warm_start=False, or partial_fit on a clone."
    )


def describe_layers(network: keras.Model) -> Layers:
    """Describe the layers of a network without Keras objects.

    Each description contains "name", "type", "output_shape" and "n_parameters". The
    output shape is for one patch, and None for layers without a single output shape.
    Nested networks are replaced by their layers.
    """
    leaves = (layer for layer in layers_of(network) if not hasattr(layer, "layers"))
    return [
        {
            "name": layer.name,
            "type": type(layer).__name__,
            "output_shape": _output_shape(layer),
            # Unlike count_params, this works for layers that were not called.
            "n_parameters": sum(int(np.prod(w.shape)) for w in layer.weights),
        }
        for layer in dict.fromkeys(leaves)
    ]


def _output_shape(layer: layers.Layer) -> tuple[int | None, ...] | None:
    # Layers of subclassed networks have no output. Shared layers may have several.
    shape = getattr(getattr(layer, "output", None), "shape", None)
    return None if shape is None else tuple(shape[1:])
