"""Whole slides as a source of patches, without scikit-learn estimators or Keras."""

from skhisto.slides._annotations import Annotations, read_annotations
from skhisto.slides._grid import WindowGrid
from skhisto.slides._slide import Slide, SlideImage
from skhisto.slides._slide_patches import SlidePatches
from skhisto.slides._tissue import TissueMask, tissue_mask

__all__ = [
    "Annotations",
    "Slide",
    "SlideImage",
    "SlidePatches",
    "TissueMask",
    "WindowGrid",
    "read_annotations",
    "tissue_mask",
]
