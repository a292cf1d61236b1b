"""Stacks of patches and their sources, without scikit-learn estimators or Keras."""

from skhisto.patches._patch_array import PatchArray, PatchSource

__all__ = ["PatchArray", "PatchSource"]
