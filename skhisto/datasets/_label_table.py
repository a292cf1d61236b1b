"""Tables with one row for each patch: CSV files and data frames."""

import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skhisto.datasets._id_table import FilePath, listed, read_text_csv

_ABSENT, _AMBIGUOUS = -1, -2
_MAX_PATH = 4096  # no path on Linux is longer
_MISSING_TEXTS = {"", "na", "nan", "none", "null", "<na>", "n/a"}


class Rows(NamedTuple):
    """The rows of a table that have a file.

    Attributes
    ----------
    table : DataFrame
        The rows, in their order.
    files : ndarray of shape (n_rows,), int
        Positions of their files.
    n_without_file : int
        The number of rows that were left out.
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
                f"The data frame must have the columns {list(columns)}, but it lacks "
                f"{missing}. Its columns are {list(rows)}."
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
        What the table was read from, for messages.
    table : DataFrame
    path : str
        The column of file names or paths, with or without suffix.
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
            f"'{folder}' holds no image for {listed(absent, path)} in "
            f"{describe(source)}.{hint}"
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

    A value may have a suffix or not. It names a file in these cases, of which the
    first that applies counts:

    - it is the path of the file below the folder;
    - the path of the file ends with it;
    - it is such a path after folders with which the absolute path of `folder` ends.
      So "val/1.png" does not name the file "1.png" in the folder "train".
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
            f"'{folder}' holds more than one file for "
            f"{listed([values[row] for row in ambiguous], noun)}. Give the suffix or "
            "the folder of these files, too."
        )
    return found


class _Index:
    """Positions of files, by their names with and without suffix."""

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
    """Find a file whose path begins at another folder than the value."""
    if len(value) > _MAX_PATH:  # all tails of a long text take quadratic memory
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
    """Whether the last parts of an absolute path are these folders."""
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
    """Return a column as an array, in the dtype that its values have.

    Text from a CSV file becomes int64 if all cells are integers, float64 if all are
    numbers, and str otherwise. With `are_names`, it becomes int64 only if no two cells
    become equal. Values of a data frame keep their type.

    Raises
    ------
    ValueError
        If a value is missing: empty, or NaN.
    """
    is_text = not isinstance(source, pd.DataFrame)
    missing = values.isna()
    if is_text:
        missing |= values.str.strip().str.lower().isin(_MISSING_TEXTS)
    has_numbers = is_text and not are_names
    numbers = pd.to_numeric(values, errors="coerce") if has_numbers else None
    if numbers is not None and numbers[~missing].notna().all():
        # Above 2**53, floats skip integers.
        missing |= ~(numbers.abs() < 2**53)
    rows = np.flatnonzero(missing).tolist()
    if rows:
        raise ValueError(
            f"{describe(source)} has values in the column {values.name!r} that are "
            f"missing or not finite, for {listed([ids[row] for row in rows], 'id')}; "
            f"the first is {values.iloc[rows[0]]!r}."
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
    """Turn names such as 3 into integers, unless some are others, such as 03."""
    array = np.asarray(texts, dtype=str)
    try:
        numbers = array.astype(np.int64)
    except (ValueError, OverflowError):
        return array
    return numbers if np.array_equal(numbers.astype(str), array) else array


def describe(source: FilePath | pd.DataFrame) -> str:
    """Name a table in a message."""
    return "The data frame" if isinstance(source, pd.DataFrame) else f"'{source}'"
