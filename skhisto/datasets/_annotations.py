"""Labels, groups and coordinates of images, from folders, file names and tables."""

import os
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skhisto.datasets._file_names import (
    contain_pattern,
    coords_of,
    named_parts,
    parse_names,
)
from skhisto.datasets._id_table import FilePath, listed, read_id_table
from skhisto.datasets._label_table import (
    Rows,
    as_integers_if_written_so,
    column_values,
    describe,
    find_files,
    match_rows,
    read_table,
)
from skhisto.datasets._layouts import (
    Files,
    as_ids,
    check_folders_are_explained,
    names_of_folders,
    refuse_parts_of_the_data,
    refuse_two_meanings,
)

_FOLDER = "folder"


class Annotations(NamedTuple):
    """Labels, groups and coordinates of patches, and where they come from.

    Attributes
    ----------
    names : list of str
        Paths of the files relative to their folder, in the order of the patches.
    target, groups, coords : ndarray or None
    meta : DataFrame or None
    layout, label_source, group_source : str
        Text for the description of the data.
    n_without_file : int
        Number of rows that were left out because they have no file.
    n_without_row, n_without_pattern : int
        Number of files that were left out because they have no row, or because their
        names do not match the pattern.
    no_labels : Exception
        The error to raise if labels are required but missing.
    """

    names: list[str]
    target: NDArray[Any] | None
    groups: NDArray[Any] | None
    coords: NDArray[Any] | None
    meta: pd.DataFrame | None
    layout: str
    label_source: str
    group_source: str
    n_without_file: int
    n_without_row: int
    n_without_pattern: int
    no_labels: Exception


class _Column(NamedTuple):
    array: NDArray[Any] | None = None
    source: str = "none"


def annotate(
    folder: FilePath,
    files: Files,
    *,
    label: str | None,
    group: str | None,
    pattern: str | None,
    table: FilePath | pd.DataFrame | None,
    path: str | None,
    group_file: FilePath | None,
    on_missing: str,
) -> Annotations:
    """Find labels, groups and coordinates as described in `load_patch_folder`."""
    _check_parameters(label, group, table, path)
    parts = set() if pattern is None else named_parts(pattern)
    _check_single_source("label", label, parts)
    _check_single_source("group", group or group_file, parts)

    label_file = _label_file(folder, files)
    columns = {"label": label, "group": group}
    if table is not None:
        layout = "a table of files"
        rows = _match_table(files, table, path or "id", columns, on_missing)
    elif label is None and "label" not in parts and os.path.exists(label_file):
        layout = "Kaggle's, a folder of files and a CSV file of labels"
        table, columns["label"] = label_file, "label"
        rows = _match_label_file(files, label_file, on_missing)
    else:
        if pattern is not None and "/" not in pattern:
            refuse_parts_of_the_data(files)
        layout = _layout_without_table(files, columns, parts)
        rows = None

    order = np.arange(len(files.names)) if rows is None else rows.files
    n_without_row = len(files.names) - len(order)
    if pattern is not None and on_missing == "skip":
        order, rows = _skip_without_pattern(files, order, rows, pattern)
    n_without_pattern = len(files.names) - n_without_row - len(order)
    kept = files._replace(names=[files.names[row] for row in order])
    named = None if pattern is None else parse_names(kept.names, pattern)
    found = {
        name: _values(name, columns[name], kept, named, table, rows) for name in columns
    }
    if found["group"].array is None:
        found["group"] = _read_group_file(folder, group_file, kept)
    return Annotations(
        names=kept.names,
        target=found["label"].array,
        groups=found["group"].array,
        coords=None if named is None else coords_of(named, kept.names),
        meta=_meta(rows, named),
        layout=layout,
        label_source=found["label"].source,
        group_source=found["group"].source,
        n_without_file=0 if rows is None else rows.n_without_file,
        n_without_row=n_without_row,
        n_without_pattern=n_without_pattern,
        no_labels=_no_labels(label_file),
    )


def _check_parameters(
    label: str | None,
    group: str | None,
    table: FilePath | pd.DataFrame | None,
    path: str | None,
) -> None:
    if table is not None:
        return
    for name, value in {"label": label, "group": group}.items():
        if value not in (None, _FOLDER):
            raise ValueError(
                f"{name}={value!r} names a column, but no table was given. Pass the "
                f"table, or use {name}='folder' or pattern."
            )
    if path is not None:
        raise ValueError(
            f"path={path!r} names a column, but no table was given. Pass the table."
        )


def _check_single_source(name: str, given: Any, parts: set[str]) -> None:
    if given is not None and name in parts:
        raise ValueError(
            f"The {name} is given twice: by the pattern's group {name!r} and by "
            f"{given!r}. Rename the group in the pattern, or omit the other parameter."
        )


def _label_file(folder: FilePath, files: Files) -> str:
    """Return the path of the label file in Kaggle's layout. It may not exist."""
    if files.subset is None:
        return ""
    return os.path.join(folder, f"{files.subset}_labels.csv")


