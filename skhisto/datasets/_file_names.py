"""Labels, groups and coordinates from the names of files."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skhisto.datasets._id_table import listed


def named_parts(pattern: str) -> set[str]:
    """Return the names of the groups of a regular expression.

    Raises
    ------
    ValueError
        If the pattern is not a regular expression, has no named group, or only one of x
        and y.
    """
    return set(_compile(pattern).groupindex)


def contain_pattern(names: Sequence[str], pattern: str) -> NDArray[np.bool_]:
    """Return whether a regular expression is found in each name, see `parse_names`."""
    return np.array([match is not None for match in _search(names, pattern)], bool)


def parse_names(names: Sequence[str], pattern: str) -> pd.DataFrame:
    """Search each name for a regular expression with named groups.

    Parameters
    ----------
    names : sequence of str
        Paths relative to the folder, with forward slashes.
    pattern : str
        A regular expression with named groups. If it contains a slash, it is searched
        for in the whole relative path, otherwise in the name of the file.

    Returns
    -------
    parts : DataFrame of str
        One row for each name, one column for each named group.

    Raises
    ------
    ValueError
        If the pattern is not a regular expression, has no named group or only one of x
        and y, or if it is not found in some of the names, or a named group of it takes
        no part in the match.
    """
    matches = _search(names, pattern)
    unmatched = [n for n, m in zip(names, matches, strict=True) if m is None]
    if unmatched:
        raise ValueError(
            f"pattern={pattern!r} is not found in {listed(unmatched, 'file name')}. "
            "Change the pattern so that it is found in all file names, or use "
            "on_missing='skip' to leave out the other files. The pattern is searched "
            "for in the path below the folder if it contains '/', otherwise in the "
            "name of the file."
        )
    groups = [match.groupdict() for match in matches if match is not None]
    parts = pd.DataFrame(groups, dtype=object)
    for column in parts:
        absent = np.flatnonzero(parts[column].isna()).tolist()
        if absent:
            raise ValueError(
                f"pattern={pattern!r} finds no {column!r} in "
                f"{listed([names[row] for row in absent], 'file name')}."
            )
    return parts


def coords_of(parts: pd.DataFrame, names: Sequence[str]) -> NDArray[Any] | None:
    """Return x and y as numbers of shape (n, 2), or None if there are none."""
    if "x" not in parts:
        return None
    numbers = parts[["x", "y"]].apply(pd.to_numeric, errors="coerce")
    bad = np.flatnonzero(numbers.isna().any(axis=1)).tolist()
    if bad:
        raise ValueError(
            "The named groups x and y must be numbers, but they are not in "
            f"{listed([names[row] for row in bad], 'file name')}."
        )
    return numbers.to_numpy()


def _search(names: Sequence[str], pattern: str) -> list[re.Match[str] | None]:
    compiled = _compile(pattern)
    return [
        compiled.search(name if "/" in pattern else name.rpartition("/")[2])
        for name in names
    ]


def _compile(pattern: str) -> re.Pattern[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(
            f"pattern={pattern!r} is not a regular expression: {error}."
        ) from error
    found = set(compiled.groupindex)
    if not found:
        raise ValueError(
            f"pattern={pattern!r} has no named group. Name the parts of the file name, "
            r"for example r'(?P<group>\d+)_class(?P<label>\d)'. The names label, "
            "group, x and y have a meaning; others become columns of `meta`."
        )
    if len(found & {"x", "y"}) == 1:
        raise ValueError(
            f"pattern={pattern!r} names only one of x and y; coordinates need both."
        )
    return compiled
