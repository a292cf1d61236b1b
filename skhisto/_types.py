"""Types that several parts of the package use."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

PatchShape = tuple[int, int, int]
"""Height in pixels, width in pixels, number of channels."""

Builder = Callable[[PatchShape, int], "keras.Model"]
"""Maps the shape of the patches and the number of logits to an untrained network."""

AugmentFunction = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Maps a batch of patches and a random generator to changed patches."""

ValueRange = tuple[float, float]
"""Minimum and maximum."""
