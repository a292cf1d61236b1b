"""Image classifiers of keras.applications without their last layer."""

import math
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from skhisto.architectures._pretrained import (
    PRETRAINED_CONSTRAINTS,
    PretrainedArchitecture,
    add_head,
    check_channels,
    check_size,
    freeze,
    input_shape,
    resize,
)

if TYPE_CHECKING:
    import keras

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_BGR_MEAN = (103.939, 116.779, 123.68)


class _Scaling(NamedTuple):
    """Scaling of each channel, from pixels in [0, 1] to the inputs of a network."""

    scale: tuple[float, ...]
    offset: tuple[float, ...]
    is_bgr: bool = False


_TORCH = _Scaling(
    tuple(1 / std for std in _STD),
    tuple(-mean / std for mean, std in zip(_MEAN, _STD, strict=True)),
)
_CAFFE = _Scaling((255.0,) * 3, tuple(-m for m in reversed(_BGR_MEAN)), is_bgr=True)
_FROM_MINUS_1 = _Scaling((2.0,) * 3, (-1.0,) * 3)

# By module of keras.applications. EfficientNet stores its scaling in its weights.
_SCALINGS = {
    "convnext": _TORCH,
    "densenet": _TORCH,
    "efficientnet_v2": _TORCH,
    "inception_resnet_v2": _FROM_MINUS_1,
    "inception_v3": _FROM_MINUS_1,
    "mobilenet": _FROM_MINUS_1,
    "mobilenet_v2": _FROM_MINUS_1,
    "mobilenet_v3": _FROM_MINUS_1,
    "nasnet": _FROM_MINUS_1,
    "resnet": _CAFFE,
    "resnet_v2": _FROM_MINUS_1,
    "vgg16": _CAFFE,
    "vgg19": _CAFFE,
    "xception": _FROM_MINUS_1,
}
# The larger networks of efficientnet_v2 differ from B0 to B3.
_SCALINGS_BY_NAME = dict.fromkeys(
    ("EfficientNetV2S", "EfficientNetV2M", "EfficientNetV2L"),
    _Scaling((255 / 128,) * 3, (-1.0,) * 3),
)
_WITH_PREPROCESSING = ("convnext", "efficientnet_v2", "mobilenet_v3")

_MIN_SIZES = {"inception_resnet_v2": 75, "inception_v3": 75, "xception": 71}
_MIN_SIZE = 32
# Sizes in pixels for which Keras provides weights.
_IMAGENET_SIZES = {"NASNetLarge": 331}
_IMAGENET_SIZE = 224


