"""Keras CNNs for histopathology patches as scikit-learn estimators."""

from skhisto._classifier import PatchCNNClassifier
from skhisto._images.patch_array import PatchArray
from skhisto.datasets import (
    load_patch_folder,
    load_pcam,
    make_patches,
    write_submission,
)
from skhisto.preprocessing import CenterCrop, PatchLoader, center_crop

__all__ = [
    "CenterCrop",
    "PatchArray",
    "PatchCNNClassifier",
    "PatchLoader",
    "center_crop",
    "load_patch_folder",
    "load_pcam",
    "make_patches",
    "write_submission",
]

__version__ = "0.1.0.dev0"
