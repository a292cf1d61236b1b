"""The reference network as an ONNX file, with predictions to check its users by."""

from pathlib import Path

import numpy as np

from benchmarks.networks import torch_network

LARGEST_DIFFERENCE = {"float32": 1e-4, "bfloat16": 0.05}


class OnnxExport:
    """Exports the network from PyTorch, for batches of a fixed size.

    Its weights are random, and the statistics of its batch normalisation those of a
    batch: probabilities spread as those of a trained network do.
    """

    def export(self, path: Path, patches: np.ndarray) -> np.ndarray:
        """Write the file and return the probabilities of the patches of one batch."""
        import torch
        from torch import nn

        torch.manual_seed(0)
        network = torch_network()
        norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
        norms += [m for m in network.modules() if isinstance(m, nn.BatchNorm1d)]
        for norm in norms:
            norm.momentum = 1.0  # the running statistics are those of the last batch
        network = nn.Sequential(network, nn.Sigmoid())
        batch = torch.from_numpy(patches)
        with torch.no_grad():
            network(batch)
            network.eval()
            torch.onnx.export(
                network,
                (batch,),
                path,
                input_names=["patches"],
                output_names=["probabilities"],
                external_data=False,
                verbose=False,
            )
            return network(batch).numpy().ravel()


def check_agreement(got: np.ndarray, expected: np.ndarray, limit: float) -> None:
    """Raise a ValueError where outputs differ from those of PyTorch."""
    difference = float(np.abs(got.ravel() - expected.ravel()).max())
    if not difference <= limit:
        raise ValueError(
            f"outputs differ from PyTorch's by up to {difference:.2g}, more than "
            f"{limit}: not timed"
        )
