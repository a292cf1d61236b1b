"""EfficientNet-Lite0 with ImageNet weights in skhisto and in PyTorch.

Contenders have the methods of ``benchmarks.speed.contenders``. `predict` embeds: it
returns the 1,280 features of each patch.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.machine import n_cores
from benchmarks.speed.contenders import Contender, Skhisto, autocast_notes, batches
from benchmarks.speed.reading import file_name

if TYPE_CHECKING:
    import torch

BATCH_SIZE = 32  # of training
# For each stage: number of blocks, filters, kernel size, stride, expansion.
STAGES = (
    (1, 16, 3, 1, 1),
    (2, 24, 3, 2, 6),
    (2, 40, 5, 2, 6),
    (3, 80, 3, 2, 6),
    (3, 112, 5, 1, 6),
    (4, 192, 5, 2, 6),
    (1, 320, 3, 1, 6),
)


class Embedder(Contender):
    """`PatchEmbedder` with its default backbone."""

    def __init__(self, precision: str, engine: str | None) -> None:
        from skhisto import PatchEmbedder

        self._embedder = PatchEmbedder(precision=precision, engine=engine)

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Load the network."""
        super().prepare(X, y)
        self._embedder.fit(X)

    def predict(self, n_patches: int) -> np.ndarray:
        """Embed."""
        return self._embedder.transform(self._X[:n_patches])

    def note(self, method: str) -> str:
        """Return the precision that was chosen."""
        return f"computes in {self._embedder._fitted_backbone.identity['precision']}"


class FileEmbedder:
    """`PatchEmbedder` for files.

    Parameters
    ----------
    folder : Path
        Contains files of ``benchmarks.speed.reading``.
    n_files : int
    memory : str or None
        Folder for the features.
    """

    def __init__(self, folder: Path, n_files: int, memory: str | None) -> None:
        from skhisto import PatchEmbedder, PatchLoader

        names = [file_name(number) for number in range(n_files)]
        self._X = PatchLoader(root=folder, lazy=True).fit_transform(names)
        self._embedder = PatchEmbedder(memory=memory)

    def embed(self) -> float:
        """Embed, and return the size of the features in MB."""
        return self._embedder.fit_transform(self._X).nbytes / 1e6


