"""Predicting with the reference network, also in ONNX Runtime and OpenVINO."""

from benchmarks.contest import Entry
from benchmarks.options import Options
from benchmarks.speed.contenders import Skhisto
from benchmarks.speed.onnx_export import measure_with_runtimes, reference_network
from benchmarks.speed.training import ENTRIES
from benchmarks.table import Section

WITH_OPENVINO: dict[str, Entry] = {
    'skhisto, engine="openvino", float32': (Skhisto, ("float32", "openvino")),
    'skhisto, engine="openvino", "auto"': (Skhisto, ("auto", "openvino")),
}


def run(options: Options) -> Section:
    """Measure prediction."""
    table = measure_with_runtimes(
        "prediction",
        ENTRIES | WITH_OPENVINO,
        reference_network,
        {"float32": 1e-4, "bfloat16": 0.05},
        options,
    )
    return Section(
        "Prediction",
        "Probabilities of the network above, from one array to another. skhisto uses "
        "its own batch size. ONNX Runtime and OpenVINO run an export from PyTorch that "
        "includes the scaling of pixels, and are compared with PyTorch.",
        [table],
    )
