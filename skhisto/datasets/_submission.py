"""Submission files: one predicted probability for each id."""

import os

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils._param_validation import validate_params

from skhisto._atomic_file import atomic_path
from skhisto.datasets._id_table import FilePath, listed, read_id_table


@validate_params(
    {
        "path": [str, os.PathLike],
        "ids": ["array-like"],
        "proba": ["array-like"],
        "sample": [str, os.PathLike, None],
    },
    prefer_skip_nested_validation=True,
)
def write_submission(
    path: FilePath, ids: ArrayLike, proba: ArrayLike, *, sample: FilePath | None = None
) -> None:
    """Write predicted probabilities as a CSV file with the columns `id` and `label`.

    The file is written atomically: under a temporary name in the same folder, and then
    renamed. An existing file is replaced.

    Parameters
    ----------
    path : str or path-like
        The CSV file to write.
    ids : array-like of shape (n_patches,)
        The ids, such as `ids` of :func:`load_patch_folder`.
    proba : array-like of shape (n_patches,) or (n_patches, 2)
        Probability that a patch is positive, or the result of `predict_proba` for two
        classes, whose second column is used. Reading the file gives the same float64
        values.
    sample : str or path-like, default=None
        A sample submission: a CSV file with the column `id`. It must have the same ids,
        and its order is used. None writes the ids in the given order.

    Raises
    ------
    FileNotFoundError
        If `sample` or the folder of `path` does not exist.
    IsADirectoryError
        If `path` is a folder.
    ValueError
        In the following cases. The file is not written. Messages give the number of ids
        and the first ten.

        - `ids` is empty or has the wrong shape.
        - The numbers of ids and probabilities differ.
        - A probability is not a number from 0 to 1.
        - An id is missing or occurs twice.
        - `sample` has other ids.

    See Also
    --------
    load_patch_folder : Load the patches of a submission.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skhisto.datasets import write_submission
    >>> folder = tempfile.TemporaryDirectory()
    >>> path = Path(folder.name, "submission.csv")
    >>> write_submission(path, ["b", "a"], [[0.75, 0.25], [0.5, 0.5]])
    >>> print(path.read_text())
    id,label
    b,0.25
    a,0.5
    <BLANKLINE>
    >>> folder.cleanup()
    """
    ids = _check_ids(ids)
    positive = _check_proba(proba, ids)
    submission = pd.DataFrame({"label": positive}, index=pd.Index(ids, name="id"))
    if sample is not None:
        order = read_id_table(sample).index
        _check_same_ids(submission.index, order, sample)
        submission = submission.loc[order]
    # pandas gets the open file, because by name it would compress "*.gz".
    with atomic_path(path) as temporary, open(temporary, "xb") as file:
        submission.to_csv(file, lineterminator="\n")


def _check_ids(ids: ArrayLike) -> list[str]:
    array = np.asarray(ids, dtype=object)
    if array.ndim != 1:
        raise ValueError(
            f"ids must have shape (n_patches,), got {array.shape}. If ids is a data "
            "frame, pass its column of ids."
        )
    if not len(array):
        raise ValueError("ids must contain at least one id, but it is empty.")
    values = pd.Series(array)
    empty = np.flatnonzero(values.isna() | (values == "")) + 1
    if len(empty):
        raise ValueError(f"ids has {listed(empty, 'row')} without an id.")
    names = values.astype(str)
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        raise ValueError(f"ids has more than one entry for {listed(repeated, 'id')}.")
    return names.tolist()


def _check_proba(proba: ArrayLike, ids: list[str]) -> NDArray[np.float64]:
    try:
        values = np.asarray(proba, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(
            "proba must be an array of numbers between 0 and 1, but it could not be "
            f"converted: {error}."
        ) from error
    if values.ndim == 2 and values.shape[1] == 2:
        values = values[:, 1]
    if values.ndim != 1:
        raise ValueError(
            "proba must have shape (n_patches,), or (n_patches, 2) as returned by "
            f"predict_proba for two classes. Got {values.shape}."
        )
    if len(values) != len(ids):
        raise ValueError(f"There are {len(ids)} ids, but {len(values)} probabilities.")
    # The condition is also false for NaN.
    bad = np.flatnonzero(~((values >= 0) & (values <= 1)))
    if len(bad):
        raise ValueError(
            "proba must be between 0 and 1, but it is not for "
            f"{listed([ids[i] for i in bad], 'id')}. The first is {values[bad[0]]}."
        )
    return values


def _check_same_ids(ids: pd.Index, expected: pd.Index, sample: FilePath) -> None:
    missing = expected.difference(ids)
    if len(missing):
        raise ValueError(
            f"No probability was given for {listed(missing, 'id')} in '{sample}'."
        )
    unknown = ids.difference(expected)
    if len(unknown):
        raise ValueError(f"'{sample}' does not have {listed(unknown, 'id')}.")
