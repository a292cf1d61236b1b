"""Stacks of patches and their sources. No scikit-learn estimators, no Keras."""

from skhisto.patches._patch_array import PatchArray, PatchSource

__all__ = ["PatchArray", "PatchSource"]
