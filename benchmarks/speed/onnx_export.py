"""Networks that are exported from PyTorch to ONNX, with outputs to compare with."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.contest import Entry, alone
from benchmarks.networks import torch_network
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.speed.contenders import runtimes
from benchmarks.speed.pretrained import torch_efficientnet_lite
from benchmarks.speed.throughput import RATIOS, measure_throughput
from benchmarks.table import Table
from benchmarks.worker import WorkerError


class Exporter:
    """Writes an ONNX file.

    Parameters
    ----------
    make : callable
        Returns a module of PyTorch in evaluation mode.
    """

    def __init__(self, make: Callable[[np.ndarray], object]) -> None:
        self._make = make

    def export(self, path: Path, patches: np.ndarray) -> np.ndarray:
        """Write the file and return the outputs for one batch of patches."""
        import torch

        network = self._make(patches)
        batch = torch.from_numpy(patches)
        with torch.no_grad():
            torch.onnx.export(
                network,
                (batch,),
                path,
                input_names=["patches"],
                output_names=["outputs"],
                external_data=False,
                verbose=False,
            )
            return network(batch).numpy()


def reference_network(patches: np.ndarray) -> object:
    """Return the reference network with a sigmoid and random weights.

    The statistics of its batch normalisation are those of the patches, so that
    probabilities vary as in a trained network.
    """
    import torch
    from torch import nn

    torch.manual_seed(0)
    network = torch_network()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = 1.0  # the running statistics are those of one batch
    with torch.no_grad():
        network(torch.from_numpy(patches))
    return nn.Sequential(network, nn.Sigmoid()).eval()


def pretrained_features(patches: np.ndarray) -> object:
    """Return EfficientNet-Lite0 up to its features."""
    network = torch_efficientnet_lite(autocast=False).eval()
    network.forward = network.features
    return network


def measure_with_runtimes(
    topic: str,
    entries: dict[str, Entry],
    make: Callable[[np.ndarray], object],
    limits: dict[str, float],
    options: Options,
) -> Table:
    """Measure prediction, also by ONNX Runtime and OpenVINO.

    Parameters
    ----------
    topic : str
    entries : dict of str to (callable, tuple)
        The other contenders.
    make : callable
        Returns the module of PyTorch that is exported.
    limits : dict of str to float
        Allowed differences from PyTorch, by precision.
    options : Options
    """
    patches, _ = many_patches(16 if options.quick else 64, 96)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "network.onnx")
        error, expected = "", np.empty(0)
        try:
            call = ("export", file, patches)
            (expected,), _ = alone("export from PyTorch", (Exporter, (make,)), call)
        except WorkerError as reason:
            error = f"the export from PyTorch failed: {reason}"
        exported = runtimes(file, file, expected, limits)
        table = measure_throughput(
            topic,
            entries if error else entries | exported,
            "predict",
            options,
            n_batches=15,
            ours=RATIOS,
        )
    for name in exported if error else ():
        table.fail(name, error)
    return table
