"""Turn file names into patches."""

import os
import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, StrOptions

from skhisto._saved_format import SavedFormat
from skhisto.patches._image_files import ImageFiles
from skhisto.patches._patch_array import PatchArray, as_height_width
from skhisto.patches._pixel_formats import PIXEL_FORMATS
from skhisto.patches._sizes import MISMATCH_RULES


class PatchLoader(SavedFormat, CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Turn file names into patches.

    The name of a patch refers to the file ``root / (name + suffix)``. Each file holds
    one patch. The formats TIFF, PNG, JPEG, WebP and BMP are supported. By default, all
    files must have the same size and the same mode, and nothing is resized or
    converted. Pixels are returned as they are stored: the orientation tag of TIFF files
    and the EXIF orientation of other formats are ignored.

    As the first step of a Pipeline, PatchLoader lets scikit-learn split, search and
    cross-validate over file names, which take little memory.

    Parameters
    ----------
    root : str or path-like, default=None
        Folder of the files. Names must stay within it: absolute paths and names that
        contain "..", such as "../a", are an error. Links in the folder are followed.
        None means that the names are paths, without restriction.
    suffix : str, default=""
        Ending that is added to each name, such as ".tif".
    mode : {"RGB", "RGBA", "L", "I;16"}, default="RGB"
        Required content of the files: 8-bit RGB, 8-bit RGB with alpha, 8-bit grey, or
        unsigned 16-bit grey. Palette images without transparency are read as RGB, and
        1-bit images as 8-bit grey with the values 0 and 255.
    convert : bool, default=False
        Whether to convert files with other content to `mode`. If False, such files are
        an error. If True,

        - transparent pixels are blended with white (RGBA to RGB, or to grey if the file
          is grey);
        - grey is repeated in the three channels of RGB;
        - of 16 bits, the 8 high bits are kept.

        Nothing else is converted: RGB files are an error with ``mode="L"``.
    size : int or tuple of int (height, width), default=None
        Size of the patches in pixels. An int means a square. None takes the most
        frequent size of the files in each call of `transform`. If several sizes are
        equally frequent, the one that is met first is taken.
    on_mismatch : {"raise", "crop", "pad", "resize"}, default="raise"
        What to do with files of another size.

        - "raise" raises one error that lists all of them.
        - "crop" keeps their centre. Smaller files are an error.
        - "pad" adds white around them. Larger files are an error.
        - "resize" interpolates bilinearly, see :class:`Resize`. It changes the number
          of microns per pixel of these files, and their aspect ratio if the ratios
          differ.
    lazy : bool, default=False
        If True, `transform` returns a :class:`PatchArray`, which decodes files on
        access. If False, it returns an array that holds all pixels in memory.
    n_jobs : int, default=None
        Number of threads that read files. None means 1, and -1 means one for each
        processor.

    See Also
    --------
    PatchArray : The output with ``lazy=True``.
    CenterCrop : Crops the patches.
    Resize : Resizes the patches.

    Notes
    -----
    In a Pipeline, each call of `transform` gets other files. If their sizes differ, set
    `size`, so that the size does not depend on the files. `fit` warns if `on_mismatch`
    is not "raise" and `size` is None.

    Files of more than 33 million pixels (2**25) are an error, because small files can
    contain so many pixels that they exhaust the memory. With
    ``PIL.Image.MAX_IMAGE_PIXELS = None`` there is no limit.

    With ``lazy=True``, `transform` reads the headers of all files, which takes about
    0.1 ms per file. The process remembers up to 400,000 headers. It reads a header
    again if the size or the modification time of the file has changed.

    This estimator is stateless and does not need to be fitted. Both `fit` and
    `transform` validate the parameters and the names. The output is an array of images
    for every setting of `sklearn.set_config(transform_output=...)`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from skhisto.preprocessing import PatchLoader
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name in ["a", "b", "c"]:
    ...     Image.new("RGB", (96, 96)).save(Path(folder.name, name + ".png"))
    >>> loader = PatchLoader(root=folder.name, suffix=".png")
    >>> X = loader.fit_transform(["a", "b", "c"])
    >>> X.shape, X.dtype
    ((3, 96, 96, 3), dtype('uint8'))
    >>> folder.cleanup()
    """

    __module__ = "skhisto"  # where users import it from, and pickles look for it

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "root": [str, os.PathLike, None],
        "suffix": [str],
        "mode": [StrOptions(set(PIXEL_FORMATS))],
        "convert": ["boolean"],
        "size": [Interval(Integral, 1, None, closed="left"), tuple, None],
        "on_mismatch": [StrOptions(set(MISMATCH_RULES))],
        "lazy": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        *,
        root: str | os.PathLike[str] | None = None,
        suffix: str = "",
        mode: str = "RGB",
        convert: bool = False,
        size: int | tuple[int, int] | None = None,
        on_mismatch: str = "raise",
        lazy: bool = False,
        n_jobs: int | None = None,
    ) -> None:
        self.root = root
        self.suffix = suffix
        self.mode = mode
        self.convert = convert
        self.size = size
        self.on_mismatch = on_mismatch
        self.lazy = lazy
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "PatchLoader":
        """Validate the parameters and the names. No file is opened.

        Parameters
        ----------
        X : array-like of shape (n_patches,) or (n_patches, 1)
            Names or paths of the files, as strings or path-like objects.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : PatchLoader
            The instance itself.

        Raises
        ------
        TypeError
            If X is a single name, or if a name is neither a string nor path-like.
        ValueError
            If X has no rows, missing values or several columns, if a name leads out of
            `root` or contains a NUL character, or if `size` is not one or two positive
            integers.
        FileNotFoundError
            If `root` does not exist.
        NotADirectoryError
            If `root` is a file.

        Warns
        -----
        UserWarning
            If `on_mismatch` is not "raise" and `size` is None.
        """
        callback_context = self._init_callback_context()
        callback_context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        if self._size() is None and self.on_mismatch != "raise":
            warnings.warn(
                f"on_mismatch={self.on_mismatch!r} without a size: each call of "
                "transform takes the most frequent size of its own files, so that "
                "training and prediction may get patches of different sizes. Set size, "
                "for example size=96.",
                UserWarning,
                stacklevel=3,  # the caller of fit, which is decorated
            )
        self._paths(X)
        callback_context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def transform(self, X: Any) -> np.ndarray | PatchArray:
        """Read the patches.

        Parameters
        ----------
        X : array-like of shape (n_patches,) or (n_patches, 1)
            Names or paths of the files, as strings or path-like objects. X may be a
            list, an array, a pandas Series or a DataFrame with one column.

        Returns
        -------
        patches : ndarray or PatchArray of shape (n_patches, height, width, n_channels)
            The patches in the order of the names, as uint8, or as uint16 if `mode` is
            "I;16". A PatchArray if `lazy` is True.

        Raises
        ------
        TypeError
            If X is a single name, or if a name is neither a string nor path-like.
        ValueError
            If X has no rows, missing values or several columns, if a name leads out of
            `root` or contains a NUL character, if `size` is not one or two positive
            integers, if a file does not hold exactly one image of the
            right mode, or if some files have another size that `on_mismatch` does not
            allow. With ``lazy=True``, the headers of all files are checked now, and the
            pixels on access.
        FileNotFoundError
            If `root` or some of the files do not exist. The message counts the missing
            files and names the first ten.
        NotADirectoryError
            If `root` is a file.
        """
        self._validate_params()
        size = self._size()
        # Decoding finds files of another size, too. But the target must be known.
        is_target_known = size is not None or self.on_mismatch == "raise"
        files = ImageFiles(
            self._paths(X),
            self.mode,
            size=size,
            on_mismatch=self.on_mismatch,
            convert=self.convert,
            n_jobs=self.n_jobs,
            check_headers=self.lazy or not is_target_known,
        )
        patches = PatchArray(files)
        return patches if self.lazy else np.asarray(patches)

    def _size(self) -> tuple[int, int] | None:
        return None if self.size is None else as_height_width(self.size)

    def _paths(self, X: Any) -> list[str]:
        names = [name + self.suffix for name in _check_names(X)]
        _check_no_name_has_nul(names)
        if self.root is None:
            return names
        if not os.path.exists(self.root):
            raise FileNotFoundError(f"The folder root='{self.root}' does not exist.")
        if not os.path.isdir(self.root):
            raise NotADirectoryError(f"root='{self.root}' is a file, not a folder.")
        _check_names_stay_within(self.root, names)
        return [os.path.join(self.root, name) for name in names]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _check_names(X: Any) -> list[str]:
    """Return one column of names as a list of str."""
    # dtype=object keeps numbers and missing values. Otherwise they would silently
    # become names such as "nan".
    names = np.asarray(X, dtype=object)
    if names.ndim == 0:
        raise TypeError(
            "File names must be a list, an array, a Series or a DataFrame with one "
            f"column; got {X!r}. Put a single name in a list."
        )
    if names.ndim == 2 and names.shape[1] == 1:
        names = names[:, 0]
    if names.ndim > 1:
        raise ValueError(
            f"File names must be one column; got shape {names.shape}. Select the "
            "column that holds the names."
        )
    if len(names) == 0:
        raise ValueError("At least one file name is required; got none.")
    missing = np.flatnonzero(pd.isna(names))
    if len(missing) > 0:
        raise ValueError(
            f"{len(missing)} of {len(names)} file names are missing (None or NaN), the "
            f"first in row {missing[0]}."
        )
    for row, name in enumerate(names):
        if not isinstance(name, (str, os.PathLike)):
            raise TypeError(
                f"File names must be strings or path-like, but row {row} is {name!r} "
                f"of type {type(name).__name__}. If names consist of digits, read the "
                "column as str to keep leading zeros."
            )
    return [str(os.fspath(name)) for name in names]


def _check_no_name_has_nul(names: list[str]) -> None:
    rows = [row for row, name in enumerate(names) if "\0" in name]
    if rows:
        raise ValueError(
            f"{len(rows)} of {len(names)} file names contain a NUL character, which no "
            f"file name can contain, the first in row {rows[0]}: {names[rows[0]]!r}."
        )


def _check_names_stay_within(root: str | os.PathLike[str], names: list[str]) -> None:
    rows = [row for row, name in enumerate(names) if _leads_out(name)]
    if rows:
        raise ValueError(
            f"{len(rows)} of {len(names)} file names are absolute paths or contain "
            f"'..', the first in row {rows[0]}: {names[rows[0]]!r}. Names must stay "
            f"within root='{os.fspath(root)}'. Use root=None if the names are paths."
        )


def _leads_out(name: str) -> bool:
    drive, path = os.path.splitdrive(name)
    parts = path.replace(os.sep, "/").split("/")
    return bool(drive) or parts[0] == "" or ".." in parts
