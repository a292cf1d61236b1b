"""Keras CNNs for histopathology patches as scikit-learn estimators."""

from skhisto._classifier import PatchCNNClassifier
from skhisto._images.patch_array import PatchArray
from skhisto.augmentation import D4, BrightnessJitter, StainJitter
from skhisto.datasets import (
    load_patch_folder,
    load_pcam,
    make_patches,
    write_submission,
)
from skhisto.preprocessing import CenterCrop, PatchLoader, StainNormalizer, center_crop

__all__ = [
    "D4",
    "BrightnessJitter",
    "CenterCrop",
    "PatchArray",
    "PatchCNNClassifier",
    "PatchLoader",
    "StainJitter",
    "StainNormalizer",
    "center_crop",
    "load_patch_folder",
    "load_pcam",
    "make_patches",
    "write_submission",
]

__version__ = "0.1.0.dev0"
