"""Turn file names into patches."""

import os
import warnings
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, StrOptions

from skhisto._saved_format import SavedFormat
from skhisto.patches._image_files import ImageFiles
from skhisto.patches._patch_array import PatchArray, as_height_width
from skhisto.patches._pixel_formats import PIXEL_FORMATS
from skhisto.patches._sizes import MISMATCH_RULES
from skhisto.preprocessing._file_names import file_paths


class PatchLoader(SavedFormat, CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Turn file names into patches.

    The name of a patch refers to the file ``root / (name + suffix)``. Each file
    contains one patch. The formats TIFF, PNG, JPEG, WebP and BMP are supported. By
    default, all files must have the same size and the same mode, and nothing is resized
    or converted. The orientation tag of TIFF files and the EXIF orientation of other
    formats are ignored.

    With PatchLoader as the first step of a Pipeline, scikit-learn splits, searches and
    cross-validates over file names, which need little memory.

    Parameters
    ----------
    root : str or path-like, default=None
        Folder of the files. Absolute paths and names that contain "..", such as "../a",
        are an error. Links in the folder are followed. None means that the names are
        paths, without restrictions.
    suffix : str, default=""
        Suffix that is appended to each name, such as ".tif".
    mode : {"RGB", "RGBA", "L", "I;16"}, default="RGB"
        Required content of the files: 8-bit RGB, 8-bit RGB with alpha, 8-bit grey, or
        unsigned 16-bit grey. Palette images without transparency are read as RGB, and
        1-bit images as 8-bit grey with the values 0 and 255.
    convert : bool, default=False
        Whether to convert files with other content to `mode`. If False, such files are
        an error. If True, these conversions are applied:

        - Transparent pixels are blended with white (RGBA to RGB, and grey with alpha to
          grey).
        - Grey is repeated in the three channels of RGB.
        - The 8 high bits of 16-bit pixels are kept.

        Other conversions are an error, such as RGB files with ``mode="L"``.
    size : int or tuple of int (height, width), default=None
        Size of the patches in pixels. An int means a square. None means the most
        frequent size among the files in each call of `transform`. Ties are resolved in
        favour of the first size.
    on_mismatch : {"raise", "crop", "pad", "resize"}, default="raise"
        What to do with files of another size.

        - "raise" raises one error that lists all of them.
        - "crop" keeps their centre. Smaller files are an error.
        - "pad" adds a white border. Larger files are an error.
        - "resize" interpolates bilinearly, see :class:`Resize`. It changes the number
          of microns per pixel of these files. It distorts them if their aspect ratio is
          different.
    lazy : bool, default=False
        If True, `transform` returns a :class:`PatchArray`, which decodes files on
        access. If False, it returns an array with all pixels.
    n_jobs : int, default=None
        Number of threads that read files. None means 1, and -1 means one thread per
        processor.

    See Also
    --------
    PatchArray : The output with ``lazy=True``.
    CenterCrop : Crops the patches.
    Resize : Resizes the patches.

    Notes
    -----
    In a Pipeline, each call of `transform` receives different files. If their sizes
    differ, set `size`, so that all calls return patches of the same size. `fit` warns
    if `on_mismatch` is not "raise" and `size` is None.

    Files of more than 33 million pixels (2**25) are an error, because small files can
    contain enough pixels to exhaust the memory. ``PIL.Image.MAX_IMAGE_PIXELS = None``
    removes the limit.

    With ``lazy=True``, `transform` reads the headers of all files, which takes about
    0.1 ms per file. Up to 400,000 headers are cached in the process. A header is read
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
            - If X is empty, or has missing values or several columns.
            - If a name leads out of `root` or contains a NUL character.
            - If `size` is not one or two positive integers.
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
                f"on_mismatch={self.on_mismatch!r} is set without a size. Each call of "
                "transform uses the most frequent size of its files, so training and "
                "prediction may receive patches of different sizes. Set size, for "
                "example size=96.",
                UserWarning,
                stacklevel=3,  # the caller of fit, which is decorated
            )
        file_paths(X, self.root, self.suffix)
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
            The patches in the order of the names. The dtype is uint16 if `mode` is
            "I;16", otherwise uint8. The result is a PatchArray if `lazy` is True.

        Raises
        ------
        TypeError
            If X is a single name, or if a name is neither a string nor path-like.
        ValueError
            - If X is empty, or has missing values or several columns.
            - If a name leads out of `root` or contains a NUL character.
            - If `size` is not one or two positive integers.
            - If a file does not contain exactly one image of the required mode.
            - If files have another size that `on_mismatch` does not allow.

            With ``lazy=True``, `transform` checks the headers of all files. The pixels
            are checked on access.
        FileNotFoundError
            If `root` or some of the files do not exist. The message counts the missing
            files and lists the first ten.
        NotADirectoryError
            If `root` is a file.
        """
        self._validate_params()
        size = self._size()
        # Decoding also detects files of another size, unless the size is unknown.
        is_target_known = size is not None or self.on_mismatch == "raise"
        files = ImageFiles(
            file_paths(X, self.root, self.suffix),
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

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
