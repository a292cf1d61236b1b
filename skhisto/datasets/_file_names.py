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
        If the pattern is not a regular expression, if it has no named group, or if it
        has only one of x and y.
    """
    return set(_compile(pattern).groupindex)


def contain_pattern(names: Sequence[str], pattern: str) -> NDArray[np.bool_]:
    """Return for each name whether it matches, by the rules of `parse_names`."""
    return np.array([match is not None for match in _search(names, pattern)], bool)


def parse_names(names: Sequence[str], pattern: str) -> pd.DataFrame:
    """Search each name for a regular expression with named groups.

    Parameters
    ----------
    names : sequence of str
        Paths relative to the folder, with forward slashes.
    pattern : str
        A regular expression with named groups. If it contains a slash, the whole
        relative path is searched, otherwise the file name.

    Returns
    -------
    parts : DataFrame of str
        One row per name, one column per named group.

    Raises
    ------
    ValueError
        In the following cases:

        - The pattern is not a regular expression.
        - The pattern has no named group, or only one of x and y.
        - The pattern does not match one of the names.
        - A named group does not take part in a match.
    """
    matches = _search(names, pattern)
    unmatched = [n for n, m in zip(names, matches, strict=True) if m is None]
    if unmatched:
        raise ValueError(
            f"pattern={pattern!r} does not match {listed(unmatched, 'file name')}. "
            "Change the pattern so that it matches all file names, or use "
            "on_missing='skip' to leave out the other files. A pattern that contains "
            "'/' is searched for in the path below the folder, any other pattern in "
            "the file name."
        )
    groups = [match.groupdict() for match in matches if match is not None]
    parts = pd.DataFrame(groups, dtype=object)
    for column in parts:
        absent = np.flatnonzero(parts[column].isna()).tolist()
        if absent:
            raise ValueError(
                f"The group {column!r} of pattern={pattern!r} does not match in "
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
            "The named groups x and y must match numbers, but they do not in "
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
            "group, x and y have a meaning. Other names become columns of `meta`."
        )
    if len(found & {"x", "y"}) == 1:
        raise ValueError(
            f"pattern={pattern!r} names only one of x and y. Coordinates need both."
        )
    return compiled
