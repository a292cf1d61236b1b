"""Tables with one row per patch: CSV files and data frames."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skhisto.datasets._id_table import FilePath, listed, read_text_csv

_ABSENT, _AMBIGUOUS = -1, -2
_MAX_PATH = 4096  # the longest path on Linux
_MISSING_TEXTS = {"", "na", "nan", "none", "null", "<na>", "n/a"}


class Rows(NamedTuple):
    """The rows of a table that have a file.

    Attributes
    ----------
    table : DataFrame
        The rows, in the order of the table.
    files : ndarray of shape (n_rows,), int
        Position of the file of each row.
    n_without_file : int
        Number of rows that were left out.
    """

    table: pd.DataFrame
    files: NDArray[np.int64]
    n_without_file: int


def read_table(table: FilePath | pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Read a CSV file as text, or copy a data frame, and check its columns."""
    if not isinstance(table, pd.DataFrame):
        rows = read_text_csv(table, columns)
    else:
        rows = table.reset_index(drop=table.index.name is None)
        missing = [name for name in columns if name not in rows]
        if missing:
            raise ValueError(
                f"The data frame must have the columns {list(columns)}, but "
                f"{missing} are missing. Its columns are {list(rows)}."
            )
    if rows.empty:
        raise ValueError(f"{describe(table)} has a header but no rows.")
    return rows


def match_rows(
    source: FilePath | pd.DataFrame,
    table: pd.DataFrame,
    path: str,
    names: Sequence[str],
    folder: str,
    on_missing: str,
) -> Rows:
    """Find the file of each row.

    Parameters
    ----------
    source : path-like or DataFrame
        The source of the table, for messages.
    table : DataFrame
    path : str
        The column of file names or paths, with or without a suffix.
    names : sequence of str
        Paths of all files, relative to the folder.
    folder : str
    on_missing : {"raise", "skip"}
        What to do with rows without a file.
    """
    empty = np.flatnonzero(table[path].isna() | (table[path].astype(str) == "")) + 1
    if len(empty):
        raise ValueError(
            f"{describe(source)} has {listed(empty, 'row')} without an {path}."
        )
    values = table[path].astype(str)
    repeated = values[values.duplicated()].unique()
    if len(repeated):
        raise ValueError(
            f"{describe(source)} has more than one row for {listed(repeated, path)}. "
            "Each patch must have one row."
        )
    files = find_files(values.tolist(), names, path, folder)
    absent = values[files < 0].tolist()
    if absent and (on_missing == "raise" or len(absent) == len(values)):
        hint = "" if len(absent) == len(values) else (
            " Use on_missing='skip' to leave out rows without a file."
        )  # fmt: skip
        raise FileNotFoundError(
            f"{describe(source)} names images that '{folder}' does not contain: "
            f"{listed(absent, path)}.{hint}"
        )
    kept = table[files >= 0].reset_index(drop=True)
    files = files[files >= 0]
    if len(np.unique(files)) < len(files):
        twice = pd.Series(files)[pd.Series(files).duplicated()].unique()
        raise ValueError(
            f"{describe(source)} has more than one row for "
            f"{listed([names[row] for row in twice], 'file')}. Each patch must have "
            "one row."
        )
    return Rows(kept, files, len(absent))


def find_files(
    values: Sequence[str], names: Sequence[str], noun: str, folder: str
) -> NDArray[np.int64]:
    """Return the position of the file that each value names, or -1.

    The suffix of a value is optional. A value names a file by the first of these rules
    that applies:

    - The value is the path of the file below the folder.
    - The path of the file ends with the value.
    - The value is such a path after the last parts of the absolute path of `folder`.
      For example, "val/1.png" does not name the file "1.png" in the folder "train".
    """
    found = np.full(len(values), _ABSENT, dtype=np.int64)
    exact = _Index(enumerate(names))
    for row, value in enumerate(values):
        found[row] = exact.find(value)
    absent = np.flatnonzero(found == _ABSENT).tolist()
    if absent:
        tails = _Index(
            (i, tail) for i, name in enumerate(names) for tail in _tails(name)
        )
        above = os.path.abspath(folder).replace("\\", "/")
        for row in absent:
            found[row] = _find_with_folders(values[row], exact, tails, above)
    ambiguous = np.flatnonzero(found == _AMBIGUOUS).tolist()
    if ambiguous:
        raise ValueError(
            f"'{folder}' contains more than one file for "
            f"{listed([values[row] for row in ambiguous], noun)}. Add the suffix or "
            "the folder to these names."
        )
    return found


