"""How strongly an augmentation changes patches."""

from numbers import Real
from typing import Any


def check_strength(name: str, value: Any) -> None:
    """Raise a ValueError unless the parameter is a number from 0 to 1."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not (is_number and 0 <= value <= 1):
        raise ValueError(f"{name} must be a number from 0 to 1. Got {value!r}.")
