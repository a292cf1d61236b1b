"""The few layers of our own: layers of Keras that are computed in another way.

Each has the variables, the configuration and, up to rounding, the numbers of the layer
that it derives from, and leaves to it whatever it cannot do itself.
"""

from collections.abc import Iterator
from typing import Any

import keras
import tensorflow as tf
from keras import layers

_FUSED_DTYPES = ("float32", "bfloat16", "float16")
# cuDNN's lower bound, CUDNN_BN_MIN_EPSILON before cuDNN 7.5, kept by TensorFlow.
_MIN_EPSILON = 1.001e-5


@keras.saving.register_keras_serializable(package="skhisto")
class FusedBatchNormalization(layers.BatchNormalization):
    """Batch normalisation in one operation of TensorFlow.

    Keras computes it in a dozen, each of which reads and writes the whole image. The
    statistics are float32 under every precision.
    """

    def call(
        self, inputs: tf.Tensor, training: bool | None = None, mask: Any = None
    ) -> tf.Tensor:
        """Normalise the inputs, and in training update the running statistics."""
        if mask is not None or not self._is_fusable(inputs):
            return super().call(inputs, training=training, mask=mask)
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
            self._update_statistics(mean, variance, tf.size(images) // n_channels)
        else:
            outputs, *_ = tf.raw_ops.FusedBatchNormV3(
                **fused,
                mean=self.moving_mean.value,
                variance=self.moving_variance.value,
                is_training=False,
            )
        return outputs if inputs.shape.rank == 4 else outputs[:, 0, 0]

    def _is_fusable(self, inputs: tf.Tensor) -> bool:
        rank = inputs.shape.rank
        return (
            rank in (2, 4)
            and inputs.shape[-1] is not None
            and self.axis in (-1, rank - 1)
            and not self.synchronized
            and not getattr(self, "renorm", False)  # new in Keras 3.14
            and self.epsilon >= _MIN_EPSILON
            and self.variable_dtype == "float32"
            and inputs.dtype.name in _FUSED_DTYPES
        )

    def _update_statistics(
        self, mean: tf.Tensor, variance: tf.Tensor, n: tf.Tensor
    ) -> None:
        n = tf.cast(n, tf.float32)
        # The operation gives the unbiased estimate, Keras keeps the biased one.
        variance *= tf.maximum(n - 1, 1) / n
        for moving, new in (
            (self.moving_mean, mean),
            (self.moving_variance, variance),
        ):
            moving.assign(moving * self.momentum + new * (1 - self.momentum))


@keras.saving.register_keras_serializable(package="skhisto")
class ShortDropout(layers.Dropout):
    """Dropout that draws 16 random bits for a value, where Keras draws 32.

    The rate is rounded to a multiple of 2**-16, and the values that are kept are
    scaled by exactly the rounded rate.
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Drop values in training."""
        n_dropped = round(self.rate * 2**16)
        if not training or self.noise_shape is not None or n_dropped in (0, 2**16):
            return super().call(inputs, training=training)
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


_FASTER = {
    layers.BatchNormalization: FusedBatchNormalization,
    layers.Dropout: ShortDropout,
}


def use_faster_layers(network: keras.Model) -> None:
    """Have the layers of a built network computed by the layers of this module.

    The class of a layer is exchanged, as its variables and configuration stay: so it
    works in networks of every kind, also in those that Keras cannot clone.
    """
    for layer in layers_of(network):
        layer.__class__ = _FASTER.get(type(layer), type(layer))


def layers_of(network: keras.Model) -> Iterator[layers.Layer]:
    """Yield the layers of a network and of networks within it."""
    for layer in network.layers:
        yield layer
        if isinstance(layer, keras.Model):
            yield from layers_of(layer)