class FineTuned(Skhisto):
    """`PatchCNNClassifier` that trains all layers for one epoch.

    Each fit begins with the pretrained weights.
    """

    def __init__(self, precision: str) -> None:
        super().__init__(
            precision,
            architecture="efficientnet_lite0",
            optimizer="adamw",
            optimizer_params={"weight_decay": 1e-2},
            batch_size=BATCH_SIZE,
        )

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Keep the patches."""
        self._X, self._y = X, y


class TorchLite(Contender):
    """PyTorch, channels last, with a plain training loop."""

    def __init__(self, precision: str) -> None:
        import torch

        torch.set_num_threads(n_cores())
        torch.manual_seed(0)
        self._precision = precision
        self._network = torch_efficientnet_lite(precision == "bfloat16")
        self._optimizer = torch.optim.AdamW(
            self._network.parameters(), lr=1e-3, weight_decay=1e-2
        )

    def predict(self, n_patches: int) -> np.ndarray:
        """Embed batch by batch."""
        import torch

        self._network.eval()
        with torch.inference_mode():
            features = [
                self._network.features(torch.from_numpy(batch)).numpy()
                for batch in batches(self._X[:n_patches])
            ]
        return np.concatenate(features)

    def train(self, n_patches: int) -> None:
        """Continue the training for a shuffled epoch."""
        import torch

        self._network.train()
        y = self._y.astype(np.float32)
        order = np.random.default_rng(0).permutation(n_patches)
        for rows in batches(order, BATCH_SIZE):
            patches, target = (torch.from_numpy(a[rows]) for a in (self._X, y))
            self._optimizer.zero_grad()
            logits = self._network(patches)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                logits[:, 0], target
            )
            loss.backward()
            self._optimizer.step()

    def note(self, method: str) -> str:
        """Return how it is used."""
        return "; ".join(autocast_notes(self._precision))


def torch_efficientnet_lite(autocast: bool) -> "torch.nn.Module":
    """Build EfficientNet-Lite0 in PyTorch with the weights of skhisto's extra.

    `forward` and `features` take uint8 patches (n, height, width, channels).
    """
    import torch
    from torch import nn

    from skhisto.architectures._efficientnet_lite import _padding
    from skhisto.architectures._efficientnet_lite_weights import read_weights

    class Block(nn.Module):
        def __init__(self, n_in, n_out, kernel_size, stride, expansion, size):
            super().__init__()
            n = n_in * expansion
            self.is_expanded, self.has_skip = (
                expansion > 1,
                stride == 1 and n_in == n_out,
            )
            if self.is_expanded:
                self._expand_conv = nn.Conv2d(n_in, n, 1, bias=False)
                self._bn0 = nn.BatchNorm2d(n, eps=1e-3, momentum=0.01)
            before, after = _padding(size, kernel_size) if stride == 2 else (0, 0)
            self.pad = nn.ZeroPad2d((before, after, before, after))
            padding = 0 if stride == 2 else kernel_size // 2
            self._depthwise_conv = nn.Conv2d(
                n, n, kernel_size, stride, padding, groups=n, bias=False
            )
            self._bn1 = nn.BatchNorm2d(n, eps=1e-3, momentum=0.01)
            self._project_conv = nn.Conv2d(n, n_out, 1, bias=False)
            self._bn2 = nn.BatchNorm2d(n_out, eps=1e-3, momentum=0.01)
            self.relu = nn.ReLU6()

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            x = inputs
            if self.is_expanded:
                x = self.relu(self._bn0(self._expand_conv(x)))
            x = self.relu(self._bn1(self._depthwise_conv(self.pad(x))))
            x = self._bn2(self._project_conv(x))
            return x + inputs if self.has_skip else x

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            before, after = _padding(224, 3)
            self.pad = nn.ZeroPad2d((before, after, before, after))
            self._conv_stem = nn.Conv2d(3, 32, 3, 2, bias=False)
            self._bn0 = nn.BatchNorm2d(32, eps=1e-3, momentum=0.01)
            blocks, n_in, size = [], 32, 112
            for n, n_out, kernel_size, stage_stride, expansion in STAGES:
                for position in range(n):
                    stride = 1 if position else stage_stride
                    blocks.append(
                        Block(n_in, n_out, kernel_size, stride, expansion, size)
                    )
                    n_in, size = n_out, size // stride
            self._blocks = nn.ModuleList(blocks)
            self._conv_head = nn.Conv2d(320, 1280, 1, bias=False)
            self._bn1 = nn.BatchNorm2d(1280, eps=1e-3, momentum=0.01)
            self.relu = nn.ReLU6()
            self.head = nn.Sequential(nn.Dropout(0.2), nn.Linear(1280, 1))

        def features(self, patches: torch.Tensor) -> torch.Tensor:
            x = (patches.permute(0, 3, 1, 2).to(torch.float32) - 127) / 128
            x = x.contiguous(memory_format=torch.channels_last)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=autocast):
                x = self.relu(self._bn0(self._conv_stem(self.pad(x))))
                for block in self._blocks:
                    x = block(x)
                x = self.relu(self._bn1(self._conv_head(x)))
            return x.float().mean(dim=(2, 3))

        def forward(self, patches: torch.Tensor) -> torch.Tensor:
            return self.head(self.features(patches))

    network = Network()
    tensors = {k: torch.from_numpy(v) for k, v in read_weights(0, "imagenet").items()}
    missing, unused = network.load_state_dict(tensors, strict=False)
    if set(missing) != {"head.1.weight", "head.1.bias"} or set(unused) != {
        "_fc.weight",
        "_fc.bias",
    }:
        raise ValueError(f"weights do not match: {missing[:2]}, {unused[:2]}")
    return network.to(memory_format=torch.channels_last)
