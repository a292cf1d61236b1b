"""CSV files with one row per patch and a column `id`."""

import csv
import os
from collections.abc import Collection
from typing import Any

import numpy as np
import pandas as pd

FilePath = str | os.PathLike[str]

_N_NAMED = 10


def read_id_table(path: FilePath, columns: Collection[str] = ()) -> pd.DataFrame:
    """Read a CSV file with a column `id` and check that the ids are unique.

    Parameters
    ----------
    path : str or path-like
        The CSV file.
    columns : collection of str, default=()
        Other columns that are required.

    Returns
    -------
    table : DataFrame of str
        The other columns as text, indexed by id, in the order of the file.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If `read_text_csv` raises it, if the file has no rows, or if an id is empty or
        occurs more than once. The message gives the number of such ids and the first
        ten.
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
    """Read a CSV file as text, so that cells such as 00123, 1e5 or NA do not change.

    Parameters
    ----------
    path : str or path-like
        The CSV file, in UTF-8, with a header.
    columns : collection of str
        Required columns.

    Returns
    -------
    table : DataFrame of str
        All columns of the file.

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ValueError
        If the file is empty or not CSV, if a column is missing or occurs twice, or if
        a row and the header have different lengths.
    """
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if row]
    except FileNotFoundError:
        raise FileNotFoundError(f"The CSV file '{path}' does not exist.") from None
    except (csv.Error, UnicodeError) as error:
        raise ValueError(f"'{path}' cannot be read as CSV: {error}.") from error
    if not rows:
        raise ValueError(f"'{path}' is empty. Expected a CSV file with a header.")
    header = rows.pop(0)
    missing = [name for name in columns if name not in header]
    if missing or len(set(header)) < len(header):
        raise ValueError(
            f"'{path}' must have the columns {list(columns)}, and no column may occur "
            f"twice. Its columns are {header}."
        )
    uneven = [i for i, row in enumerate(rows, 1) if len(row) != len(header)]
    if uneven:
        raise ValueError(
            f"'{path}' has a header with {len(header)} cells, but a different number "
            f"of cells in {listed(uneven, 'row')}."
        )
    return pd.DataFrame(rows, columns=header, dtype=str)


def listed(names: Collection[Any], noun: str) -> str:
    """Count things and name the first ten of them: "2 ids: a, b"."""
    text = f"{len(names)} {noun}{'' if len(names) == 1 else 's'}: "
    text += ", ".join(str(name) for name in list(names)[:_N_NAMED])
    if len(names) > _N_NAMED:
        text += f" and {len(names) - _N_NAMED} more"
    return text
