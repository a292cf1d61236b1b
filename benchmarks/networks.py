"""The same network in Keras and in PyTorch, and a small one.

The reference network consists of blocks, a hidden dense layer, and one unit with a
sigmoid. A block is two times convolution, batch normalisation and ReLU, followed by max
pooling and dropout. On patches of 96x96x3 it has 2,386,817 parameters. Libraries are
imported in the functions, so that each contender imports only the one that it uses.
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
    """Build the network for uint8 patches from stock Keras layers, uncompiled."""
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
    """Build a network that is faster than reading its patches."""
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
    """Build the network in PyTorch, from uint8 patches to logits.

    The channels are the last dimension. With `autocast`, PyTorch computes in bfloat16
    if it considers that safe.
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
