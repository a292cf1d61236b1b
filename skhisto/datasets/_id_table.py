"""Tables of patches: CSV files with a column `id` and other columns."""

import csv
import os
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

FilePath = str | os.PathLike[str]

_N_NAMED = 10


def read_id_table(path: FilePath, columns: Collection[str] = ()) -> pd.DataFrame:
    """Read a CSV file with a column `id`, and check that the ids are unique.

    Parameters
    ----------
    path : str or path-like
        The CSV file.
    columns : collection of str, default=()
        Further columns that it must have.

    Returns
    -------
    table : DataFrame of str
        The other columns as text, indexed by id, in the order of the file.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If `read_text_csv` raises it, or if there are no rows, or ids that are empty or
        occur more than once: all are counted, the first ten named.
    """
    table = read_text_csv(path, ["id", *columns])
    if table.empty:
        raise ValueError(f"'{path}' has a header but no rows.")
    empty = np.flatnonzero(table["id"] == "") + 1
    if len(empty):
        raise ValueError(f"'{path}' has {listed(empty, 'row')} without an id.")
    repeated = table["id"][table["id"].duplicated()].unique()
    if len(repeated):
        raise ValueError(
            f"'{path}' has more than one row for {listed(repeated, 'id')}. Each patch "
            "must have one row."
        )
    return table.set_index("id")


def read_text_csv(path: FilePath, columns: Collection[str]) -> pd.DataFrame:
    """Read a CSV file as text: a cell such as 00123, 1e5 or NA stays as it is.

    Parameters
    ----------
    path : str or path-like
        The CSV file, in UTF-8, with a header.
    columns : collection of str
        Columns that it must have.

    Returns
    -------
    table : DataFrame of str
        All its columns.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is empty or not CSV, repeats or lacks a column, or has rows of another
        length than the header.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except FileNotFoundError:
        raise FileNotFoundError(f"The CSV file '{path}' does not exist.") from None
    except (csv.Error, UnicodeError) as error:
        raise ValueError(f"'{path}' cannot be read as CSV: {error}.") from error
    if not rows:
        raise ValueError(f"'{path}' is empty; a CSV file with a header was expected.")
    header = rows.pop(0)
    missing = [name for name in columns if name not in header]
    if missing or len(set(header)) < len(header):
        raise ValueError(
            f"'{path}' must have one column named each of {list(columns)}, and none "
            f"twice. Its columns are {header}."
        )
    uneven = [i for i, row in enumerate(rows, 1) if len(row) != len(header)]
    if uneven:
        raise ValueError(
            f"'{path}' has {listed(uneven, 'row')} with more or fewer cells than the "
            f"{len(header)} of its header."
        )
    return pd.DataFrame(rows, columns=header, dtype=str)


def listed(names: Collection[Any], noun: str) -> str:
    """Count things and name the first ten of them: "2 ids: a, b"."""
    text = f"{len(names)} {noun}{'' if len(names) == 1 else 's'}: "
    text += ", ".join(str(name) for name in list(names)[:_N_NAMED])
    if len(names) > _N_NAMED:
        text += f" and {len(names) - _N_NAMED} more"
    return text