def _match_table(
    files: Files,
    table: FilePath | pd.DataFrame,
    path: str,
    columns: dict[str, str | None],
    on_missing: str,
) -> Rows:
    names = [name for name in columns.values() if name not in (None, _FOLDER)]
    contents = read_table(table, list(dict.fromkeys([path, *names])))
    if _FOLDER not in contents and columns["label"] == columns["group"] == _FOLDER:
        refuse_two_meanings(files)
    return match_rows(table, contents, path, files.names, files.folder, on_missing)


def _match_label_file(files: Files, label_file: str, on_missing: str) -> Rows:
    """Match the rows of Kaggle's label file with the image files."""
    table = read_table(label_file, ["id", "label"])
    rows = match_rows(label_file, table, "id", files.names, files.folder, on_missing)
    without = set(range(len(files.names))) - set(rows.files.tolist())
    if without and on_missing == "raise":
        ids = as_ids([files.names[row] for row in sorted(without)])
        raise ValueError(
            f"'{label_file}' has no label for {listed(ids, 'id')} in '{files.folder}'. "
            "Use on_missing='skip' to leave out files without a label."
        )
    return rows


def _skip_without_pattern(
    files: Files, order: NDArray[np.int64], rows: Rows | None, pattern: str
) -> tuple[NDArray[np.int64], Rows | None]:
    """Leave out files whose names do not match the pattern, unless none match."""
    is_found = contain_pattern([files.names[row] for row in order], pattern)
    if not is_found.any():
        return order, rows
    order = order[is_found]
    if rows is not None:
        table = rows.table[is_found].reset_index(drop=True)
        rows = rows._replace(table=table, files=order)
    return order, rows


def _layout_without_table(
    files: Files, columns: dict[str, str | None], parts: set[str]
) -> str:
    of_folders = [name for name, value in columns.items() if value == _FOLDER]
    if len(of_folders) == 2:
        refuse_two_meanings(files)
    if of_folders == ["label"]:
        return "one folder per class"
    if of_folders == ["group"]:
        return "one folder per group"
    if not of_folders and not parts & set(columns):
        check_folders_are_explained(files)
    return "files in one folder" if not _has_folders(files) else "files in folders"


def _has_folders(files: Files) -> bool:
    return any("/" in name for name in files.names)


def _values(
    name: str,
    column: str | None,
    files: Files,
    named: pd.DataFrame | None,
    table: FilePath | pd.DataFrame | None,
    rows: Rows | None,
) -> _Column:
    """Return labels or groups and their source."""
    if named is not None and name in named:
        values = as_integers_if_written_so(named[name].tolist())
        return _Column(values, "file names (pattern)")
    if column is None:
        return _Column()
    if table is not None and rows is not None and column in rows.table:
        values = column_values(
            table, rows.table[column], as_ids(files.names), are_names=name == "group"
        )
        return _Column(values, f"column {column!r} of {describe(table)}")
    folders = names_of_folders(files, name)
    return _Column(as_integers_if_written_so(folders), "names of folders")


def _read_group_file(
    folder: FilePath, group_file: FilePath | None, files: Files
) -> _Column:
    """Read the group file that was given, or the default one if it exists."""
    is_given = group_file is not None
    if group_file is None:
        group_file = os.path.join(folder, "slide_folds.csv")
        if not os.path.exists(group_file):
            return _Column()
    table = read_id_table(group_file)
    if len(table.columns) != 1:
        raise ValueError(
            f"'{group_file}' must have the column 'id' and exactly one other column, "
            f"the group. Its other columns are {list(table.columns)}."
        )
    row_of_file = np.full(len(files.names), -1)
    row_of_id = find_files(list(table.index), files.names, "id", files.folder)
    has_file = row_of_id >= 0
    row_of_file[row_of_id[has_file]] = np.flatnonzero(has_file)
    if not has_file.any() and not is_given:
        return _Column()  # the file describes another subset
    without = np.flatnonzero(row_of_file < 0)
    if len(without):
        ids = as_ids([files.names[row] for row in without])
        raise ValueError(f"'{group_file}' has no group for {listed(ids, 'id')}.")
    groups = table.iloc[row_of_file, 0].tolist()
    return _Column(as_integers_if_written_so(groups), f"'{group_file}'")


def _meta(rows: Rows | None, named: pd.DataFrame | None) -> pd.DataFrame | None:
    """Return the columns of the table and the named groups, one row per patch."""
    if rows is None or named is None:
        return named if rows is None else rows.table
    renamed = {name: f"{name}_in_name" for name in named if name in rows.table}
    return pd.concat([rows.table, named.rename(columns=renamed)], axis=1)


def _no_labels(label_file: str) -> Exception:
    advice = (
        "Use return_X_y=False to load the patches alone, or give the labels with "
        "label='folder', pattern or table."
    )
    if label_file and not os.path.exists(label_file):
        return FileNotFoundError(
            f"return_X_y=True needs labels, but '{label_file}' does not exist. {advice}"
        )
    return ValueError(f"return_X_y=True needs labels, but none were found. {advice}")
