"""Code shared by architectures with pretrained weights."""

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
    """Base class of architectures with a parameter `weights`, None for random ones."""

    weights: str | PathLike[str] | None

    @property
    def needs_pixels(self) -> bool:
        """Whether numbers outside [0, 1] are an error. True with pretrained weights."""
        return self.weights is not None


def input_shape(
    patch_shape: tuple[int, int, int], input_size: int | None
) -> tuple[int, int, int]:
    """Return the shape of patches after their shorter side is resized."""
    if input_size is None:
        return patch_shape
    height, width, n_channels = patch_shape
    scale = int(input_size) / min(height, width)
    return round(height * scale), round(width * scale), n_channels


def check_channels(name: str, patch_shape: tuple[int, int, int]) -> None:
    """Raise a ValueError if the patches do not have three channels."""
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
        f"input_size to {min_size} or more to enlarge the patches in the network."
    )


def resize(
    patches: "keras.KerasTensor",
    patch_shape: tuple[int, int, int],
    input_size: int | None,
) -> "keras.KerasTensor":
    """Resize patches to `input_shape` by bilinear interpolation."""
    from keras import ops

    height, width, _ = input_shape(patch_shape, input_size)
    if (height, width) == patch_shape[:2]:
        return patches
    # The layer Resizing would switch a network to training mode if it is called without
    # the argument `training` (Keras 3.15).
    return ops.image.resize(
        patches,
        (height, width),
        interpolation="bilinear",
        antialias=height < patch_shape[0],
    )


def freeze(
    blocks: Sequence[Sequence["keras.layers.Layer"]], trainable: str | int
) -> None:
    """Freeze all blocks that are not trained.

    Parameters
    ----------
    blocks : sequence of sequences of keras.layers.Layer
        The layers of each block, from the input to the output, without the head.
    trainable : "all", "head" or int
        The part that is trained. An int is the number of blocks at the end.

    Raises
    ------
    ValueError
        If `trainable` is greater than the number of blocks.
    """
    if trainable == "all":
        return
    n_trained = 0 if trainable == "head" else int(trainable)
    if n_trained > len(blocks):
        raise ValueError(
            f"trainable={n_trained} is greater than the number of blocks, "
            f"{len(blocks)}. Use 'all' to train all blocks."
        )
    for block in blocks[: len(blocks) - n_trained]:
        for layer in block:
            layer.trainable = False


def add_head(features: "keras.KerasTensor", dropout: float, n_outputs: int) -> Any:
    """Add dropout and the logits to pooled features."""
    from keras import layers

    x = layers.Dropout(float(dropout), name="dropout")(features)
    # float32, because logits in 16 bits would often be equal.
    return layers.Dense(n_outputs, dtype="float32", name="logits")(x)
