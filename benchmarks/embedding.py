"""Embedding with EfficientNet-Lite0: skhisto, PyTorch, ONNX Runtime and OpenVINO."""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.contenders import BATCH_SIZE, OnnxRuntime, OpenVino
from benchmarks.contest import Contest, Entry
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.pretrained import (
    LARGEST_DIFFERENCE,
    Embedder,
    FeatureExport,
    TorchLite,
)
from benchmarks.table import Section
from benchmarks.throughput import measure_throughput

OURS = "skhisto, float32"
OURS_AUTO = 'skhisto, precision="auto"'
ENTRIES: dict[str, Entry] = {
    OURS: (Embedder, ("float32", None)),
    OURS_AUTO: (Embedder, ("auto", None)),
    'skhisto, engine="openvino", float32': (Embedder, ("float32", "openvino")),
    'skhisto, engine="openvino", "auto"': (Embedder, ("auto", "openvino")),
    "PyTorch, channels_last, float32": (TorchLite, ("float32",)),
    "PyTorch, channels_last, bfloat16": (TorchLite, ("bfloat16",)),
}
EXPORT = "export from PyTorch"


def run(options: Options) -> Section:
    """Measure embedding."""
    n_batches, batch_size = (1, 16) if options.quick else (15, BATCH_SIZE)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "features.onnx")
        expected, error = _export(file, batch_size)
        limits = LARGEST_DIFFERENCE
        onnx: dict[str, Entry] = {
            "ONNX Runtime, float32": (OnnxRuntime, (file, expected, limits)),
            "OpenVINO, float32": (OpenVino, (file, expected, "float32", limits)),
            "OpenVINO, bfloat16 hint": (OpenVino, (file, expected, "bfloat16", limits)),
        }
        table = measure_throughput(
            ENTRIES if error else ENTRIES | onnx,
            "predict",
            n_batches=n_batches,
            batch_size=batch_size,
            n_rounds=options.rounds,
            limit_s=10,
            ours={"skhisto float32 / this": OURS, "skhisto auto / this": OURS_AUTO},
        )
    if error:
        for name in onnx:
            table.fail(name, f"the export from PyTorch failed: {error}")
    return Section(
        "Embedding",
        f"Features of {n_batches * batch_size} patches of 96x96 RGB pixels (uint8): "
        "EfficientNet-Lite0 with ImageNet weights, one view, on all cores, after a "
        f"warm-up, in batches of {BATCH_SIZE} (skhisto has its own size). ONNX Runtime "
        "and OpenVINO get the network from PyTorch, scaling included. Contenders run "
        "in separate processes and take turns; medians over "
        f"{options.rounds} turn(s).",
        [table],
    )


def _export(file: Path, batch_size: int) -> tuple[np.ndarray | None, str]:
    """Write the ONNX file; return the features of PyTorch, or why there are none."""
    patches, _ = many_patches(batch_size, 96)
    with Contest("export", {EXPORT: (FeatureExport, ())}) as contest:
        expected = contest.each("export", file, patches)
    return expected.get(EXPORT), contest.errors.get(EXPORT, "")
