"""Folders of patch files with a CSV file of labels."""

import os
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from skhisto.datasets._id_table import (
    FilePath,
    integer_labels,
    listed,
    read_id_table,
)
from skhisto.patches._image_files import FILE_FORMATS, PIXEL_FORMATS, ImageFiles
from skhisto.patches._patch_array import PatchArray

_DESCR = """\
Patches from a folder of image files
------------------------------------

{n_patches} patches of {height}x{width} pixels with {n_channels} channels ({dtype}).

- files: {files}
- labels: {labels}
- groups: {groups}

This is the layout of the Kaggle competition "Histopathologic Cancer Detection", where
label 1 says that the central 32x32 of 96x96 pixels hold at least one pixel of tumour.
"""


@validate_params(
    {
        "folder": [str, os.PathLike],
        "subset": [str],
        "groups": [str, os.PathLike, None],
        "mode": [StrOptions(set(PIXEL_FORMATS))],
        "n_jobs": [Integral, None],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_patch_folder(
    folder: FilePath,
    *,
    subset: str = "train",
    groups: FilePath | None = None,
    mode: str = "RGB",
    n_jobs: int | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[PatchArray, NDArray[np.int64]]:
    r"""Load patches from a folder of image files and a CSV file of labels.

    The layout is that of the Kaggle competition "Histopathologic Cancer Detection"
    [1]_: one file a patch, named after its id, in ``<folder>/<subset>/``, and labels
    in ``<folder>/<subset>_labels.csv``. No pixel is decoded until it is asked for.

    Parameters
    ----------
    folder : str or path-like
        The folder that holds the folder of patches.
    subset : str, default="train"
        Name of the folder of patches, and first part of the name of the CSV file.
    groups : str or path-like, default=None
        CSV file with a column `id` and one other, which says what patches belong
        together, such as the slide that they are from. None takes
        ``<folder>/slide_folds.csv`` where it exists and knows patches of this subset.
    mode : {"RGB", "RGBA", "L", "I;16"}, default="RGB"
        What each file must hold: 8-bit RGB, 8-bit RGB with alpha, 8-bit grey, or
        unsigned 16-bit grey.
    n_jobs : int, default=None
        Number of threads that read files. None means 1, -1 all processors.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the following attributes.

        data : PatchArray of shape (n_patches, height, width, n_channels)
            The patches, in the order of the label file, or of the sorted file names if
            there is none. uint8, or uint16 for mode "I;16".
        target : ndarray of shape (n_patches,), int64, or None
            The labels. None if there is no label file, as for the subset "test".
        ids : ndarray of shape (n_patches,), str
            The ids: file names without folder and suffix.
        filenames : ndarray of shape (n_patches,), str
            The paths of the files.
        groups : ndarray of shape (n_patches,), int64 or str, or None
            What each patch belongs to. Integers if all are written as such.
        DESCR : str
            Description of the data.

    (data, target) : tuple if `return_X_y` is True
        The patches and their labels, see above.

    Raises
    ------
    FileNotFoundError
        If the folder, the file `groups`, or a patch that has a label does not exist, or
        if there is no label file and `return_X_y` is True.
    ValueError
        If the folder holds no images, or two of the same name; if a CSV file lacks a
        column, or has rows without id, ids that occur twice, or labels that are not
        integers; or if a patch has no label or no group. All messages name the file,
        count the ids and name the first ten.

    See Also
    --------
    load_pcam : The same kind of data in HDF5 files.
    make_patches : Synthetic patches.

    References
    ----------
    .. [1] W. Cukierski, "Histopathologic Cancer Detection", Kaggle, 2018,
       https://kaggle.com/competitions/histopathologic-cancer-detection

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skhisto.datasets import load_patch_folder
    >>> folder = tempfile.TemporaryDirectory()
    >>> train = Path(folder.name, "train")
    >>> train.mkdir()
    >>> for name in ["a", "b"]:
    ...     Image.new("RGB", (96, 96)).save(train / f"{name}.tif")
    >>> labels = "id,label\nb,1\na,0\n"
    >>> _ = Path(folder.name, "train_labels.csv").write_text(labels)
    >>> patches = load_patch_folder(folder.name)
    >>> patches.data.shape
    (2, 96, 96, 3)
    >>> patches.ids.tolist(), patches.target.tolist()
    (['b', 'a'], [1, 0])
    >>> folder.cleanup()
    """
    patch_folder = os.path.join(folder, subset)
    paths = _list_images(patch_folder)
    label_file = os.path.join(folder, f"{subset}_labels.csv")
    if os.path.exists(label_file):
        ids, target = _read_labels(label_file, paths, patch_folder)
    elif return_X_y:
        raise FileNotFoundError(
            f"There are no labels to return: '{label_file}' does not exist. Use "
            "return_X_y=False to load the patches alone."
        )
    else:
        ids, target, label_file = sorted(paths, key=paths.__getitem__), None, "none"

    filenames = [paths[name] for name in ids]
    data = PatchArray(ImageFiles(filenames, mode, n_jobs=n_jobs))
    if return_X_y:
        return data, target
    group_file, group_of_row = _find_groups(folder, groups, ids)
    n_patches, height, width, n_channels = data.shape
    return Bunch(
        data=data,
        target=target,
        ids=np.array(ids),
        filenames=np.array(filenames),
        groups=group_of_row,
        DESCR=_DESCR.format(
            n_patches=n_patches,
            height=height,
            width=width,
            n_channels=n_channels,
            dtype=data.dtype,
            files=patch_folder,
            labels=label_file,
            groups=group_file,
        ),
    )


def _list_images(folder: str) -> dict[str, str]:
    """Paths of the image files in a folder, by their names without suffix."""
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"The folder of patches '{folder}' does not exist.")
    formats = Image.registered_extensions().items()
    suffixes = {suffix for suffix, name in formats if name in FILE_FORMATS}
    paths: dict[str, str] = {}
    repeated = []
    for name in os.listdir(folder):
        stem, suffix = os.path.splitext(name)
        # Hidden files include the AppleDouble files (._*) that macOS leaves.
        if name.startswith(".") or suffix.lower() not in suffixes:
            continue
        if stem in paths:
            repeated.append(stem)
        paths[stem] = os.path.join(folder, name)
    if repeated:
        raise ValueError(
            f"'{folder}' holds more than one file for {listed(repeated, 'id')}."
        )
    if not paths:
        raise ValueError(
            f"'{folder}' holds no image files: none of its names ends in one of "
            f"{', '.join(sorted(suffixes))}."
        )
    return paths


def _read_labels(
    label_file: str, paths: dict[str, str], folder: str
) -> tuple[list[str], NDArray[np.int64]]:
    """Read ids and labels; there must be as many as files."""
    table = read_id_table(label_file, ["label"])
    absent = [name for name in table.index if name not in paths]
    if absent:
        raise FileNotFoundError(
            f"'{folder}' holds no image for {listed(absent, 'id')} in '{label_file}'."
        )
    unlabelled = sorted(set(paths) - set(table.index))
    if unlabelled:
        raise ValueError(
            f"'{label_file}' has no label for {listed(unlabelled, 'id')} in '{folder}'."
        )
    return list(table.index), integer_labels(label_file, table["label"])


def _find_groups(
    folder: FilePath, group_file: FilePath | None, ids: list[str]
) -> tuple[str, NDArray[Any] | None]:
    """Return the CSV file of groups, and the group of each id."""
    chosen = group_file is not None
    if group_file is None:
        group_file = os.path.join(folder, "slide_folds.csv")
        if not os.path.exists(group_file):
            return "none", None
    table = read_id_table(group_file)
    if len(table.columns) != 1:
        raise ValueError(
            f"'{group_file}' must have the column 'id' and one other, which tells the "
            f"groups. Its other columns are {list(table.columns)}."
        )
    unknown = [name for name in ids if name not in table.index]
    if len(unknown) == len(ids) and not chosen:
        return "none", None  # it is about another subset
    if unknown:
        raise ValueError(f"'{group_file}' has no group for {listed(unknown, 'id')}.")
    groups = table.iloc[:, 0][ids].to_numpy(dtype=str)
    return str(group_file), _as_integers_if_written_so(groups)


def _as_integers_if_written_so(groups: NDArray[np.str_]) -> NDArray[Any]:
    """Turn names such as 3 into integers, unless some are others, such as 03."""
    try:
        numbers = groups.astype(np.int64)
    except (ValueError, OverflowError):
        return groups
    return numbers if np.array_equal(numbers.astype(str), groups) else groups
