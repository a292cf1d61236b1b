"""Depthwise convolutions that train faster in bfloat16 on processors.

TensorFlow's bfloat16 kernels for processors are slow for two gradients. The float32
kernels are faster, even with the casts:

- The gradient of the inputs is up to 30 times faster, if the stride is greater than 1.
- The gradient of the kernel is 1.3 to 4 times faster, if the kernel is larger than 3x3
  or the depth multiplier is greater than 1.

The convolution itself and the other gradients are faster in bfloat16. These figures
were measured on a processor with AVX512_BF16 and without AMX.
"""

from collections.abc import Callable

import keras
import tensorflow as tf
from keras import layers, ops

Gradients = Callable[[tf.Tensor], tuple[tf.Tensor, tf.Tensor]]


class FastDepthwiseConv2D(layers.DepthwiseConv2D):
    """A depthwise convolution that computes its slow gradients in float32."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve each channel with its own kernels."""
        if not _has_slow_gradient(self, inputs, self.kernel):
            return layers.DepthwiseConv2D.call(self, inputs)
        return _add_bias_and_activate(self, _convolve(self, inputs, self.kernel))


class FastSeparableConv2D(layers.SeparableConv2D):
    """A separable convolution that computes its slow gradients in float32."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """Convolve each channel with its own kernels, then combine the channels."""
        if not _has_slow_gradient(self, inputs, self.depthwise_kernel):
            return layers.SeparableConv2D.call(self, inputs)
        channels = _convolve(self, inputs, self.depthwise_kernel)
        outputs = tf.nn.conv2d(
            channels, self.pointwise_kernel, strides=1, padding="VALID"
        )
        return _add_bias_and_activate(self, outputs)


def _has_slow_gradient(
    layer: layers.Layer, inputs: tf.Tensor, kernel: keras.Variable
) -> bool:
    """Return whether a gradient of this layer is faster in float32.

    float16 is not included. Training in float16 takes 2 to 3 times as long as in
    float32 on processors, mostly because of other layers.
    """
    return (
        layer.compute_dtype == inputs.dtype.name == "bfloat16"
        and not tf.config.get_visible_devices("GPU")
        and inputs.shape.rank == 4
        and layer.data_format == "channels_last"
        # TensorFlow cannot combine strides with dilation.
        and (max(layer.strides) == 1 or max(layer.dilation_rate) == 1)
        and (_is_input_gradient_slow(layer.strides) or _is_kernel_gradient_slow(kernel))
    )


def _is_input_gradient_slow(strides: tuple[int, int]) -> bool:
    return max(strides) > 1


def _is_kernel_gradient_slow(kernel: tf.Tensor | keras.Variable) -> bool:
    # Other small kernels are rare. Their shape determines the faster precision.
    height, width, _, depth_multiplier = kernel.shape
    return (height, width, depth_multiplier) != (3, 3, 1)


def _convolve(
    layer: layers.Layer, inputs: tf.Tensor, variable: keras.Variable
) -> tf.Tensor:
    # A custom gradient takes tensors, not variables.
    kernel = tf.convert_to_tensor(variable)
    # Dilation as in tf.nn.depthwise_conv2d. Without dilation, this calls the function.
    return tf.nn.with_space_to_batch(
        inputs,
        layer.dilation_rate,
        layer.padding.upper(),
        lambda images, _, padding: _convolve_undilated(
            images, kernel, layer.strides, padding
        ),
        filter_shape=kernel.shape,
    )


def _convolve_undilated(
    inputs: tf.Tensor, kernel: tf.Tensor, strides: tuple[int, int], padding: str
) -> tf.Tensor:
    window = {"strides": (1, *strides, 1), "padding": padding}
    for_inputs = tf.float32 if _is_input_gradient_slow(strides) else inputs.dtype
    for_kernel = tf.float32 if _is_kernel_gradient_slow(kernel) else inputs.dtype

    @tf.custom_gradient
    def convolve(inputs: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Gradients]:
        def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            of_inputs = tf.nn.depthwise_conv2d_backprop_input(
                tf.shape(inputs),
                tf.cast(kernel, for_inputs),
                tf.cast(upstream, for_inputs),
                **window,
            )
            of_kernel = tf.nn.depthwise_conv2d_backprop_filter(
                tf.cast(inputs, for_kernel),
                tf.shape(kernel),
                tf.cast(upstream, for_kernel),
                **window,
            )
            return tf.cast(of_inputs, inputs.dtype), tf.cast(of_kernel, kernel.dtype)

        return tf.nn.depthwise_conv2d(inputs, kernel, **window), gradients

    return convolve(inputs, kernel)


def _add_bias_and_activate(layer: layers.Layer, outputs: tf.Tensor) -> tf.Tensor:
    if layer.use_bias:
        outputs = ops.add(outputs, ops.reshape(layer.bias, (1, 1, 1, -1)))
    return outputs if layer.activation is None else layer.activation(outputs)
