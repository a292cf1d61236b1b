"""Engines for ONNX files: ONNX Runtime and OpenVINO."""

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import NamedTuple

import joblib
import numpy as np

from skhisto._openvino import Run, compile_model, import_openvino
from skhisto._threads import threads_allowed

_TELEMETRY = "ORT_DISABLE_TELEMETRY"


class Port(NamedTuple):
    """An input or output of a network.

    Attributes
    ----------
    name : str
    shape : tuple of int or str
        Dynamic axes are strings.
    dtype : str
        Name of the dtype, such as "float32".
    """

    name: str
    shape: tuple[int | str, ...]
    dtype: str


class OnnxEngine(ABC):
    """A network loaded by an engine.

    Parameters
    ----------
    file : bytes or str
        The content of an ONNX file, or its path.

    Attributes
    ----------
    inputs, outputs : list of Port
    """

    inputs: list[Port]
    outputs: list[Port]

    @abstractmethod
    def __init__(self, file: bytes | str) -> None: ...

    @abstractmethod
    def run(self, batch: np.ndarray) -> np.ndarray:
        """Return the only output of a network for its only input."""


class OnnxRuntime(OnnxEngine):
    """ONNX Runtime with the number of threads that this process may use."""

    def __init__(self, file: bytes | str) -> None:
        onnxruntime = _import_onnxruntime()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads_allowed() or 0  # 0 means all cores
        self._session = onnxruntime.InferenceSession(
            file, options, providers=["CPUExecutionProvider"]
        )
        self.inputs, self.outputs = (
            [Port(p.name, tuple(p.shape), _ONNX_TYPES.get(p.type, p.type)) for p in ps]
            for ps in (self._session.get_inputs(), self._session.get_outputs())
        )

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Return the only output of a network for its only input."""
        (output,) = self._session.run(None, {self.inputs[0].name: batch})
        return output


class OpenVino(OnnxEngine):
    """OpenVINO in float32 with the number of threads that this process may use.

    A network is compiled for each batch shape.
    """

    def __init__(self, file: bytes | str) -> None:
        self._model = import_openvino().Core().read_model(file)
        self.inputs, self.outputs = (
            [
                Port(
                    port.any_name,
                    tuple(
                        length.get_length() if length.is_static else str(length)
                        for length in port.partial_shape
                    ),
                    port.element_type.to_dtype().name,
                )
                for port in ports
            ]
            for ports in (self._model.inputs, self._model.outputs)
        )
        self._compiled: dict[tuple[int, ...], Run] = {}

    def run(self, batch: np.ndarray) -> np.ndarray:
        """Return the only output of a network for its only input."""
        if batch.shape not in self._compiled:
            self._model.reshape(list(batch.shape))
            n_threads = threads_allowed() or joblib.cpu_count()
            run = compile_model(self._model, "float32", n_threads)
            self._compiled[batch.shape] = run
        return self._compiled[batch.shape](batch)


ENGINES: dict[str, type[OnnxEngine]] = {
    "onnxruntime": OnnxRuntime,
    "openvino": OpenVino,
}
_ONNX_TYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(uint8)": "uint8",
}


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Disable the telemetry of ONNX Runtime unless the user has set it.

    Since version 1.29, ONNX Runtime reports sessions to Microsoft. It reads the
    environment variable once, when it is imported.
    """
    is_decided = _TELEMETRY in os.environ or "onnxruntime" in sys.modules
    if not is_decided:
        os.environ[_TELEMETRY] = "1"
    try:
        yield
    finally:
        if not is_decided:
            os.environ.pop(_TELEMETRY, None)


def _import_onnxruntime() -> ModuleType:
    try:
        with _without_telemetry():
            import onnxruntime
    except ImportError:
        raise ImportError(
            "Embedding with an ONNX file needs ONNX Runtime, which is not installed. "
            'Install it with: pip install "skhisto[onnx]"'
        ) from None
    return onnxruntime
