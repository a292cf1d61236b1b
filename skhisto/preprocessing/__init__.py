"""Transformers that load, crop, resize and normalise patches."""

from skhisto.preprocessing._center_crop import CenterCrop, center_crop
from skhisto.preprocessing._patch_loader import PatchLoader
from skhisto.preprocessing._resize import Resize
from skhisto.preprocessing._stain_normalizer import StainNormalizer

__all__ = ["CenterCrop", "PatchLoader", "Resize", "StainNormalizer", "center_crop"]
