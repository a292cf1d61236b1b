"""The class that is explained."""

from typing import Any

import numpy as np


def position_of(target: Any, classes: np.ndarray) -> int | None:
    """Return the position of a class; None for the class that is predicted.

    Parameters
    ----------
    target : label or None
        One of `classes`, or None: then it is the second of two classes, and of more the
        one that is predicted for each patch.
    classes : ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        If `target` is none of the classes.
    """
    labels = np.asarray(classes).tolist()
    if target is None:
        return 1 if len(labels) == 2 else None
    if target not in labels:
        raise ValueError(f"target={target!r} is none of the classes {labels}.")
    return labels.index(target)
