"""Loader for the HDF5 files of PatchCamelyon."""

import os
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from skhisto.datasets._id_table import FilePath, listed
from skhisto.datasets._pcam_files import N_PUBLISHED, compare_number, verify_file
from skhisto.patches._hdf5 import HDF5Rows
from skhisto.patches._patch_array import PatchArray

_ADDRESS = "https://github.com/basveeling/pcam"
_DESCR = """\
PatchCamelyon (PCam), subset {subset!r}
---------------------------------------

{n_patches} patches of {height}x{width} pixels with {n_channels} channels ({dtype})
from '{folder}'.

Patches of lymph node sections from the Camelyon16 challenge, stained with haematoxylin
and eosin, at 10x (about one micron per pixel). Label 1 means that the central 32x32
pixels contain at least one pixel of tumour. The ring around them is context only.

Published at {address} with {n_published:,} patches in this
subset. {comparison}

B. S. Veeling, J. Linmans, J. Winkens, T. Cohen and M. Welling, "Rotation Equivariant
CNNs for Digital Pathology", MICCAI 2018, arXiv:1806.03962. Licence: CC0.
"""


@validate_params(
    {
        "folder": [str, os.PathLike],
        "subset": [StrOptions(set(N_PUBLISHED))],
        "verify": ["boolean"],
        "return_X_y": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def load_pcam(
    folder: FilePath,
    *,
    subset: str = "train",
    verify: bool = False,
    return_X_y: bool = False,
) -> Bunch | tuple[PatchArray, NDArray[np.int64]]:
    """Load PatchCamelyon from its HDF5 files.

    The files are ``camelyonpatch_level_2_split_<subset>_x.h5`` and ``_y.h5`` as
    published [1]_, decompressed with gunzip. The file ``_meta.csv`` is optional. The
    published set has 262,144 patches for training, 32,768 for validation and 32,768 for
    testing. Pixels are read only when they are accessed.

    Parameters
    ----------
    folder : str or path-like
        The folder of the files.
    subset : {"train", "valid", "test"}, default="train"
        The part to load.
    verify : bool, default=False
        Whether to compare the files with the published ones. If a compressed file
        ``.h5.gz`` is still in the folder, its MD5 sum is compared with the published
        one, and its content with the ``.h5`` file. Otherwise all pixels are read, which
        detects truncated and damaged files but not changed values. Several gigabytes
        are read. A wrong number of patches raises an error instead of a warning.
    return_X_y : bool, default=False
        Whether to return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the following attributes.

        data : PatchArray of shape (n_patches, 96, 96, 3), uint8
            The patches. The array has the attributes `groups` and `coords` as below, so
            that early stopping of a classifier sets aside whole slides.
        target : ndarray of shape (n_patches,), int64
            1 where the central 32x32 pixels contain tumour, otherwise 0.
        target_names : list of str
            The meaning of 0 and 1: normal and tumour.
        rows : ndarray of shape (n_patches,), int64
            Row numbers in the files.
        groups : ndarray of shape (n_patches,), str, or None
            Names of the slides, from the column `wsi` of the meta file. None without a
            meta file.
        coords : ndarray of shape (n_patches, 2), or None
            x and y of each patch on its slide, from the columns `coord_x` and `coord_y`
            of the meta file. None without these columns.
        meta : DataFrame or None
            The meta file, one row per patch.
        DESCR : str
            Description of the data.

    (data, target) : tuple if `return_X_y` is True
        The patches and their labels.

    Raises
    ------
    ImportError
        If h5py is not installed.
    FileNotFoundError
        If the folder or an HDF5 file does not exist. The message says which files are
        needed and where they are published.
    ValueError
        In the following cases. The message names the file.

        - A file is not HDF5 (for example compressed, a Git LFS pointer or a web page),
          truncated or damaged.
        - A file lacks its dataset, or the dataset refers to other files.
        - The files have different numbers of rows, or no rows.
        - The patches do not have 96x96 pixels, 3 channels and dtype uint8.
        - A label is not the integer 0 or 1.
        - The meta file lacks the column `wsi`, or has coordinates that are not numbers.
        - With `verify`, a file is not the published one.

    Warns
    -----
    UserWarning
        If the number of patches differs from the published number.

    See Also
    --------
    load_patch_folder : Load patches that are stored as one file each.
    make_patches : Generate synthetic patches.

    References
    ----------
    .. [1] B. S. Veeling, J. Linmans, J. Winkens, T. Cohen and M. Welling, "Rotation
       Equivariant CNNs for Digital Pathology", MICCAI 2018, arXiv:1806.03962,
       https://github.com/basveeling/pcam

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import h5py
    >>> import numpy as np
    >>> from skhisto.datasets import load_pcam
    >>> folder = tempfile.TemporaryDirectory()
    >>> name = "camelyonpatch_level_2_split_valid"
    >>> with h5py.File(Path(folder.name, f"{name}_x.h5"), "w") as file:
    ...     _ = file.create_dataset("x", (32768, 96, 96, 3), np.uint8)  # all black
    >>> with h5py.File(Path(folder.name, f"{name}_y.h5"), "w") as file:
    ...     _ = file.create_dataset("y", (32768, 1, 1, 1), np.uint8)
    >>> pcam = load_pcam(folder.name, subset="valid")
    >>> pcam.data.shape, pcam.target.shape
    ((32768, 96, 96, 3), (32768,))
    >>> folder.cleanup()
    """
    stem = os.path.join(folder, f"camelyonpatch_level_2_split_{subset}")
    _check_files_exist(folder, [f"{stem}_x.h5", f"{stem}_y.h5"])
    source = _open_patches(f"{stem}_x.h5")
    n_patches, height, width, n_channels = source.shape
    target = _read_target(f"{stem}_y.h5", n_patches)
    comparison = compare_number(f"{stem}_x.h5", n_patches, subset, must_equal=verify)
    if verify:
        verify_file(f"{stem}_x.h5", PatchArray(source))
        verify_file(f"{stem}_y.h5", None)
    meta_file = f"{stem}_meta.csv"
    meta = _read_meta(meta_file, n_patches)
    groups = None if meta is None else meta["wsi"].to_numpy(dtype=str)
    data = PatchArray(source, groups=groups, coords=_coords_of(meta, meta_file))
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        target_names=["normal", "tumour"],
        rows=np.arange(n_patches),
        groups=groups,
        coords=data.coords,
        meta=meta,
        DESCR=_DESCR.format(
            subset=subset,
            n_patches=n_patches,
            height=height,
            width=width,
            n_channels=n_channels,
            dtype=data.dtype,
            folder=os.fspath(folder),
            address=_ADDRESS,
            n_published=N_PUBLISHED[subset],
            comparison=comparison,
        ),
    )


def _check_files_exist(folder: FilePath, paths: list[str]) -> None:
    missing = [path for path in paths if not os.path.exists(path)]
    if not missing:
        return
    if not os.path.isdir(folder):
        problem = f"The folder '{os.fspath(folder)}' does not exist."
    else:
        problem = " ".join(f"The file '{path}' does not exist." for path in missing)
    needed = " and ".join(os.path.basename(path) for path in paths)
    raise FileNotFoundError(
        f"{problem} load_pcam needs the files {needed}. Download them from {_ADDRESS} "
        "and decompress them with gunzip."
    )


def _open_patches(path: str) -> HDF5Rows:
    source = HDF5Rows(path, dataset="x")
    n_patches, *shape = source.shape
    if shape != [96, 96, 3] or source.dtype != np.uint8 or n_patches == 0:
        raise ValueError(
            f"The patches in '{path}' have shape {source.shape} and dtype "
            f"{source.dtype}. PatchCamelyon has shape (n_patches, 96, 96, 3), with at "
            "least one patch, and dtype uint8."
        )
    return source


def _read_target(path: str, n_patches: int) -> NDArray[np.int64]:
    rows = HDF5Rows(path, dataset="y")
    if rows.shape != (n_patches, 1, 1, 1):
        raise ValueError(
            f"The labels in '{path}' have shape {rows.shape}. Expected "
            f"({n_patches}, 1, 1, 1), because there are {n_patches} patches."
        )
    if rows.dtype.kind not in "biu":
        first = np.asarray(PatchArray(rows)[:10]).ravel().tolist()
        raise ValueError(
            f"The labels in '{path}' have dtype {rows.dtype}. Expected integers or "
            f"booleans. The first labels are {first}."
        )
    labels = np.asarray(PatchArray(rows)).reshape(n_patches)
    bad = np.flatnonzero((labels != 0) & (labels != 1))
    if len(bad):
        raise ValueError(
            f"The labels in '{path}' must be 0 or 1, but they are not in "
            f"{listed(bad, 'row')} (counted from 0). The first is {labels[bad[0]]}."
        )
    return labels.astype(np.int64)


def _read_meta(path: str, n_patches: int) -> pd.DataFrame | None:
    if not os.path.exists(path):
        return None
    try:
        meta = pd.read_csv(
            path, dtype={"wsi": str}, keep_default_na=False, na_values=[""]
        )
    except ValueError as error:  # includes pandas' own errors and wrong encodings
        raise ValueError(f"'{path}' cannot be read as CSV: {error}.") from error
    if "wsi" not in meta:
        raise ValueError(
            f"'{path}' must have a column 'wsi' with the names of the slides. Its "
            f"columns are {list(meta.columns)}."
        )
    if len(meta) != n_patches or meta["wsi"].isna().any():
        raise ValueError(
            f"'{path}' gives the slides of {meta['wsi'].count()} patches, but there "
            f"are {n_patches} patches."
        )
    return meta


def _coords_of(meta: pd.DataFrame | None, path: str) -> NDArray[Any] | None:
    """Return x and y of each patch, or None if the meta file lacks them."""
    if meta is None or not {"coord_x", "coord_y"} <= set(meta):
        return None
    coords = meta[["coord_x", "coord_y"]].apply(pd.to_numeric, errors="coerce")
    bad = np.flatnonzero(coords.isna().any(axis=1))
    if len(bad):
        raise ValueError(
            f"'{path}' must have numbers in the columns 'coord_x' and 'coord_y', but "
            f"it does not in {listed(bad, 'row')} (counted from 0)."
        )
    return coords.to_numpy()
