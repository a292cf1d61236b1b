"""The same networks in Keras, in PyTorch and for ONNX.

The reference network in the classic order: twice convolution, batch normalisation and
ReLU in each block, then max pooling and dropout; a hidden dense layer; one unit with a
sigmoid. On patches of 96x96x3 it has 2,386,817 parameters. Libraries are imported
where they are used: every contender's process has only its own.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras
    import torch

N_PARAMETERS = 2_386_817
FILTERS = (32, 64, 128)


def keras_network(
    filters: Sequence[int] = FILTERS,
    dense_units: int = 256,
    size: int = 96,
    padding: str = "valid",
    momentum: float = 0.9,
) -> "keras.Sequential":
    """Build the network from stock Keras layers, uncompiled: uint8 patches in."""
    import keras
    from keras import layers

    stack: list[Any] = [
        keras.Input((size, size, 3), dtype="uint8"),
        layers.Rescaling(1 / 255),
    ]
    for n_filters in filters:
        for _ in range(2):
            stack += [
                layers.Conv2D(n_filters, 3, padding=padding, use_bias=len(stack) == 2),
                layers.BatchNormalization(momentum=momentum),
                layers.ReLU(),
            ]
        stack += [layers.MaxPooling2D(2, padding=padding), layers.Dropout(0.3)]
    stack += [
        layers.Flatten(),
        layers.Dense(dense_units, use_bias=False),
        layers.BatchNormalization(momentum=momentum),
        layers.ReLU(),
        layers.Dropout(0.5),
        layers.Dense(1, activation="sigmoid"),
    ]
    return keras.Sequential(stack)


def light_network(
    patch_shape: tuple[int, int, int], n_outputs: int
) -> "keras.Sequential":
    """Build a network that takes less time than reading its patches."""
    import keras
    from keras import layers

    return keras.Sequential(
        [
            keras.Input(patch_shape),
            layers.Conv2D(16, 8, strides=8, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(n_outputs),
        ]
    )


def torch_network(autocast: bool = False) -> "torch.nn.Module":
    """Build the reference network in PyTorch, channels last: uint8 patches to logits.

    Patches come as (n, height, width, channels). With `autocast` it computes in
    bfloat16 where PyTorch thinks it safe.
    """
    import torch
    from torch import nn

    layers: list[nn.Module] = []
    n_channels = 3
    for n_filters in FILTERS:
        for _ in range(2):
            layers += [
                nn.Conv2d(n_channels, n_filters, 3, bias=not layers),
                nn.BatchNorm2d(n_filters),
                nn.ReLU(),
            ]
            n_channels = n_filters
        layers += [nn.MaxPool2d(2), nn.Dropout(0.3)]
    layers += [
        nn.Flatten(),
        nn.Linear(8 * 8 * n_channels, 256, bias=False),
        nn.BatchNorm1d(256),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(256, 1),
    ]

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(*layers)

        def forward(self, patches: torch.Tensor) -> torch.Tensor:
            pixels = patches.permute(0, 3, 1, 2).to(torch.float32) / 255
            pixels = pixels.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
                logits = self.body(pixels)
            return logits.float()

    return Network().to(memory_format=torch.channels_last)
