"""Loaders for patches and features, synthetic data and submission files."""

from skhisto.datasets._features import load_features
from skhisto.datasets._make_patches import make_patches
from skhisto.datasets._make_slide import make_slide
from skhisto.datasets._patch_folder import load_patch_folder
from skhisto.datasets._pcam import load_pcam
from skhisto.datasets._submission import write_submission

__all__ = [
    "load_features",
    "load_patch_folder",
    "load_pcam",
    "make_patches",
    "make_slide",
    "write_submission",
]
