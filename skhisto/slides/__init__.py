"""Whole slides as a source of patches. No scikit-learn estimators, no Keras."""

from skhisto.slides._grid import WindowGrid
from skhisto.slides._slide import Slide, SlideImage

__all__ = ["Slide", "SlideImage", "WindowGrid"]
