"""Pure functions from parameters to a Keras network."""

import functools
from collections.abc import Sequence

import keras
from keras import layers


def reference_network(
    patch_shape: tuple[int, int, int],
    n_outputs: int,
    *,
    filters: Sequence[int],
    kernel_size: int,
    dense_units: int,
    conv_dropout: float,
    dense_dropout: float,
    padding: str,
    batch_norm_momentum: float,
) -> keras.Sequential:
    """Blocks of two convolutions, then a hidden dense layer.

    With three blocks of 32, 64 and 128 filters and 256 dense units this is the network
    of 2,386,817 parameters on patches of 96x96x3.
    """
    suitable = choose_padding(patch_shape, len(filters), kernel_size)
    if padding == "auto":
        padding = suitable
    elif padding == "valid" and suitable == "same":
        raise ValueError(
            f"Patches of {patch_shape[0]}x{patch_shape[1]} pixels are too small for "
            f"{len(filters)} blocks with padding='valid'; use 'auto' or 'same'."
        )
    normalise = functools.partial(
        layers.BatchNormalization, momentum=batch_norm_momentum
    )
    stack: list[layers.Layer] = []
    for block, n_filters in enumerate(filters, start=1):
        pool = layers.MaxPooling2D(2, padding=padding, name=f"block{block}_pool")
        for i in (1, 2):
            name = f"block{block}_conv{i}"
            # Batch norm subtracts a bias again: only the first convolution has one.
            stack += [
                layers.Conv2D(
                    n_filters,
                    kernel_size,
                    padding=padding,
                    use_bias=not stack,
                    name=name,
                ),
                normalise(name=f"{name}_norm"),
                # ReLU is the same function after pooling, and has less to do there.
                *([pool] if i == 2 else []),
                layers.ReLU(name=f"{name}_relu"),
            ]
        stack.append(layers.Dropout(conv_dropout, name=f"block{block}_dropout"))
    stack += [
        layers.Flatten(name="flatten"),
        layers.Dense(dense_units, use_bias=False, name="dense"),
        normalise(name="dense_norm"),
        layers.ReLU(name="dense_relu"),
        layers.Dropout(dense_dropout, name="dense_dropout"),
        # In fewer bits logits would tie.
        layers.Dense(n_outputs, dtype="float32", name="logits"),
    ]
    return keras.Sequential(stack, name="patch_cnn")


def choose_padding(
    patch_shape: tuple[int, int, int], n_blocks: int, kernel_size: int
) -> str:
    """Choose "valid" where a patch is large enough to survive all blocks."""
    side = min(patch_shape[:2])
    for _ in range(n_blocks):
        side = (side - 2 * (kernel_size - 1)) // 2
    return "valid" if side >= 1 else "same"


def compact_network(
    patch_shape: tuple[int, int, int], n_outputs: int, *, batch_norm_momentum: float
) -> keras.Sequential:
    """Five convolutions at lower and lower resolutions, and the mean over all places.

    The first convolution halves the resolution itself, where images are largest. With
    two classes and RGB it has about 400,000 parameters, for patches of any size.
    """
    normalise = functools.partial(
        layers.BatchNormalization, momentum=batch_norm_momentum
    )
    stack: list[layers.Layer] = [
        layers.Conv2D(24, 5, 2, padding="same", use_bias=False, name="stem_conv"),
        normalise(name="stem_norm"),
        layers.ReLU(name="stem_relu"),
    ]
    filters = (32, 64, 128, 256)
    for block, n_filters in enumerate(filters, start=1):
        name = f"block{block}"
        stack += [
            layers.Conv2D(
                n_filters, 3, padding="same", use_bias=False, name=f"{name}_conv"
            ),
            normalise(name=f"{name}_norm"),
        ]
        if block < len(filters):
            stack.append(layers.MaxPooling2D(2, padding="same", name=f"{name}_pool"))
        stack.append(layers.ReLU(name=f"{name}_relu"))
    stack += [
        layers.GlobalAveragePooling2D(name="mean"),
        layers.Dropout(0.3, name="dropout"),
        # In fewer bits logits would tie.
        layers.Dense(n_outputs, dtype="float32", name="logits"),
    ]
    return keras.Sequential(stack, name="compact_cnn")
