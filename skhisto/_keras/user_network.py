"""Call the builder of an architecture, and check the network that it returns."""

import weakref
from typing import Any

import keras

from skhisto._types import Builder, PatchShape

# Methods that only Keras' own training would use.
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

_PROBABILITIES = {"sigmoid", "softmax", "hard_sigmoid", "hardsigmoid"}
# Layers and operations that do not change values.
_REARRANGING = {"Flatten", "Reshape", "Permute", "Dropout", "Identity", "Squeeze"}


def call_builder(
    builder: Builder, patch_shape: PatchShape, n_outputs: int
) -> keras.Model:
    """Return the new network that a builder returns.

    Raises
    ------
    TypeError
        If the builder does not return a network.
    ValueError
        - If the builder returned the same network before.
        - If a part of the network would be ignored or misunderstood.
    """
    body = builder(patch_shape, n_outputs)
    if not isinstance(body, keras.Model):
        raise TypeError(
            "architecture must return an uncompiled keras.Model, but it returned "
            f"{type(body).__name__}."
        )
    if body in _BODIES:
        raise ValueError(
            "architecture returned the same keras.Model in two calls, so fits would "
            "share their weights. Build a new keras.Model in each call."
        )
    _BODIES.add(body)
    _check_body(body)
    return body


def _check_body(body: keras.Model) -> None:
    for method in _METHODS_OF_TRAINING:
        is_own = getattr(type(body), method) is not getattr(keras.Model, method)
        if is_own or method in vars(body):
            raise ValueError(
                f"The network that architecture built defines the method {method}, "
                "which PatchCNNClassifier does not use. It trains with the "
                f"cross-entropy of the logits. Remove {method}. To add penalties, use "
                "add_loss."
            )
    if body.compiled:
        raise ValueError(
            "The network that architecture built is compiled, but PatchCNNClassifier "
            "compiles it with its own loss and optimizer. Remove the call of compile, "
            "or load the network with compile=False. Set optimizer, learning_rate and "
            "optimizer_params of the classifier instead."
        )
    for tensor in getattr(body, "inputs", None) or []:
        if "float" not in tensor.dtype:
            raise ValueError(
                f"The network that architecture built has an input of dtype "
                f"{tensor.dtype}, but it receives floating-point numbers. Pixels of "
                "dtype uint8 and uint16 are divided by the maximum of their dtype "
                "first. Remove the dtype of the input, and any rescaling from 0 to 255."
            )
    reserved = [
        layer.name
        for layer in body._flatten_layers()
        if layer.name.startswith(_RESERVED)
    ]
    if reserved:
        raise ValueError(
            f"The network that architecture built has a layer named {reserved[0]!r}. "
            f"Names that start with {_RESERVED!r} are reserved. Rename the layer."
        )


def check_logits(outputs: Any, n_outputs: int) -> None:
    """Raise a ValueError if the output of a network does not consist of logits.

    Parameters
    ----------
    outputs : KerasTensor
        Output of the network.
    n_outputs : int
        Number of logits for each patch.
    """
    expected = (None, n_outputs)
    if getattr(outputs, "shape", None) != expected:
        raise ValueError(
            "architecture must return a keras.Model with one output of shape "
            f"{expected}, with {n_outputs} logit(s) per patch; got {outputs}."
        )
    last = _last_operation(outputs)
    activation = getattr(getattr(last, "activation", None), "__name__", None)
    # The last operation may also be a function of keras.ops.
    kind = type(last).__name__
    if activation in _PROBABILITIES or kind.lower() in _PROBABILITIES:
        raise ValueError(
            "architecture must return a keras.Model that returns logits, but its layer "
            f"{last.name!r} returns probabilities. Remove its activation."
        )


def _last_operation(outputs: Any) -> Any:
    """Return the operation that computes the values of an output."""
    while True:
        history = outputs._keras_history
        operation = history.operation
        if isinstance(operation, keras.Model) and getattr(operation, "outputs", None):
            outputs = operation.outputs[history.tensor_index]
        elif _leaves_values(operation):
            node = operation._inbound_nodes[history.node_index]
            outputs = node.input_tensors[0]
        else:
            return operation


def _leaves_values(operation: Any) -> bool:
    if not operation._inbound_nodes:
        return False
    activation = getattr(operation, "activation", None)
    is_linear = activation is keras.activations.linear and not operation.weights
    return type(operation).__name__ in _REARRANGING or is_linear
