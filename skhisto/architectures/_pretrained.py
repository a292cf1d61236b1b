"""What pretrained architectures have in common."""

from collections.abc import Sequence
from numbers import Integral, Real
from os import PathLike
from typing import TYPE_CHECKING, Any

from sklearn.utils._param_validation import Interval, StrOptions

from skhisto.architectures._base import Architecture

if TYPE_CHECKING:
    import keras

PRETRAINED_CONSTRAINTS: dict[str, list[Any]] = {
    "weights": [str, PathLike, None],
    "input_size": [Interval(Integral, 1, None, closed="left"), None],
    "trainable": [
        StrOptions({"all", "head"}),
        Interval(Integral, 1, None, closed="left"),
    ],
    "dropout": [Interval(Real, 0, 1, closed="left")],
}


class PretrainedArchitecture(Architecture):
    """An architecture whose parameter `weights` is None for random weights."""

    weights: str | PathLike[str] | None

    @property
    def needs_pixels(self) -> bool:
        """Whether numbers outside [0, 1] are an error: with pretrained weights."""
        return self.weights is not None


def input_shape(
    patch_shape: tuple[int, int, int], input_size: int | None
) -> tuple[int, int, int]:
    """Return the shape of patches whose shorter side has the length `input_size`."""
    if input_size is None:
        return patch_shape
    height, width, n_channels = patch_shape
    scale = int(input_size) / min(height, width)
    return round(height * scale), round(width * scale), n_channels


def check_channels(name: str, patch_shape: tuple[int, int, int]) -> None:
    """Raise a ValueError unless the patches have the three channels of RGB."""
    n_channels = patch_shape[2]
    if n_channels != 3:
        raise ValueError(
            f"{name} needs RGB patches, but the patches have {n_channels} "
            f"channel{'s' * (n_channels != 1)}. Convert them to RGB."
        )


def check_size(
    name: str,
    patch_shape: tuple[int, int, int],
    input_size: int | None,
    min_size: int,
) -> None:
    """Raise a ValueError if the patches are too small for the network."""
    if min(input_shape(patch_shape, input_size)[:2]) >= min_size:
        return
    given = f"the patches have {patch_shape[0]}x{patch_shape[1]} pixels"
    if input_size is not None:
        given += f" and input_size is {input_size}"
    raise ValueError(
        f"{name} needs at least {min_size}x{min_size} pixels, but {given}. Set "
        f"input_size to {min_size} or more, so that the network enlarges the patches."
    )


def resize(
    patches: "keras.KerasTensor",
    patch_shape: tuple[int, int, int],
    input_size: int | None,
) -> "keras.KerasTensor":
    """Resize patches, by bilinear interpolation, to `input_shape`."""
    from keras import ops

    height, width, _ = input_shape(patch_shape, input_size)
    if (height, width) == patch_shape[:2]:
        return patches
    # Not a layer Resizing: it switches a network that is called without the argument
    # `training` to training (Keras 3.15).
    return ops.image.resize(
        patches,
        (height, width),
        interpolation="bilinear",
        antialias=height < patch_shape[0],
    )


def freeze(
    blocks: Sequence[Sequence["keras.layers.Layer"]], trainable: str | int
) -> None:
    """Freeze all blocks but those that are to be trained.

    Parameters
    ----------
    blocks : sequence of sequences of keras.layers.Layer
        The layers of each block, from the input to the output, without the head.
    trainable : "all", "head" or int
        An int is the number of blocks at the end that are trained.

    Raises
    ------
    ValueError
        If there are fewer blocks.
    """
    if trainable == "all":
        return
    n_trained = 0 if trainable == "head" else int(trainable)
    if n_trained > len(blocks):
        raise ValueError(
            f"trainable={n_trained} is more than the {len(blocks)} blocks of the "
            "network. Use 'all' to train all of them."
        )
    for block in blocks[: len(blocks) - n_trained]:
        for layer in block:
            layer.trainable = False


def add_head(features: "keras.KerasTensor", dropout: float, n_outputs: int) -> Any:
    """Add dropout and the logits to pooled features."""
    from keras import layers

    x = layers.Dropout(float(dropout), name="dropout")(features)
    # In 16 bits, logits would tie.
    return layers.Dense(n_outputs, dtype="float32", name="logits")(x)
