"""Names of types that several parts of the package use."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

PatchShape = tuple[int, int, int]
"""Height and width in pixels, and number of channels."""

Builder = Callable[[PatchShape, int], "keras.Model"]
"""From the shape of the patches and the number of logits to an untrained network."""

AugmentFunction = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""From a batch of patches and a random generator to changed patches."""

ValueRange = tuple[float, float]
"""Minimum and maximum."""
