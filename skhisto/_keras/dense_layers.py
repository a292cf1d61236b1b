"""Split networks into layers that run over a region and layers that run per window.

Unpadded convolutions and pooling compute the same values for a single window and for a
window inside a larger region, if the corner of the window is at a multiple of the
stride of the network. Therefore these layers can run once over the region. Flattening
or global pooling collects all positions of a window. From there on, each window is a
separate row.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from skhisto._keras.folding import Offset

Pair = tuple[int, int]
MapShape = tuple[int, int, int]
"""Height, width and channels of the input of a layer for one window."""

Collect = Callable[[tf.Tensor, Pair], tf.Tensor]
"""Maps the map of a region and the strides of windows, in map positions, to one vector
for each window, shape (1, rows, columns, features)."""


class NotDenseError(Exception):
    """A network cannot be applied to a region. The message is the reason."""


@dataclass(frozen=True)
class DenseLayers:
    """The layers of a network in three parts.

    Parameters
    ----------
    body : tuple of layer
        Layers that run over a region.
    collect : callable
        Converts the output of `body` to one vector for each window.
    tail : tuple of layer
        Layers that run over the vectors.
    stride : tuple of int (vertical, horizontal)
        Distance of neighbouring map positions in pixels. Windows must start at
        multiples of it.
    bytes_per_pixel : float
        Memory of the body for each pixel of the region: the largest sum of two
        consecutive maps.
    bytes_per_window : float
        Memory of the vector of a window.
    """

    body: tuple[layers.Layer, ...]
    collect: Collect
    tail: tuple[layers.Layer, ...]
    stride: Pair
    bytes_per_pixel: float
    bytes_per_window: float

    def bytes_needed(self, stride: int) -> float:
        """Return an estimate of the memory for each pixel of the region."""
        return max(self.bytes_per_pixel, 2 * self.bytes_per_window / stride**2)


def dense_layers(network: keras.Model) -> DenseLayers:
    """Split a network into its three parts.

    Raises
    ------
    NotDenseError
        If a layer depends on the border of the window, or is not supported.
    """
    chain = _chain_of(network)
    shape: MapShape = network.input_shape[1:]
    stride = (1, 1)
    bytes_per_pixel = _bytes_of(chain[0], shape, stride)
    for position, layer in enumerate(chain):
        if type(layer) in _COLLECTORS:
            _check_channels_last(layer)
            return DenseLayers(
                body=tuple(chain[:position]),
                collect=_COLLECTORS[type(layer)](layer, shape),
                tail=tuple(chain[position + 1 :]),
                stride=stride,
                bytes_per_pixel=bytes_per_pixel,
                bytes_per_window=prod(layer.compute_output_shape((1, *shape)))
                * tf.as_dtype(layer.compute_dtype).size,
            )
        own_stride = _stride_of(layer, shape)
        before = _bytes_of(layer, shape, stride)
        stride = (stride[0] * own_stride[0], stride[1] * own_stride[1])
        shape = tuple(layer.compute_output_shape((1, *shape))[1:])
        after = _bytes_of(layer, shape, stride)
        bytes_per_pixel = max(bytes_per_pixel, before + after)
    raise NotDenseError(
        "The network has neither a Flatten layer nor a global pooling layer."
    )


def _chain_of(network: keras.Model) -> list[layers.Layer]:
    """Return the layers of a network without branches, in order."""
    if not getattr(network, "outputs", None):
        raise NotDenseError(f"The layers of {network.name!r} are unknown.")
    chain: list[layers.Layer] = []
    tensor = network.outputs[0]
    while True:
        layer, node_number, _ = tensor._keras_history
        if isinstance(layer, layers.InputLayer):
            break
        before = layer._inbound_nodes[node_number].input_tensors
        if len(before) != 1:
            raise NotDenseError(f"The layer {layer.name!r} joins several branches.")
        chain.append(layer)
        tensor = before[0]
    return [part for layer in reversed(chain) for part in _parts_of(layer)]


def _parts_of(layer: layers.Layer) -> Iterator[layers.Layer]:
    if isinstance(layer, keras.Model):
        yield from _chain_of(layer)
    else:
        yield layer


def _bytes_of(layer: layers.Layer, shape: MapShape, stride: Pair) -> float:
    """Return the memory of a map for each pixel of the region."""
    itemsize = tf.as_dtype(layer.compute_dtype).size
    return shape[2] * itemsize / prod(stride)


def _stride_of(layer: layers.Layer, shape: MapShape) -> Pair:
    """Return the stride of a layer of the body.

    Raises
    ------
    NotDenseError
        If the layer cannot be part of the body.
    """
    check = _BODY.get(type(layer))
    if check is None:
        raise NotDenseError(
            f"The layer {layer.name!r} ({type(layer).__name__}) may not treat all "
            "positions of a window in the same way."
        )
    return check(layer, shape)


def _convolution(layer: Any, shape: MapShape) -> Pair:
    reach = [
        (k - 1) * d + 1
        for k, d in zip(layer.kernel_size, layer.dilation_rate, strict=True)
    ]
    return _check_unpadded(layer, shape, reach, layer.strides)


def _pooling(layer: Any, shape: MapShape) -> Pair:
    return _check_unpadded(layer, shape, layer.pool_size, layer.strides)


def _check_unpadded(
    layer: Any, shape: MapShape, reach: tuple[int, int] | list[int], strides: Any
) -> Pair:
    """Return the strides of a layer that does not pad the map of a window.

    With padding "same", the amount of padding depends on the size of the map. It is the
    same for the map of a region, which is larger by a multiple of the strides.
    """
    _check_channels_last(layer)
    for length, size, step in zip(shape[:2], reach, strides, strict=True):
        if layer.padding != "valid" and (-(-length // step) - 1) * step + size > length:
            raise NotDenseError(
                f"The layer {layer.name!r} has padding={layer.padding!r}. It pads the "
                "border of each window, but a larger region has pixels there."
            )
    return tuple(strides)


def _check_channels_last(layer: Any) -> None:
    if layer.data_format != "channels_last":
        raise NotDenseError(
            f"The layer {layer.name!r} uses the data format 'channels_first'."
        )


def _normalisation(layer: Any, shape: MapShape) -> Pair:
    if layer.axis not in (-1, 3):
        raise NotDenseError(f"The layer {layer.name!r} does not normalise channels.")
    return 1, 1


def _rescaling(layer: Any, shape: MapShape) -> Pair:
    if max(np.ndim(layer.scale), np.ndim(layer.offset)) > 1:
        raise NotDenseError(
            f"The layer {layer.name!r} scales positions by different factors."
        )
    return 1, 1


def _each_position(layer: Any, shape: MapShape) -> Pair:
    return 1, 1


_EACH_POSITION = (
    layers.ActivityRegularization,
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.SpatialDropout2D,
    layers.Activation,
    layers.ELU,
    layers.LeakyReLU,
    layers.ReLU,
)
_BODY: dict[type, Callable[[Any, MapShape], Pair]] = {
    layers.Conv2D: _convolution,
    layers.DepthwiseConv2D: _convolution,
    layers.SeparableConv2D: _convolution,
    layers.MaxPooling2D: _pooling,
    layers.AveragePooling2D: _pooling,
    layers.BatchNormalization: _normalisation,
    Offset: _normalisation,
    layers.Rescaling: _rescaling,
    **dict.fromkeys(_EACH_POSITION, _each_position),
}


def _flatten(layer: Any, shape: MapShape) -> Collect:
    """Extract and flatten the map of each window.

    The next layer receives the same vectors as for single windows. Replacing the next
    dense layer by a convolution would take the same time and less memory. But the
    convolution would be fused with other layers, and round differently in 16 bits.
    """
    height, width, _ = shape

    def boxes(maps: tf.Tensor, strides: Pair) -> tf.Tensor:
        return tf.image.extract_patches(
            maps, (1, height, width, 1), (1, *strides, 1), (1, 1, 1, 1), "VALID"
        )

    return boxes


def _global_pooling(pool: Callable[..., tf.Tensor]) -> Callable[..., Collect]:
    def collector(layer: Any, shape: MapShape) -> Collect:
        if layer.keepdims:
            raise NotDenseError(
                f"The layer {layer.name!r} does not return one vector for each window."
            )

        def pooled(maps: tf.Tensor, strides: Pair) -> tf.Tensor:
            maps = tf.cast(maps, layer.compute_dtype)
            return pool(maps, shape[:2], strides, "VALID")

        return pooled

    return collector


_COLLECTORS: dict[type, Callable[[Any, MapShape], Collect]] = {
    layers.Flatten: _flatten,
    layers.GlobalAveragePooling2D: _global_pooling(tf.nn.avg_pool2d),
    layers.GlobalMaxPooling2D: _global_pooling(tf.nn.max_pool2d),
}
