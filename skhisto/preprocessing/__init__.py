"""Transformers from file names to patches, and from patches to patches."""

from skhisto.preprocessing._center_crop import CenterCrop, center_crop
from skhisto.preprocessing._patch_loader import PatchLoader

__all__ = ["CenterCrop", "PatchLoader", "center_crop"]