class KerasApplication(PretrainedArchitecture):
    """An image classifier of `keras.applications` with a new last layer.

    The application is used without its top. Global average pooling, dropout and the
    logits follow. The network rescales RGB pixels in [0, 1] as the application
    requires. Patches of dtype uint8 and uint16 are converted to [0, 1] automatically.
    Scale other numbers to [0, 1]. With pretrained weights, numbers outside [0, 1] are
    an error in `fit` and in predictions.

    Parameters
    ----------
    name : str
        Name of a classifier in `keras.applications`, such as "MobileNetV2",
        "ResNet50" or "ConvNeXtTiny".
    weights : "imagenet", path or None, default=None
        The initial weights. "imagenet" uses the weights that Keras provides. A path
        loads a file with the weights of the application without its top. None uses
        random weights. With "imagenet", `fit` **downloads a file from the internet**,
        unless it is in the cache of Keras (``~/.keras/models``). See the documentation
        of Keras for the licences of the weights.
    input_size : int, default=None
        Length in pixels to which the shorter side of the patches is resized inside the
        network by bilinear interpolation. None keeps the size of the patches.
    trainable : "all", "head" or int, default="all"
        The part of the network that is trained: all of it, only the logits, or the
        logits and the given number of blocks at the end. A block consists of the layers
        between two reductions of the image size by a factor of two. Most applications
        have five blocks. See the notes of `EfficientNetLite` on batch normalisation.
    dropout : float, default=0.2
        Fraction of the pooled features dropped before the logits, in [0, 1).

    Raises
    ------
    FileNotFoundError
        In `fit`, if `weights` is the path of a file that does not exist.
    ValueError
        In `fit`:

        - If the name is unknown.
        - If the weights belong to another network.
        - If patches do not have 3 channels.
        - If patches are too small. After resizing, they need at least 32x32 pixels,
          71x71 for "Xception", and 75x75 for "InceptionV3" and "InceptionResNetV2".
        - If `trainable` is greater than the number of blocks.

    See Also
    --------
    EfficientNetLite : A pretrained network that is installed with its weights.

    Notes
    -----
    The features are equal to the features of the Keras application with the same
    weights after its function `preprocess_input`. EfficientNetB0 to B7 normalise their
    inputs with statistics from their weight files. With random weights, their inputs
    stay in [0, 1].

    References
    ----------
    .. [1] F. Chollet et al. "Keras Applications". https://keras.io/api/applications/

    Examples
    --------
    >>> from skhisto import KerasApplication, PatchCNNClassifier, make_patches
    >>> X, y = make_patches(20, size=32, random_state=0)
    >>> mobile = KerasApplication("MobileNet", trainable=1)
    >>> clf = PatchCNNClassifier(architecture=mobile, epochs=1, random_state=0)
    >>> clf.fit(X, y).predict_proba(X).shape
    (20, 2)
    """

    __module__ = "skhisto"  # the name that pickles and skops files store

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "name": [str],
        **PRETRAINED_CONSTRAINTS,
    }

    def __init__(
        self,
        name: str,
        *,
        weights: str | PathLike[str] | None = None,
        input_size: int | None = None,
        trainable: str | int = "all",
        dropout: float = 0.2,
    ) -> None:
        self.name = name
        self.weights = weights
        self.input_size = input_size
        self.trainable = trainable
        self.dropout = dropout

    @property
    def weights_licence(self) -> str | None:
        """A reference to the licence of the initial weights, None for random weights.

        The licences of the applications differ.
        """
        if self.weights is None:
            return None
        return "unknown, see https://keras.io/api/applications/"

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
            The network, which maps pixels in [0, 1] to logits.

        Raises
        ------
        FileNotFoundError
            If `weights` is the path of a file that does not exist.
        ValueError
            If a parameter or the shape of the patches is invalid, see the class.
        """
        import keras

        family = _family(_application(self.name))
        check_channels(self.name, patch_shape)
        min_size = _MIN_SIZES.get(family, _MIN_SIZE)
        check_size(self.name, patch_shape, self.input_size, min_size)
        shape = input_shape(patch_shape, self.input_size)
        backbone = _without_top(self.name, shape)
        if self.weights is not None:
            _load_weights(backbone, self.name, self.weights)
        if family == "efficientnet":
            backbone, scaling = _split_efficientnet(backbone)
        else:
            scaling = _scaling_of(self.name, family)
        freeze(_blocks(backbone, shape[0]), self.trainable)
        inputs = keras.Input(patch_shape, name="patches")
        x = _scale(resize(inputs, patch_shape, self.input_size), scaling)
        outputs = add_head(backbone(x), self.dropout, n_outputs)
        return keras.Model(inputs, outputs, name="keras_application")


def _application(name: str) -> Callable[..., "keras.Model"]:
    """Return the function of Keras that builds an application."""
    from keras import applications

    # Only functions have capitalised names.
    names = [name for name in dir(applications) if name[0].isupper()]
    if name not in names or _family(getattr(applications, name)) not in (
        *_SCALINGS,
        "efficientnet",
    ):
        raise ValueError(
            f"{name!r} is not a supported classifier of keras.applications. Available "
            f"names: {', '.join(names)}."
        )
    return getattr(applications, name)


def _family(application: Callable[..., "keras.Model"]) -> str:
    """Return the name of the module that defines an application."""
    return application.__module__.rpartition(".")[2]


def _scaling_of(name: str, family: str) -> _Scaling:
    return _SCALINGS_BY_NAME.get(name, _SCALINGS[family])


def _without_top(
    name: str, shape: tuple[int, int, int], weights: str | None = None
) -> "keras.Model":
    """Build an application up to its pooled features."""
    application = _application(name)
    settings = {}
    if _family(application) in _WITH_PREPROCESSING:
        # These layers would use the precision of the network, which may be too low.
        settings["include_preprocessing"] = False
    return application(
        include_top=False,
        weights=weights,
        input_shape=shape,
        pooling="avg",
        **settings,
    )


def _load_weights(
    backbone: "keras.Model", name: str, weights: str | PathLike[str]
) -> None:
    if weights == "imagenet":
        # Some applications warn or raise an error for other sizes.
        size = _IMAGENET_SIZES.get(name, _IMAGENET_SIZE)
        pretrained = _without_top(name, (size, size, 3), "imagenet")
        backbone.set_weights(pretrained.get_weights())
        return
    if not Path(weights).is_file():
        raise FileNotFoundError(
            f"weights={str(weights)!r} is neither 'imagenet' nor an existing file."
        )
    try:
        backbone.load_weights(str(weights))
    except Exception as error:  # Keras raises many types
        raise ValueError(
            f"{weights} cannot be loaded. It must be a Keras file with the weights of "
            f"{name} without its top: {error}"
        ) from error


def _split_efficientnet(
    network: "keras.Model",
) -> tuple["keras.Model", _Scaling]:
    """Split EfficientNet into the network without its scaling and the scaling.

    The normalisation layer updates its statistics only when weights are loaded from a
    file. Therefore it does not work in a network whose weights are set from arrays.
    """
    import keras
    import numpy as np
    from keras import layers

    normalization = next(
        layer for layer in network.layers if isinstance(layer, layers.Normalization)
    )
    mean = normalization.adapt_mean.numpy().astype(float)
    variance = normalization.adapt_variance.numpy().astype(float)
    scale = 1 / np.sqrt(variance)
    if np.allclose(variance, _STD, rtol=1e-3):
        # The ImageNet files contain the standard deviation instead of the variance.
        # With weights="imagenet", Keras adds a layer that corrects this.
        scale = 1 / variance
    first = network.get_layer("stem_conv_pad")
    return (
        keras.Model(first.input, network.output, name=network.name),
        _Scaling(tuple(map(float, scale)), tuple(map(float, -mean * scale))),
    )


def _scale(x: "keras.KerasTensor", scaling: _Scaling) -> "keras.KerasTensor":
    from keras import layers, ops

    # In float32, because bfloat16 is not precise enough for pixels.
    x = layers.Rescaling(
        list(scaling.scale),
        offset=list(scaling.offset),
        dtype="float32",
        name="preprocessing",
    )(x)
    return ops.flip(x, axis=-1) if scaling.is_bgr else x


def _blocks(backbone: "keras.Model", height: int) -> list[list["keras.layers.Layer"]]:
    """Return the layers of each block, from the input to the output.

    Layers belong to the same block if their outputs are smaller than the input by the
    same power of two. If a later output is larger, as after squeeze-and-excitation, the
    larger size determines the block.
    """
    blocks: dict[int, list[keras.layers.Layer]] = {}
    level = None  # unknown for the pooled features at the end
    last: list[keras.layers.Layer] = []
    for layer in reversed(backbone.layers):
        shape = layer.output.shape
        if len(shape) == 4:
            own = round(math.log2(height / shape[1]))
            level = own if level is None else min(level, own)
        (last if level is None else blocks.setdefault(level, [])).append(layer)
    ordered = [blocks[level] for level in sorted(blocks)]
    ordered[-1] += last
    return [block for block in ordered if any(layer.weights for layer in block)]