class _Index:
    """Positions of files by name, with and without a suffix."""

    def __init__(self, positions_and_names: Iterable[tuple[int, str]]) -> None:
        self._full: dict[str, int] = {}
        self._stems: dict[str, int] = {}
        for position, name in positions_and_names:
            stem = os.path.splitext(name)[0]
            for index, key in ((self._full, name), (self._stems, stem)):
                index[key] = _AMBIGUOUS if key in index else position

    def find(self, name: str) -> int:
        return self._full.get(name, self._stems.get(name, _ABSENT))


def _find_with_folders(value: str, exact: _Index, tails: _Index, folder: str) -> int:
    """Find the file of a value that has more or fewer leading folders."""
    if len(value) > _MAX_PATH:  # the tails of a long text take quadratic memory
        return _ABSENT
    value = value.replace("\\", "/").removeprefix("./")
    candidates = [exact.find(value), tails.find(value)]
    candidates += [
        exact.find(tail)
        for tail in _tails(value)
        if _ends_with(folder, value.removesuffix(f"/{tail}"))
    ]
    return next((found for found in candidates if found != _ABSENT), _ABSENT)


def _ends_with(folder: str, last_folders: str) -> bool:
    """Return whether an absolute path ends with these folders."""
    return folder == last_folders or folder.endswith(f"/{last_folders}")


def _tails(name: str) -> list[str]:
    """Return "b/c" and "c" for "a/b/c"."""
    parts = name.split("/")
    return ["/".join(parts[start:]) for start in range(1, len(parts))]


def column_values(
    source: FilePath | pd.DataFrame,
    values: pd.Series,
    ids: Sequence[str],
    *,
    are_names: bool,
) -> NDArray[Any]:
    """Return a column as an array whose dtype follows from the values.

    Text from a CSV file becomes int64 if all cells are integers, float64 if all are
    numbers, and str otherwise. With `are_names`, it becomes int64 only if different
    cells stay different. Values of a data frame keep their type.

    Raises
    ------
    ValueError
        If a value is empty, NaN, infinite, or an integer that float64 cannot represent.
    """
    is_text = not isinstance(source, pd.DataFrame)
    missing = values.isna()
    if is_text:
        missing |= values.str.strip().str.lower().isin(_MISSING_TEXTS)
    has_numbers = is_text and not are_names
    numbers = pd.to_numeric(values, errors="coerce") if has_numbers else None
    if numbers is not None and numbers[~missing].notna().all():
        # Above 2**53, float64 cannot represent every integer.
        missing |= ~(numbers.abs() < 2**53)
    rows = np.flatnonzero(missing).tolist()
    if rows:
        raise ValueError(
            f"{describe(source)} has missing, infinite or too large values in the "
            f"column {values.name!r} for {listed([ids[row] for row in rows], 'id')}. "
            f"The first value is {values.iloc[rows[0]]!r}."
        )
    if numbers is not None and numbers.notna().all():
        floats = numbers.to_numpy(dtype=np.float64)
        integers = floats.astype(np.int64)
        return integers if np.array_equal(integers, floats) else floats
    if is_text:
        return as_integers_if_written_so(values.tolist())
    array = values.to_numpy()
    is_str = all(isinstance(value, str) for value in array)
    return array.astype(str) if is_str else np.asarray(array.tolist())


def as_integers_if_written_so(texts: Sequence[str]) -> NDArray[Any]:
    """Convert names to integers if all are written as such (3, but not 03)."""
    array = np.asarray(texts, dtype=str)
    try:
        numbers = array.astype(np.int64)
    except (ValueError, OverflowError):
        return array
    return numbers if np.array_equal(numbers.astype(str), array) else array


def describe(source: FilePath | pd.DataFrame) -> str:
    """Return the name of a table for a message."""
    return "The data frame" if isinstance(source, pd.DataFrame) else f"'{source}'"
