"""Checks that a network gives logits."""

from typing import Any

import keras

# Layers and operations that leave values as they are.
_PROBABILITIES = {"sigmoid", "softmax", "hard_sigmoid", "hardsigmoid"}
_REARRANGING = {"Flatten", "Reshape", "Permute", "Dropout", "Identity", "Squeeze"}


def check_logits(outputs: Any, n_outputs: int) -> None:
    """Raise a ValueError unless this is the output of a network that gives logits.

    Parameters
    ----------
    outputs : KerasTensor
    n_outputs : int
        Logits of a patch.
    """
    expected = (None, n_outputs)
    if getattr(outputs, "shape", None) != expected:
        raise ValueError(
            "architecture must return a keras.Model with one output of shape "
            f"{expected}, the logits of {n_outputs} per patch. Its output is "
            f"{outputs}."
        )
    last = _last_operation(outputs)
    activation = getattr(getattr(last, "activation", None), "__name__", None)
    # The last operation may be one of keras.ops too.
    kind = type(last).__name__
    if activation in _PROBABILITIES or kind.lower() in _PROBABILITIES:
        raise ValueError(
            "architecture must return a keras.Model that gives logits, but its layer "
            f"{last.name!r} gives probabilities: remove its activation."
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
