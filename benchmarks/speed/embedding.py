"""Embedding with EfficientNet-Lite0: skhisto, PyTorch, ONNX Runtime and OpenVINO."""

import tempfile
from pathlib import Path

from benchmarks.contest import Entry, alone
from benchmarks.options import Options
from benchmarks.speed.onnx_export import measure_with_runtimes, pretrained_features
from benchmarks.speed.pretrained import Embedder, FileEmbedder, TorchLite
from benchmarks.speed.reading import write_files
from benchmarks.speed.throughput import OURS, OURS_AUTO
from benchmarks.table import Section, Table
from benchmarks.worker import WorkerError

ENTRIES: dict[str, Entry] = {
    OURS: (Embedder, ("float32", None)),
    OURS_AUTO: (Embedder, ("auto", None)),
    'skhisto, engine="openvino", float32': (Embedder, ("float32", "openvino")),
    'skhisto, engine="openvino", "auto"': (Embedder, ("auto", "openvino")),
    "PyTorch, channels_last, float32": (TorchLite, ("float32",)),
    "PyTorch, channels_last, bfloat16": (TorchLite, ("bfloat16",)),
}
# Features are in [0, 6]. These differences are exceeded by other weights or scalings.
LIMITS = {"float32": 1e-3, "bfloat16": 1.5}


def run(options: Options) -> Section:
    """Measure embedding."""
    speed = measure_with_runtimes(
        "embedding", ENTRIES, pretrained_features, LIMITS, options
    )
    return Section(
        "Embedding",
        "Features by EfficientNet-Lite0 with ImageNet weights, one view. skhisto uses "
        "its own batch size. ONNX Runtime and OpenVINO run an export from PyTorch that "
        "includes the scaling of pixels, and are compared with PyTorch.",
        [speed, _memory(options)],
    )


def _memory(options: Options) -> Table:
    sizes = (32, 64) if options.quick else (2_000, 20_000)
    table = Table(
        ["patches", "memory", "MB of features", "peak MB"],
        caption="Peak memory of a process that embeds TIFF files, with and without "
        "storing the features:",
    )
    with tempfile.TemporaryDirectory() as folder:
        write_files(Path(folder), max(sizes))
        for stores in (False, True):
            for n in sizes:
                with tempfile.TemporaryDirectory() as memory:
                    arguments = (Path(folder), n, memory if stores else None)
                    name = "a folder" if stores else "None"
                    try:
                        (features,), megabytes = alone(
                            "embedding files", (FileEmbedder, arguments), ("embed",)
                        )
                        table.add(f"{n:,}", name, features, megabytes)
                    except WorkerError as error:
                        table.fail(f"{n:,}", str(error))
    return table
