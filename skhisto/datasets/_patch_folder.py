"""Folders of patch files, with labels from folders, names or tables."""

import os
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Bunch
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from skhisto.datasets._annotations import Annotations, annotate
from skhisto.datasets._id_table import FilePath
from skhisto.datasets._layouts import Files, as_ids, find_files_of
from skhisto.datasets._published_sets import description, recognise
from skhisto.datasets._verify import check_sha1_ids
from skhisto.patches._image_files import ImageFiles
from skhisto.patches._patch_array import PatchArray, as_height_width
from skhisto.patches._pixel_formats import PIXEL_FORMATS
from skhisto.patches._sizes import MISMATCH_RULES

_N_CLASSES = 20


@validate_params(
    {
        "folder": [str, os.PathLike],
        "subset": [str, None],
        "label": [str, None],
        "group": [str, None],
        "pattern": [str, None],
        "table": [str, os.PathLike, pd.DataFrame, None],
        "path": [str, None],
        "groups": [str, os.PathLike, None],
        "on_missing": [StrOptions({"raise", "skip"})],
        "mode": [StrOptions(set(PIXEL_FORMATS))],
        "convert": ["boolean"],
        "size": [Interval(Integral, 1, None, closed="left"), tuple, None],
        "on_mismatch": [StrOptions(set(MISMATCH_RULES))],
        "verify": ["boolean"],
        "n_jobs": [Integral, None],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_patch_folder(
    folder: FilePath,
    *,
    subset: str | None = None,
    label: str | None = None,
    group: str | None = None,
    pattern: str | None = None,
    table: FilePath | pd.DataFrame | None = None,
    path: str | None = None,
    groups: FilePath | None = None,
    on_missing: str = "raise",
    mode: str = "RGB",
    convert: bool = False,
    size: int | tuple[int, int] | None = None,
    on_mismatch: str = "raise",
    verify: bool = False,
    n_jobs: int | None = None,
    return_X_y: bool = False,
) -> Bunch | tuple[PatchArray, NDArray[Any]]:
    r"""Load patches from a folder of image files, one file per patch.

    These layouts are recognised:

    - **Kaggle's layout** [1]_: files in ``<folder>/<subset>/`` and labels in
      ``<folder>/<subset>_labels.csv``, with the columns `id` and `label`. Without the
      CSV file, the labels are None.
    - **One folder per class** with ``label="folder"``, or **one folder per slide** with
      ``group="folder"``. The folders are in ``<folder>`` or in ``<folder>/<subset>``.
    - **A table** of files: `table` is a CSV file or data frame with a column `path` of
      file names and optional columns of labels and groups.
    - **File names** that contain the label, the group or the coordinates, with
      `pattern`.
    - **One folder of files** without labels.

    Layouts can be combined, for example classes from folders and slides from file
    names. The meaning of subfolders is never guessed. If no parameter explains them, an
    error shows the calls to choose from. Pixels are decoded when they are accessed.

    Parameters
    ----------
    folder : str or path-like
        The folder that contains the folder of patches, or the patches themselves.
    subset : str, default=None
        Name of the patch folder below `folder`, such as "test". None uses "train" if it
        exists, otherwise `folder` itself. With `table`, None always uses `folder`
        itself.
    label : str, default=None
        "folder" if the folder of a file is its class. With `table`, the name of the
        label column. If the table has a column named "folder", this column is used
        instead of the folder.
    group : str, default=None
        "folder" if the folder of a file is its group, such as the slide or the patient.
        With `table`, the name of the group column. "folder" has the same meaning as for
        `label`.
    pattern : str, default=None
        A regular expression with named groups. It is searched for in each file name, or
        in the path below the patch folder if it contains a slash. The names have these
        meanings:

        - label: the label
        - group: the slide or patient
        - x, y: coordinates on the slide
        - any other name: a column of `meta`
    table : str, path-like or DataFrame, default=None
        A CSV file in UTF-8 with a header, or a data frame. It has one row per patch and
        determines which files are read and in which order.
    path : str, default=None
        With `table`, the name of the column of file names. File names may contain
        folders, and their suffix is optional. None means "id".
    groups : str or path-like, default=None
        A CSV file with the column `id` and one other column, the group of each patch.
        None uses ``<folder>/slide_folds.csv`` if it exists, contains patches of this
        subset, and no other parameter gives the groups.
    on_missing : {"raise", "skip"}, default="raise"
        What to do in the following cases. With "skip", `DESCR` gives the numbers of
        rows and files that were left out.

        - A row of `table` or of the label file has no file. "skip" leaves out the row.
        - A file has no row in the label file. "skip" leaves out the file. Files without
          a row in `table` are always left out.
        - A file name does not match `pattern`. "skip" leaves out the file and counts it
          in `skipped`. At least one name must match.
    mode : {"RGB", "RGBA", "L", "I;16"}, default="RGB"
        Required pixel format of the files: 8-bit RGB, 8-bit RGB with alpha, 8-bit
        grey, or unsigned 16-bit grey.
    convert : bool, default=False
        Whether to convert files with another pixel format to `mode`. See
        :class:`PatchLoader`.
    size : int or tuple of int (height, width), default=None
        Size of the patches in pixels. None uses the most frequent size of the files. Of
        equally frequent sizes, the first one is used.
    on_mismatch : {"raise", "crop", "pad", "resize"}, default="raise"
        What to do with files of another size: raise one error that lists all of them,
        crop them to their centre, pad them with white, or resize them. See
        :class:`PatchLoader`.
    verify : bool, default=False
        Whether to decode all files and compare the SHA-1 of their pixels with their
        ids. Only the files of the Kaggle competition [1]_ have such ids.
    n_jobs : int, default=None
        Number of threads that read files. None means 1, and -1 means all processors.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the following attributes.

        data : PatchArray of shape (n_patches, height, width, n_channels)
            The patches, in the order of the table or label file if there is one,
            otherwise sorted by file name. The dtype is uint8, or uint16 for mode
            "I;16". The array has the attributes `groups` and `coords` as below.
        target : ndarray of shape (n_patches,), or None
            The labels. The dtype is int64 or float64 if all labels are such numbers,
            otherwise str. Labels from a data frame keep their type. None without
            labels.
        ids : ndarray of shape (n_patches,), str
            Paths below the patch folder without suffix. If two of them would be equal,
            all keep their suffix.
        filenames : ndarray of shape (n_patches,), str
            The paths of the files.
        groups : ndarray of shape (n_patches,), or None
            The group of each patch, int64 or str.
        coords : ndarray of shape (n_patches, 2), or None
            x and y of each patch, from `pattern`.
        meta : DataFrame or None
            All columns of the table and all named groups of `pattern`, one row per
            patch.
        skipped : dict of str to int
            Number of skipped entries of each kind, such as hidden files or files whose
            names do not match the pattern.
        DESCR : str
            Description of the data: the layout, the subset, other folders that were not
            read, the sources of labels and groups, and the skipped entries.

    (data, target) : tuple if `return_X_y` is True
        The patches and their labels.

    Raises
    ------
    FileNotFoundError
        If a folder, a CSV file or the file of a row does not exist, or if `return_X_y`
        is True and the label file does not exist. If other folders contain images, the
        message names them.
    ValueError
        In the following cases. Messages give the number of files and the first names.

        - The folder does not contain images, or contains them in subfolders that no
          parameter explains.
        - All subfolders have names such as "val" and "test", and neither `subset` nor
          `table` nor a pattern with a slash explains them.
        - Parameters contradict each other.
        - A table lacks a column, has several rows for a file, or has rows without a
          file name, label or group.
        - `pattern` does not match all file names, or matches none with
          ``on_missing="skip"``.
        - A file has no label in the label file (with ``on_missing="raise"``).
        - A file has no group in the group file.
        - A file cannot be read, or has another mode or size.
        - With `verify`, the pixels of a file are not the published ones.

    See Also
    --------
    load_pcam : Load PatchCamelyon from its HDF5 files.
    make_patches : Generate synthetic patches.
    PatchLoader : Read image files as a step of a Pipeline.

    Notes
    -----
    The following parameters read some published data sets:

    - Histopathologic Cancer Detection [1]_: no parameters. 220,025 patches of 96x96
      pixels in the subset "train", 57,458 in "test".
    - Kather 2016, https://doi.org/10.5281/zenodo.53169, 5,000 tiles of 150x150 pixels:
      ``label="folder", pattern=r"CRC-Prim-HE-(?P<group>\d+)"``.
    - NCT-CRC-HE, https://doi.org/10.5281/zenodo.1214456, 100,000 and 7,180 tiles of
      224x224 pixels: ``label="folder"``.
    - LC25000, https://arxiv.org/abs/1912.12142: ``label="folder"`` for each of its two
      folders.
    - MHIST, https://bmirds.github.io/MHIST: ``table="annotations.csv", path="Image
      Name", label="Majority Vote Label"``.

    If the file names or classes match one of the first three data sets, `DESCR`
    compares the size and number of patches with the published ones.

    Loading reads the header of each file, which takes about 0.1 ms. Headers are cached,
    see :class:`PatchLoader`.

    References
    ----------
    .. [1] W. Cukierski, "Histopathologic Cancer Detection", Kaggle, 2018,
       https://www.kaggle.com/c/histopathologic-cancer-detection

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skhisto.datasets import load_patch_folder
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name in ["tumour/slide1_0.png", "tumour/slide2_0.png", "fat/slide1_1.png"]:
    ...     path = Path(folder.name, name)
    ...     path.parent.mkdir(exist_ok=True)
    ...     Image.new("RGB", (96, 96)).save(path)
    >>> patches = load_patch_folder(
    ...     folder.name, label="folder", pattern=r"(?P<group>slide\d+)_"
    ... )
    >>> patches.data.shape
    (3, 96, 96, 3)
    >>> patches.target.tolist()
    ['fat', 'tumour', 'tumour']
    >>> patches.groups.tolist()
    ['slide1', 'slide1', 'slide2']
    >>> folder.cleanup()
    """
    size = None if size is None else as_height_width(size)
    files = find_files_of(folder, subset, is_table=table is not None)
    notes = annotate(
        folder,
        files,
        label=label,
        group=group,
        pattern=pattern,
        table=table,
        path=path,
        group_file=groups,
        on_missing=on_missing,
    )
    if notes.n_without_pattern:
        kind = "files that the pattern does not match"
        files = files._replace(skipped=files.skipped | {kind: notes.n_without_pattern})
    if return_X_y and notes.target is None:
        raise notes.no_labels
    filenames = [os.path.join(files.folder, *name.split("/")) for name in notes.names]
    source = ImageFiles(
        filenames,
        mode,
        size=size,
        on_mismatch=on_mismatch,
        convert=convert,
        n_jobs=n_jobs,
    )
    data = PatchArray(source, groups=notes.groups, coords=notes.coords)
    ids = as_ids(notes.names)
    if verify:
        check_sha1_ids(data, ids, filenames)
    if return_X_y:
        return data, notes.target
    return Bunch(
        data=data,
        target=notes.target,
        ids=np.array(ids),
        filenames=np.array(filenames),
        groups=notes.groups,
        coords=notes.coords,
        meta=notes.meta,
        skipped=files.skipped,
        DESCR=_describe(data, ids, notes, files, source),
    )


def _describe(
    data: PatchArray,
    ids: list[str],
    notes: Annotations,
    files: Files,
    source: ImageFiles,
) -> str:
    n_patches, height, width, n_channels = data.shape
    title = "Patches from a folder of image files"
    lines = [
        title,
        "-" * len(title),
        "",
        f"{n_patches} patches of {height}x{width} pixels with {n_channels} channels "
        f"({data.dtype}).",
        "",
        f"- layout: {notes.layout}",
        f"- files: {files.folder}",
        *_subset_line(files),
        f"- labels: {notes.label_source}{_counted(notes.target)}",
        f"- groups: {notes.group_source}{_number_of(notes.groups)}",
        f"- coordinates: {'none' if notes.coords is None else 'x and y from pattern'}",
    ]
    if source.n_odd:
        lines.append(
            f"- files of another size: {source.n_odd} "
            f"(on_mismatch={source.on_mismatch!r})"
        )
    if notes.n_without_file:
        lines.append(f"- rows without a file, left out: {notes.n_without_file}")
    if notes.n_without_row:
        lines.append(f"- files without a row, left out: {notes.n_without_row}")
    if files.skipped:
        seen = ", ".join(f"{count} {kind}" for kind, count in files.skipped.items())
        lines.append(f"- skipped entries: {seen}")
    has_labels = notes.target is not None
    found = recognise(ids, None if notes.target is None else notes.target.tolist())
    if has_labels or found is not None:
        comparison = description(
            found, n_patches, (height, width), has_labels=has_labels
        )
        lines += ["", comparison]
    return "\n".join([*lines, ""])


def _subset_line(files: Files) -> list[str]:
    """Return the line on the subset and on other folders that were not read."""
    if files.subset is None:
        return []
    others = ", ".join(f"'{name}'" for name in files.not_read)
    return [f"- subset: {files.subset}{f' (not read: {others})' * bool(others)}"]


def _counted(target: NDArray[Any] | None) -> str:
    """Return the number of patches of each class as " (0: 10, 1: 20)"."""
    if target is None:
        return ""
    classes, counts = np.unique(target, return_counts=True)
    if len(classes) > _N_CLASSES:
        return f" (number of different labels: {len(classes)})"
    pairs = zip(classes, counts, strict=True)
    return f" ({', '.join(f'{name}: {count}' for name, count in pairs)})"


def _number_of(groups: NDArray[Any] | None) -> str:
    return "" if groups is None else f" (number of groups: {len(np.unique(groups))})"
