"""Feature tables computed by other programs."""

import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from skhisto.datasets._id_table import FilePath
from skhisto.patches._hdf5 import (
    check_chunks,
    check_is_plausible,
    import_h5py,
    opened_hdf5,
    own_dataset,
)

_SUFFIXES = (".h5", ".hdf5")
_FEATURES = ("features", "feats")
_NAMES_AT_ONCE = 10  # many rows can refer to one text that is as long as the file
_MAX_NAME_LENGTH = 1000
_DESCR = """\
Features of patches
-------------------

{n_features} features of {n_patches} patches from {n_slides} slides, read from '{path}'.
"""


class _Table(NamedTuple):
    """The contents of one file."""

    features: np.ndarray
    coords: np.ndarray | None
    names: np.ndarray | None


@validate_params({"path": [str, os.PathLike]}, prefer_skip_nested_validation=True)
def load_features(path: FilePath) -> Bunch:
    """Load features computed by other programs, one HDF5 file per slide.

    Each file has a dataset "features" or "feats" of shape (n, n_features) or
    (1, n, n_features). Two more datasets are optional: "coords", of shape (n, 2) or
    (1, n, 2), and "metadata", the names of the n tiles. TRIDENT [1]_ and CLAM [2]_
    write such files.

    Parameters
    ----------
    path : str or path-like
        A file or a folder. A folder is searched at any depth for files that end with
        ".h5" or ".hdf5". Files and folders whose names begin with a dot are skipped.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the following attributes. The rows are sorted by
        file path. Rows of the same file keep their order.

        data : ndarray of shape (n, n_features), float32
            One row per patch.
        groups : ndarray of shape (n,), str
            The slide of each patch, for evaluation by slide. It is the file name
            without its suffix. For files named "features" or "feats", it is the name
            of their folder.
        names : ndarray of shape (n,), str, or None
            Names of the tiles, or "" for tiles of a file without names. None if no
            file has names.
        coords : ndarray of shape (n, 2), or None
            Coordinates as stored in the files. The dtype is int64 if all files contain
            integers. Otherwise it is float64, with NaN for files without coordinates.
            None if no file has coordinates.
        DESCR : str
            Description of the data.

    Raises
    ------
    ImportError
        If h5py is not installed.
    FileNotFoundError
        If the path does not exist, or if the folder contains no HDF5 files.
    ValueError
        In the following cases. The message names the file.

        - A file is not HDF5 (a Git LFS pointer, truncated) or is damaged.
        - A file has no dataset of features.
        - A dataset refers to other files.
        - A dataset needs more than 128 MiB and more than 100 times the size of its
          file.
        - A dataset has other filters than gzip, LZF, shuffle and Fletcher32.
        - Datasets have other shapes or contain no numbers.
        - The name of a tile has more than 1,000 characters.
        - Features are NaN or infinite.
        - Files have different numbers of features.
        - Two files belong to slides of the same name.

    See Also
    --------
    PatchEmbedder : Compute features of patches.

    References
    ----------
    .. [1] A. Zhang, G. Jaume, A. Vaidya, T. Ding, F. Mahmood. "Accelerating Data
       Processing and Benchmarking of AI Models for Pathology". arXiv:2502.06750, 2025.
    .. [2] M. Y. Lu, D. F. K. Williamson, T. Y. Chen, R. J. Chen, M. Barbieri,
       F. Mahmood. "Data-efficient and weakly supervised computational pathology on
       whole-slide images". Nature Biomedical Engineering 5, 2021.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import h5py
    >>> import numpy as np
    >>> from skhisto import load_features
    >>> folder = tempfile.TemporaryDirectory()
    >>> for slide in ["slide_1", "slide_2"]:
    ...     with h5py.File(Path(folder.name, f"{slide}.h5"), "w") as file:
    ...         file["features"] = np.zeros((3, 512), dtype=np.float32)
    ...         file["coords"] = np.zeros((3, 2), dtype=np.int64)
    >>> slides = load_features(folder.name)
    >>> slides.data.shape, slides.coords.shape
    ((6, 512), (6, 2))
    >>> slides.groups
    array(['slide_1', 'slide_1', 'slide_1', 'slide_2', 'slide_2', 'slide_2'],
          dtype='<U7')
    >>> folder.cleanup()
    """
    files = _files(Path(path))
    slides = _slides(files)
    tables = [_read(file, slide) for file, slide in zip(files, slides, strict=True)]
    _check_equal_widths(files, tables)
    n_rows = [len(table.features) for table in tables]
    data = np.concatenate([table.features for table in tables])
    if len(data) == 0:
        raise ValueError(f"The features in '{path}' have 0 rows.")
    return Bunch(
        data=data,
        groups=np.repeat(np.array(slides), n_rows),
        names=_joined([t.names for t in tables], n_rows, np.array("")),
        coords=_joined([t.coords for t in tables], n_rows, np.full(2, np.nan)),
        DESCR=_DESCR.format(
            n_features=data.shape[1],
            n_patches=len(data),
            n_slides=len(slides),
            path=os.fspath(path),
        ),
    )


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [
        file
        for file in sorted(path.rglob("*"))
        if file.suffix in _SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    if not found:
        raise FileNotFoundError(
            f"The folder '{path}' contains no files that end with "
            f"{' or '.join(_SUFFIXES)}."
        )
    return found


def _slides(files: list[Path]) -> list[str]:
    """Return the name of the slide of each file."""
    names: dict[str, Path] = {}
    for file in files:
        is_generic = file.stem in _FEATURES
        name = file.resolve().parent.name if is_generic else file.stem
        if name in names:
            raise ValueError(
                f"'{names[name]}' and '{file}' have the same slide name {name!r}. "
                "Rename one of the files, or load the folders separately."
            )
        names[name] = file
    return list(names)


def _read(file: Path, slide: str) -> _Table:
    path = str(file)
    with opened_hdf5(path) as datasets:
        found = {
            name: own_dataset(datasets, path, name)
            for name in (*_FEATURES, "coords", "metadata")
        }
        name = next((name for name in _FEATURES if found[name] is not None), None)
        if name is None:
            raise ValueError(
                f"'{file}' has no dataset named {' or '.join(map(repr, _FEATURES))}. "
                f"It contains {sorted(datasets)}."
            )
        # Each row has the name of the slide and two coordinates, too.
        row_bytes = np.array(slide).nbytes + 16
        features = _two_dimensional(path, name, found[name], row_bytes)
        n = len(features)
        coords, names = found["coords"], found["metadata"]
        if coords is not None:
            coords = _two_dimensional(path, "coords", coords)
            if coords.shape != (n, 2):
                raise ValueError(
                    f"The dataset 'coords' of '{file}' has shape {coords.shape}. "
                    f"Expected ({n}, 2), because there are {n} rows of features."
                )
        if names is not None:
            names = _names(path, names, n)
    return _Table(_as_finite_float32(file, features), coords, names)


def _two_dimensional(
    path: str, name: str, dataset: Any, row_bytes: int = 0
) -> np.ndarray:
    """Read a table, without an axis of length one in front.

    Parameters
    ----------
    path, name : str
    dataset : h5py.Dataset
    row_bytes : int, default=0
        Memory that each row takes in other arrays.
    """
    shape: tuple[int, ...] = dataset.shape or ()  # None without values
    if len(shape) == 3 and shape[0] == 1:
        shape = shape[1:]
    if len(shape) != 2 or shape[1] == 0 or dataset.dtype.kind not in "fiu":
        raise ValueError(
            f"The dataset {name!r} of '{path}' has the shape {dataset.shape} and the "
            f"dtype {dataset.dtype}, but numbers of shape (n, m) or (1, n, m) are "
            "expected, with m of at least 1."
        )
    # Features become float32.
    row_bytes += shape[1] * max(4, dataset.dtype.itemsize)
    check_is_plausible(path, name, shape[0] * row_bytes)
    check_chunks(path, name, dataset)
    return dataset[()].reshape(shape)


def _names(path: str, dataset: Any, n_rows: int) -> np.ndarray | None:
    """Read the names of tiles, or return None if the dataset is not of strings."""
    if not import_h5py().check_string_dtype(dataset.dtype):
        return None
    if dataset.shape != (n_rows,):
        raise ValueError(
            f"The dataset 'metadata' of '{path}' has shape {dataset.shape}. Expected "
            f"({n_rows},), because there are {n_rows} rows of features."
        )
    check_is_plausible(path, "metadata", n_rows * dataset.dtype.itemsize)
    check_chunks(path, "metadata", dataset)
    names: list[str] = []
    for start in range(0, n_rows, _NAMES_AT_ONCE):
        read = dataset.asstr()[start : start + _NAMES_AT_ONCE].tolist()
        length = max(map(len, read))
        if length > _MAX_NAME_LENGTH:
            raise ValueError(
                f"The dataset 'metadata' of '{path}' contains a name of {length:,} "
                f"characters, but at most {_MAX_NAME_LENGTH:,} are expected."
            )
        # All names take as much memory as the longest.
        check_is_plausible(path, "metadata", n_rows * np.array("x" * length).nbytes)
        names += read
    return np.array(names, dtype=object)


def _as_finite_float32(file: Path, features: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        features = features.astype(np.float32, copy=False)
    bad = np.flatnonzero(~np.isfinite(features).all(axis=1))
    if len(bad):
        raise ValueError(
            f"'{file}' contains NaN or infinite features in {len(bad)} of "
            f"{len(features)} rows. The first is row {bad[0]}."
        )
    return features


def _check_equal_widths(files: list[Path], tables: list[_Table]) -> None:
    first = tables[0].features.shape[1]
    for file, table in zip(files, tables, strict=True):
        if table.features.shape[1] != first:
            raise ValueError(
                f"'{file}' has {table.features.shape[1]} features, but '{files[0]}' "
                f"has {first}. Load the features of different networks separately."
            )


def _joined(
    parts: list[np.ndarray | None], n_rows: list[int], unknown: np.ndarray
) -> np.ndarray | None:
    """Concatenate the parts. Files without one get rows of `unknown`."""
    if all(part is None for part in parts):
        return None
    joined = np.concatenate(
        [
            np.broadcast_to(unknown, (n, *unknown.shape)) if part is None else part
            for part, n in zip(parts, n_rows, strict=True)
        ]
    )
    if joined.ndim == 1:
        return joined.astype(str)
    return joined.astype(np.int64 if joined.dtype.kind in "iu" else np.float64)
