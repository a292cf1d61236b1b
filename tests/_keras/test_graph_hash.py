"""Hashes of networks that cannot be stored."""

import keras
import pytest
import tensorflow as tf
from keras import layers

from skhisto._keras.network import Ends, initial_network

RATE = 2.0
TABLE = [1.0, 2.0]


class Scaled(layers.Layer):
    def call(self, inputs):
        return inputs * RATE


class Noisy(layers.Layer):
    def call(self, inputs, training=False):
        return inputs * RATE if training else inputs


class Branching(layers.Layer):
    def call(self, inputs):
        return tf.cond(
            tf.reduce_mean(inputs) > 0, lambda: inputs * RATE, lambda: inputs
        )


class Captured(layers.Layer):
    def build(self, input_shape):
        self.table = tf.constant(TABLE[:1])

    def call(self, inputs):
        return inputs * self.table


class Penalised(layers.Layer):
    def call(self, inputs):
        self.add_loss(RATE * tf.reduce_sum(inputs))
        return inputs


def builder_of(layer):
    def build(patch_shape, n_outputs):
        return keras.Sequential([layer(), layers.Flatten(), layers.Dense(n_outputs)])

    return build


def hash_of(builder, seed=0):
    with pytest.warns(UserWarning, match="cannot be stored"):
        initial = initial_network(builder, Ends((3, 3, 1), 1, "uint8"), "float32", seed)
    return initial.spec.graph_hash


class Bounded(keras.constraints.Constraint):
    def __call__(self, weights):
        return weights * RATE


class Constrained(layers.Dense):
    def __init__(self):
        super().__init__(2, kernel_constraint=Bounded())


class OwnGradient(layers.Layer):
    def build(self, input_shape):
        self.dense = layers.Dense(2)
        self.dense.build(input_shape)

    def call(self, inputs):
        @tf.custom_gradient
        def scaled_backwards(x):
            return x, lambda gradient: gradient * RATE

        # Without weights before it, no gradient flows through the layer.
        return scaled_backwards(self.dense(inputs))


class Swish(layers.Layer):
    """Keras gives swish a gradient of its own, which TensorFlow numbers."""

    def call(self, inputs):
        return keras.ops.silu(inputs) * RATE


KINDS = [
    Scaled,
    Constrained,
    OwnGradient,
    Swish,
    Noisy,
    Branching,
    Captured,
    Penalised,
    lambda: layers.Lambda(lambda x: x * RATE),
]


@pytest.mark.parametrize("layer", KINDS)
def test_the_hash_is_the_same_for_every_build_and_seed(layer):
    first = hash_of(builder_of(layer))
    layers.Dense(1)
    assert hash_of(builder_of(layer), seed=1) == first


@pytest.mark.parametrize("layer", KINDS)
def test_the_hash_changes_with_a_global_that_a_layer_reads(layer, monkeypatch):
    before = hash_of(builder_of(layer))
    monkeypatch.setitem(globals(), "RATE", 3.0)
    monkeypatch.setitem(globals(), "TABLE", [3.0, 2.0])
    assert hash_of(builder_of(layer)) != before


def test_the_hash_changes_with_what_is_trainable():
    def frozen(patch_shape, n_outputs):
        body = builder_of(Scaled)(patch_shape, n_outputs)
        body.layers[-1].trainable = False
        return body

    assert hash_of(frozen) != hash_of(builder_of(Scaled))


def test_a_network_that_differs_from_call_to_call_is_an_error():
    calls = []

    def changing(patch_shape, n_outputs):
        calls.append(1)
        factor = float(len(calls))
        stack = [layers.Lambda(lambda x: x * factor), layers.Flatten()]
        return keras.Sequential([*stack, layers.Dense(n_outputs)])

    with pytest.raises(ValueError, match="two calls built different networks"):
        initial_network(changing, Ends((3, 3, 1), 1, "uint8"), "float32", 0)
