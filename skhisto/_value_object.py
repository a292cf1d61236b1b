"""Objects that are defined by their parameters."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator


class ValueObject(BaseEstimator):
    """An object that is defined by its parameters, such as an architecture.

    It has scikit-learn's `get_params`, `set_params` and representation, so that `clone`
    copies it and `GridSearchCV` searches its parameters. Two objects are equal if they
    have the same type and equal parameters. Lists are equal to tuples of the same
    values, and NumPy numbers to Python numbers. The objects are mutable and therefore
    not hashable.
    """

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return canonical(self) == canonical(other)


def canonical(value: Any) -> Any:
    """Convert a parameter to a plain value that can be compared."""
    if isinstance(value, ValueObject):
        return type(value), canonical(value.get_params(deep=False))
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return tuple(canonical(item) for item in value)
    return value
