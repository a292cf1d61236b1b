"""A hash of the computations of a network, for networks that cannot be stored."""

import hashlib
from collections.abc import Iterable
from functools import partial
from typing import Any

import keras
import tensorflow as tf

# Attributes that differ between processes.
_PROCESS_ATTRIBUTES = {
    "token",
    "shared_name",
    "container",
    "_gradient_op_type",
    "_output_shapes",
}


def graph_hash(network: keras.Model) -> str:
    """Return a hash of the traced graph of a network and of its trainable flags.

    The hash covers the computations of training and prediction, including penalties,
    gradients and constraints, and the values of all Python variables that the layers
    read. It does not cover the values of the weights. Networks that are built in the
    same way have the same hash.

    Parameters
    ----------
    network : keras.Model
        A network that was built within `isolated_build`, because the hash covers the
        names of layers.
    """
    digest = hashlib.sha256()
    inputs = network.inputs[0]
    spec = tf.TensorSpec(inputs.shape, inputs.dtype)
    for compute in (_predict, _train):
        function = tf.function(
            partial(compute, network), autograph=False
        ).get_concrete_function(spec)
        for part in _describe(function.graph, network):
            digest.update(part)
    flags = [(tuple(v.shape), v.trainable) for v in network.weights]
    digest.update(repr(flags).encode())
    return digest.hexdigest()


def _predict(network: keras.Model, patches: tf.Tensor) -> Any:
    return network(patches, training=False)


def _train(network: keras.Model, patches: tf.Tensor) -> Any:
    """Return everything that a training step computes with code of the network."""
    variables = network.trainable_variables
    with tf.GradientTape() as tape:
        outputs = network(patches, training=True)
        loss = tf.add_n([tf.reduce_sum(outputs), *network.losses])
    gradients = tape.gradient(loss, [variable.value for variable in variables])
    constrained = [v.constraint(v.value) for v in variables if v.constraint is not None]
    return outputs, [g for g in gradients if g is not None], constrained


def _describe(graph: Any, network: keras.Model) -> Iterable[bytes]:
    definition = graph.as_graph_def()
    functions = {f.signature.name: f for f in definition.library.function}
    yield from _describe_nodes(definition.node, functions)
    positions = {id(v.value.handle): i for i, v in enumerate(network.variables)}
    for external, _ in graph.captures:
        if external.dtype == tf.resource:
            yield repr(positions.get(id(external))).encode()
        elif hasattr(external, "numpy"):
            yield external.numpy().tobytes()


def _describe_nodes(nodes: Iterable[Any], functions: dict[str, Any]) -> Iterable[bytes]:
    for node in nodes:
        yield repr((node.op, node.name, list(node.input))).encode()
        for name, value in sorted(node.attr.items()):
            if name in _PROCESS_ATTRIBUTES:
                continue
            if value.WhichOneof("value") == "func":
                # The names of functions are numbered, so their contents are used.
                yield name.encode()
                called = functions.get(value.func.name)
                yield from _describe_nodes(called.node_def if called else (), functions)
            else:
                yield name.encode() + value.SerializeToString(deterministic=True)
