"""Transformers from file names to patches, and from patches to patches."""

from skhisto.preprocessing._center_crop import CenterCrop, center_crop
from skhisto.preprocessing._patch_loader import PatchLoader
from skhisto.preprocessing._stain_normalizer import StainNormalizer

__all__ = ["CenterCrop", "PatchLoader", "StainNormalizer", "center_crop"]
