"""The class that a map explains."""

from typing import Any

import numpy as np


def position_of(target: Any, classes: np.ndarray) -> int | None:
    """Return the position of a class, or None for the predicted class of each patch.

    Parameters
    ----------
    target : label or None
        One of `classes`. With two classes, None means the second one. With more, None
        means the predicted class of each patch.
    classes : ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        If `target` is not one of the classes.
    """
    labels = np.asarray(classes).tolist()
    if target is None:
        return 1 if len(labels) == 2 else None
    if target not in labels:
        raise ValueError(f"target must be one of the classes {labels}, got {target!r}.")
    return labels.index(target)
