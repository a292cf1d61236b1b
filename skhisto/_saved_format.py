"""The format number of saved estimators."""

from typing import Any

FORMAT = 1
"""Increase this number when earlier versions can no longer read saved estimators."""

_KEY = "_skhisto_format"


class SavedFormat:
    """Base class of estimators that store a format number in their saved state."""

    def __getstate__(self) -> dict[str, Any]:
        return {_KEY: FORMAT, **super().__getstate__()}  # type: ignore[dict-item]

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        found = state.pop(_KEY, FORMAT)
        if not isinstance(found, int) or found > FORMAT:
            raise ValueError(
                f"The saved {type(self).__name__} has format {found!r}, but this "
                f"version of skhisto reads formats up to {FORMAT}. Install the version "
                "of skhisto that saved it, or a later version."
            )
        super().__setstate__(state)  # type: ignore[misc]
