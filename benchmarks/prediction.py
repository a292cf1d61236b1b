"""Predicting with the reference network: also ONNX Runtime and OpenVINO."""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.contenders import BATCH_SIZE, OnnxRuntime, OpenVino, Skhisto
from benchmarks.contest import Contest, Entry
from benchmarks.onnx_export import OnnxExport
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.table import Section
from benchmarks.throughput import measure_throughput
from benchmarks.training import ENTRIES, RATIOS

EXPORT = "export from PyTorch"
WITH_OPENVINO: dict[str, Entry] = {
    'skhisto, engine="openvino", float32': (Skhisto, ("float32", "openvino")),
    'skhisto, engine="openvino", "auto"': (Skhisto, ("auto", "openvino")),
}


def run(options: Options) -> Section:
    """Measure prediction."""
    n_batches, batch_size = (1, 16) if options.quick else (15, BATCH_SIZE)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "reference.onnx")
        expected, error = _export(file, batch_size)
        onnx: dict[str, Entry] = {
            "ONNX Runtime, float32": (OnnxRuntime, (file, expected)),
            "OpenVINO, float32": (OpenVino, (file, expected, "float32")),
            "OpenVINO, bfloat16 hint": (OpenVino, (file, expected, "bfloat16")),
        }
        table = measure_throughput(
            ENTRIES | WITH_OPENVINO | ({} if error else onnx),
            "predict",
            n_batches=n_batches,
            batch_size=batch_size,
            n_rounds=options.rounds,
            limit_s=10,
            ours=RATIOS,
        )
    if error:
        for name in onnx:
            table.fail(name, f"the export from PyTorch failed: {error}")
    return Section(
        "Prediction",
        f"Probabilities of {n_batches * batch_size} patches of 96x96 RGB pixels "
        f"(uint8), from one array to another, in batches of {BATCH_SIZE} (skhisto has "
        "its own size): the same network as above, on all cores, after a warm-up. ONNX "
        "Runtime and OpenVINO get the network from PyTorch, scaling included. "
        "Contenders run in processes of their own and take turns; medians over "
        f"{options.rounds} turn(s).",
        [table],
    )


def _export(file: Path, batch_size: int) -> tuple[np.ndarray | None, str]:
    """Write the ONNX file; return what PyTorch predicts, or why it does not."""
    patches, _ = many_patches(batch_size, 96)
    with Contest("export", {EXPORT: (OnnxExport, ())}) as contest:
        expected = contest.each("export", file, patches)
    return expected.get(EXPORT), contest.errors.get(EXPORT, "")
