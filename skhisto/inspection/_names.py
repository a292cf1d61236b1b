"""Names of classes."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike


def names_of(display_labels: Sequence[str] | None, classes: ArrayLike) -> list[str]:
    """Return the names of classes, or the labels as text without names.

    Raises
    ------
    ValueError
        If the numbers of names and classes differ.
    """
    labels = np.asarray(classes).tolist()
    names = labels if display_labels is None else list(display_labels)
    if len(names) != len(labels):
        raise ValueError(
            f"display_labels must name the {len(labels)} classes {labels}, got {names}."
        )
    return [str(name) for name in names]
