"""Checks of file names, and their paths."""

import os
from typing import Any

import numpy as np
import pandas as pd


def file_paths(X: Any, root: str | os.PathLike[str] | None, suffix: str) -> list[str]:
    """Return the paths of files from their names.

    Parameters
    ----------
    X : array-like of shape (n,) or (n, 1)
        Names as strings or path-like objects.
    root : str, path-like or None
        Folder that the names refer to. None means that the names are paths.
    suffix : str
        Suffix that is appended to each name.

    Raises
    ------
    TypeError, ValueError, FileNotFoundError, NotADirectoryError
        In the cases that `PatchLoader.fit` describes.
    """
    names = [name + suffix for name in _check_names(X)]
    _check_no_name_has_nul(names)
    if root is None:
        return names
    if not os.path.exists(root):
        raise FileNotFoundError(f"The folder root='{root}' does not exist.")
    if not os.path.isdir(root):
        raise NotADirectoryError(f"root='{root}' is a file, not a folder.")
    _check_names_stay_within(root, names)
    return [os.path.join(root, name) for name in names]


def _check_names(X: Any) -> list[str]:
    """Check one column of names and return it as a list of str."""
    # dtype=object keeps numbers and missing values. Otherwise they would silently
    # become names such as "nan".
    names = np.asarray(X, dtype=object)
    if names.ndim == 0:
        raise TypeError(
            "File names must be a list, an array, a Series or a DataFrame with one "
            f"column; got {X!r}. Put a single name in a list."
        )
    if names.ndim == 2 and names.shape[1] == 1:
        names = names[:, 0]
    if names.ndim > 1:
        raise ValueError(
            f"File names must be one column; got shape {names.shape}. Select the "
            "column that contains the names."
        )
    if len(names) == 0:
        raise ValueError("At least one file name is required; got none.")
    missing = np.flatnonzero(pd.isna(names))
    if len(missing) > 0:
        raise ValueError(
            f"{len(missing)} of {len(names)} file names are missing (None or NaN), the "
            f"first in row {missing[0]}."
        )
    for row, name in enumerate(names):
        if not isinstance(name, (str, os.PathLike)):
            raise TypeError(
                f"File names must be strings or path-like, but row {row} is {name!r} "
                f"of type {type(name).__name__}. If names consist of digits, read the "
                "column as str to keep leading zeros."
            )
    return [str(os.fspath(name)) for name in names]


def _check_no_name_has_nul(names: list[str]) -> None:
    rows = [row for row, name in enumerate(names) if "\0" in name]
    if rows:
        raise ValueError(
            f"{len(rows)} of {len(names)} file names contain a NUL character, which is "
            f"not allowed, the first in row {rows[0]}: {names[rows[0]]!r}."
        )


def _check_names_stay_within(root: str | os.PathLike[str], names: list[str]) -> None:
    rows = [row for row, name in enumerate(names) if _leads_out(name)]
    if rows:
        raise ValueError(
            f"{len(rows)} of {len(names)} file names are absolute paths or contain "
            f"'..', the first in row {rows[0]}: {names[rows[0]]!r}. Files must be in "
            f"root='{os.fspath(root)}'. Use root=None if the names are paths."
        )


def _leads_out(name: str) -> bool:
    drive, path = os.path.splitdrive(name)
    parts = path.replace(os.sep, "/").split("/")
    return bool(drive) or parts[0] == "" or ".." in parts
