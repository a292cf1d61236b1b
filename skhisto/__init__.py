"""Keras CNNs for histopathology patches as scikit-learn estimators."""

from skhisto._classifier import PatchCNNClassifier
from skhisto._images.patch_array import PatchArray

__all__ = ["PatchArray", "PatchCNNClassifier"]

__version__ = "0.1.0.dev0"
