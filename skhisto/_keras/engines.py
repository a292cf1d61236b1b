"""Engines that compute traced functions: TensorFlow and OpenVINO.

An engine converts a traced function and the current values of its variables to a
function from one batch of patches to outputs.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import tensorflow as tf

from skhisto._keras._threads import n_threads
from skhisto._keras.network import NetworkSpec
from skhisto._keras.weights import Weights
from skhisto._openvino import Run, compile_model, import_openvino

# Number of converted networks that are kept for each graph. Conversion takes seconds,
# and the members of an ensemble predict in turn.
_MAX_COMPILED = 8


class Engine(Protocol):
    """Interface of objects that compute traced functions.

    Attributes
    ----------
    traced_spec : NetworkSpec
        The network that is traced for this engine.
    """

    traced_spec: NetworkSpec

    def load(
        self, function: Any, weights: Weights, set_weights: Callable[[Weights], None]
    ) -> Run:
        """Return a function that computes a traced function with these weights.

        Parameters
        ----------
        function : tf.types.experimental.ConcreteFunction
            The traced function.
        weights : dict of str to ndarray
            The weights of the network.
        set_weights : callable
            Assigns weights to the variables of the function.
        """


class KerasEngine:
    """TensorFlow, which reads the variables in each call.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        self.traced_spec = spec

    def load(
        self, function: Any, weights: Weights, set_weights: Callable[[Weights], None]
    ) -> Run:
        """Set the weights, and return a function that computes the traced function."""
        set_weights(weights)
        return lambda batch: function(tf.constant(batch)).numpy()


class OpenVinoEngine:
    """OpenVINO, which converts the variables to constants.

    The graph is traced in float32, because OpenVINO does not support the casts of mixed
    precision. OpenVINO itself decides which layers use a lower precision.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    """

    def __init__(self, spec: NetworkSpec) -> None:
        import_openvino()
        self.traced_spec = replace(spec, precision="float32")
        self._precision = spec.precision
        self._compiled: OrderedDict[str, Run] = OrderedDict()

    def load(
        self, function: Any, weights: Weights, set_weights: Callable[[Weights], None]
    ) -> Run:
        """Return a function that computes a traced function with these weights."""
        key = hash_of_arrays(list(weights.values()))
        if key not in self._compiled:
            set_weights(weights)
            model = import_openvino().convert_model(function)
            run = compile_model(model, self._precision, n_threads())
            self._compiled[key] = run
            if len(self._compiled) > _MAX_COMPILED:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return self._compiled[key]


ENGINES: dict[str, Callable[[NetworkSpec], Engine]] = {
    "keras": KerasEngine,
    "openvino": OpenVinoEngine,
}


def hash_of_arrays(arrays: Sequence[np.ndarray]) -> str:
    """Return the SHA-256 of arrays, including their shapes and dtypes."""
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
