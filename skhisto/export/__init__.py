"""Export of fitted classifiers to other runtimes, and model cards."""

from skhisto.export._model_card import model_card
from skhisto.export._onnx import export_onnx
from skhisto.export._openvino import export_openvino
from skhisto.export._saved_model import export_saved_model

__all__ = ["export_onnx", "export_openvino", "export_saved_model", "model_card"]
