"""The format of saved estimators."""

from typing import Any

FORMAT = 1
"""Raised when files that this version writes cannot be read by earlier versions."""

_KEY = "_skhisto_format"


class SavedFormat:
    """A base class of estimators whose saved state contains a format number."""

    def __getstate__(self) -> dict[str, Any]:
        return {_KEY: FORMAT, **super().__getstate__()}  # type: ignore[dict-item]

    def __setstate__(self, state: dict[str, Any]) -> None:
        state = dict(state)
        found = state.pop(_KEY, FORMAT)
        if not isinstance(found, int) or found > FORMAT:
            raise ValueError(
                f"The saved {type(self).__name__} has the format {found!r}, but this "
                f"version of skhisto reads formats up to {FORMAT}. Install the version "
                "of skhisto that saved it, or a later one."
            )
        super().__setstate__(state)  # type: ignore[misc]
