"""Faster implementations of Keras layers.

Each layer has the same variables, configuration and, up to rounding, results as its
base class, and falls back to the base class in unsupported cases. `use_faster_layers`
assigns the `call` methods of these layers to Keras layers.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from types import MethodType
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from skhisto._keras.fast_depthwise import FastDepthwiseConv2D, FastSeparableConv2D

_FUSED_DTYPES = ("float32", "bfloat16", "float16")
# cuDNN's lower bound, CUDNN_BN_MIN_EPSILON before cuDNN 7.5, kept by TensorFlow.
_MIN_EPSILON = 1.001e-5


@keras.saving.register_keras_serializable(package="skhisto")
class FusedBatchNormalization(layers.BatchNormalization):
    """Batch normalisation in one operation of TensorFlow.

    Keras uses a dozen operations, and each of them reads and writes the whole image.
    The statistics are float32 in all precisions.
    """

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None
    ) -> tf.Tensor:
        """Normalise the inputs, and update the running statistics in training."""
        if mask is not None or not _is_fusable(self, inputs):
            return layers.BatchNormalization.call(
                self, inputs, training=training, mask=mask
            )
        n_channels = inputs.shape[-1]
        images = inputs if inputs.shape.rank == 4 else inputs[:, None, None, :]
        fused = {
            "x": images,
            "scale": self.gamma.value if self.scale else tf.ones([n_channels]),
            "offset": self.beta.value if self.center else tf.zeros([n_channels]),
            "epsilon": self.epsilon,
        }
        if training and self.trainable:
            outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
                **fused, mean=[], variance=[], is_training=True
            )
            n = tf.cast(tf.size(images) // n_channels, tf.float32)
            # The operation returns the unbiased variance, but Keras uses the biased
            # variance.
            _update(self.moving_mean, mean, self.momentum)
            biased = variance * (tf.maximum(n - 1, 1) / n)
            _update(self.moving_variance, biased, self.momentum)
        else:
            outputs, *_ = tf.raw_ops.FusedBatchNormV3(
                **fused,
                mean=self.moving_mean.value,
                variance=self.moving_variance.value,
                is_training=False,
            )
        return outputs if inputs.shape.rank == 4 else outputs[:, 0, 0]


@keras.saving.register_keras_serializable(package="skhisto")
class ShortDropout(layers.Dropout):
    """Dropout that draws 16 random bits for each value instead of 32.

    The rate is rounded to a multiple of 2**-16. The remaining values are scaled
    according to the rounded rate.
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drop values in training."""
        n_dropped = round(self.rate * 2**16)
        if not training or self.noise_shape is not None or n_dropped in (0, 2**16):
            return layers.Dropout.call(self, inputs, training=training)
        size = tf.size(inputs)
        pairs = tf.random.stateless_uniform(
            [(size + 1) // 2],
            seed=tf.cast(self.seed_generator.next(), tf.int32),
            minval=None,
            maxval=None,
            dtype=tf.uint32,
        )
        numbers = tf.reshape(tf.bitcast(pairs, tf.uint16), [-1])[:size]
        is_kept = tf.reshape(numbers, tf.shape(inputs)) >= n_dropped
        scale = tf.cast(2**16 / (2**16 - n_dropped), inputs.dtype)
        return tf.where(is_kept, inputs * scale, tf.zeros([], inputs.dtype))


_FASTER: dict[type[layers.Layer], type[layers.Layer]] = {
    layers.BatchNormalization: FusedBatchNormalization,
    layers.Dropout: ShortDropout,
    layers.DepthwiseConv2D: FastDepthwiseConv2D,
    layers.SeparableConv2D: FastSeparableConv2D,
}


def use_faster_layers(network: keras.Model) -> None:
    """Replace the `call` methods of the layers of a built network by faster ones.

    The classes of the layers do not change. Therefore this works in all kinds of
    networks, and callbacks that save the network save Keras layers.
    """
    for layer in layers_of(network):
        faster = _FASTER.get(type(layer))
        if faster is not None:
            layer.call = MethodType(faster.call, layer)


_DROPOUT = (layers.Dropout, layers.AlphaDropout, layers.GaussianDropout)


@contextmanager
def averaging_statistics(network: keras.Model, share: tf.Tensor) -> Iterator[None]:
    """Average the statistics of batch normalisation, and disable dropout.

    If a network is traced in training mode within this context, its running statistics
    become ``(1 - share) * old + share * new``.
    """
    before: list[tuple[layers.Layer, str, Any]] = []

    def replace(layer: layers.Layer, name: str, value: Any) -> None:
        before.append((layer, name, getattr(layer, name)))
        setattr(layer, name, value)

    try:
        # Includes layers inside user-defined layers.
        for layer in network._flatten_layers():
            if isinstance(layer, layers.BatchNormalization):
                replace(layer, "momentum", 1 - tf.cast(share, layer.variable_dtype))
            elif isinstance(layer, _DROPOUT):
                replace(layer, "rate", 0)
        yield
    finally:
        for layer, name, value in reversed(before):
            setattr(layer, name, value)


def layers_of(network: keras.Model) -> Iterator[layers.Layer]:
    """Yield the layers of a network and of nested networks."""
    for layer in network.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)


def _is_fusable(norm: layers.BatchNormalization, inputs: tf.Tensor) -> bool:
    rank = inputs.shape.rank
    return (
        rank in (2, 4)
        and inputs.shape[-1] is not None
        and norm.axis in (-1, rank - 1)
        and not norm.synchronized
        and not getattr(norm, "renorm", False)  # new in Keras 3.14
        and norm.epsilon >= _MIN_EPSILON
        and norm.variable_dtype == "float32"
        and inputs.dtype.name == norm.compute_dtype
        and norm.compute_dtype in _FUSED_DTYPES
    )


def _update(moving: keras.Variable, new: tf.Tensor, momentum: float) -> None:
    moving.assign(moving * momentum + new * (1 - momentum))
