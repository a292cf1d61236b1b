"""What augmentations ask of their strengths and of what they are called with."""

from numbers import Real
from typing import Any

import numpy as np


def check_strength(name: str, value: Any) -> None:
    """Raise a ValueError unless the parameter is a number from 0 to 1."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not (is_number and 0 <= value <= 1):
        raise ValueError(f"{name} must be a number from 0 to 1. Got {value!r}.")


def check_batch(patches: Any) -> None:
    """Raise an error unless these are patches in an array with four axes."""
    if not isinstance(patches, np.ndarray):
        raise TypeError(
            "Augmentations take patches as a NumPy array. Got an object of type "
            f"{type(patches).__name__}: give np.asarray(patches)."
        )
    if patches.ndim != 4:
        raise ValueError(
            "Augmentations take patches of shape (n, height, width, channels). Got "
            f"shape {patches.shape}: give patches[..., None] where they are grey, and "
            "patch[None] where it is one."
        )
