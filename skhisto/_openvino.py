"""Networks compiled by OpenVINO, for the processor."""

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
    """Return a function from one batch to the output of a network.

    Several threads can call the function. One batch is computed at a time.

    Parameters
    ----------
    model : openvino.Model
        With one input of a fixed shape and one output.
    precision : {"float32", "bfloat16", "float16"}
        What the network computes in. Where the processor does not support the format,
        OpenVINO uses float32.
    n_threads : int
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
                # Threads of several processes would be pinned to the same cores.
                "ENABLE_CPU_PINNING": False,
            },
        )
    )
    request = compiled.create_infer_request()
    lock = threading.Lock()

    def run(batch: np.ndarray) -> np.ndarray:
        with lock:
            # The next batch overwrites the output.
            return np.array(request.infer([batch])[0])

    return run


def import_openvino() -> ModuleType:
    """Import OpenVINO without its telemetry.

    OpenVINO reports every import to Google Analytics if it can import the package of
    its telemetry, which it does not need.

    Raises
    ------
    ImportError
        If it is not installed.
    """
    is_hidden = _TELEMETRY not in sys.modules
    if is_hidden:
        sys.modules[_TELEMETRY] = None  # type: ignore[assignment]
    try:
        import openvino
    except ImportError:
        raise ImportError(
            "This needs OpenVINO, which is not installed. Install it with: "
            'pip install "skhisto[openvino]"'
        ) from None
    finally:
        if is_hidden:
            sys.modules.pop(_TELEMETRY, None)
    return openvino
