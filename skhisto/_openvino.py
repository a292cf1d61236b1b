"""Compile networks with OpenVINO for the processor."""

import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

_TELEMETRY = "openvino_telemetry"
_HINTS = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}

Run = Callable[[np.ndarray], np.ndarray]


def compile_model(model: Any, precision: str, n_threads: int) -> Run:
    """Return a function that maps one batch to the output of a network.

    The function is thread-safe. It computes one batch at a time.

    Parameters
    ----------
    model : openvino.Model
        A model with one input of a fixed shape and one output.
    precision : {"float32", "bfloat16", "float16"}
        Number format of the computation. OpenVINO uses float32 if the processor does
        not support the format.
    n_threads : int
        Number of threads for each batch.
    """
    compiled = (
        import_openvino()
        .Core()
        .compile_model(
            model,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": _HINTS[precision],
                "INFERENCE_NUM_THREADS": n_threads,
                "NUM_STREAMS": 1,
                # With pinning, several processes would use the same cores.
                "ENABLE_CPU_PINNING": False,
            },
        )
    )
    request = compiled.create_infer_request()
    lock = threading.Lock()

    def run(batch: np.ndarray) -> np.ndarray:
        with lock:
            # Copied, because the next batch overwrites the output.
            return np.array(request.infer([batch])[0])

    return run


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry.

    If the package ``openvino_telemetry`` can be imported, OpenVINO reports each import
    to Google Analytics. OpenVINO works without this package, so it is hidden here.

    Raises
    ------
    ImportError
        If OpenVINO is not installed.
    """
    is_hidden = _TELEMETRY not in sys.modules
    if is_hidden:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError:
        raise ImportError(
            "OpenVINO is not installed. Install it with: "
            'pip install "skhisto[openvino]"'
        ) from None
    finally:
        if is_hidden:
            sys.modules.pop(_TELEMETRY, None)
    return openvino
