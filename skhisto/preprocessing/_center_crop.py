"""Crop the centre of patches."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, validate_params

from skhisto._saved_format import SavedFormat
from skhisto.patches._definition import SINGLE_PATCH_HINT, as_patches
from skhisto.patches._patch_array import PatchArray, as_height_width, center_window

_SIZE_CONSTRAINTS = [Interval(Integral, 1, None, closed="left"), tuple]


@validate_params({"size": _SIZE_CONSTRAINTS}, prefer_skip_nested_validation=True)
def center_crop(X: Any, size: int | tuple[int, int] = 32) -> np.ndarray | PatchArray:
    """Crop the centre of each patch.

    If the difference between patch and crop is odd, the larger margin is at the bottom
    or right: the crop starts at ``(height - crop_height) // 2``. Keras's
    ``keras.layers.CenterCrop`` uses the same rule.

    Parameters
    ----------
    X : array-like or PatchArray of shape (n_patches, height, width, n_channels) or \
            (n_patches, height, width)
        At least one patch with 1 to 4 channels, of any real dtype. Arrays with three
        dimensions contain grey patches.
    size : int or tuple of int (height, width), default=32
        Size of the crop in pixels. An int means a square. The label of a PatchCamelyon
        patch refers to its central 32x32 pixels.

    Returns
    -------
    X_cropped : ndarray or PatchArray
        Cropped patches with the dtype and the number of dimensions of X. A view if X is
        an array. If X is a PatchArray, the result is one too, and nothing is decoded.

    Raises
    ------
    TypeError
        If X is a data set, a loader, an iterator or a mapping.
    ValueError
        - If X is not a valid stack of patches.
        - If `size` does not consist of positive integers.
        - If `size` is larger than the patches.

    See Also
    --------
    CenterCrop : The same operation as a transformer.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto.preprocessing import center_crop
    >>> X = np.arange(25).reshape(1, 5, 5)
    >>> center_crop(X, 2)
    array([[[ 6,  7],
            [11, 12]]])
    """
    X = as_patches(X)
    if isinstance(X, PatchArray):
        return X.center_crop(size)
    try:
        rows, columns = center_window(X.shape[1], X.shape[2], size)
    except ValueError as error:
        # Three dimensions may be narrow grey patches, or one patch in colour. Only a
        # crop that does not fit suggests the latter.
        if X.ndim == 3 and X.shape[2] in (3, 4):
            raise ValueError(f"{error} {SINGLE_PATCH_HINT}") from None
        raise
    return X[:, rows, columns]


class CenterCrop(SavedFormat, CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Crop the centre of each patch.

    Arrays are cropped without a copy. A :class:`PatchArray` is cropped without decoding
    it. If the difference between patch and crop is odd, the larger margin is at the
    bottom or right: the crop starts at ``(height - crop_height) // 2``. Keras's
    ``keras.layers.CenterCrop`` uses the same rule.

    Parameters
    ----------
    size : int or tuple of int (height, width), default=32
        Size of the crop in pixels. An int means a square. The label of a PatchCamelyon
        patch refers to its central 32x32 pixels.

    See Also
    --------
    center_crop : The same operation as a function.
    PatchLoader : Turns file names into patches.

    Notes
    -----
    This estimator is stateless and does not need to be fitted. Both `fit` and
    `transform` validate `size`. The output is an array of images for every setting of
    `sklearn.set_config(transform_output=...)`.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto.preprocessing import CenterCrop
    >>> X = np.zeros((10, 96, 96, 3), dtype=np.uint8)
    >>> CenterCrop(size=32).fit_transform(X).shape
    (10, 32, 32, 3)
    >>> CenterCrop(size=(48, 64)).fit_transform(X).shape
    (10, 48, 64, 3)
    """

    __module__ = "skhisto"  # where users import it from, and pickles look for it

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {"size": _SIZE_CONSTRAINTS}

    def __init__(self, size: int | tuple[int, int] = 32) -> None:
        self.size = size

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "CenterCrop":
        """Validate the size.

        Parameters
        ----------
        X : Ignored
            Not used, present for API consistency by convention.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : CenterCrop
            The instance itself.

        Raises
        ------
        ValueError
            If `size` is not one or two positive integers.
        """
        callback_context = self._init_callback_context()
        callback_context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        as_height_width(self.size)
        callback_context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def transform(self, X: Any) -> np.ndarray | PatchArray:
        """Crop the centre of each patch.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n_patches, height, width, n_channels) \
                or (n_patches, height, width)
            Patches, as for `center_crop`.

        Returns
        -------
        X_cropped : ndarray or PatchArray
            Cropped patches, as returned by `center_crop`.

        Raises
        ------
        TypeError, ValueError
            In the same cases as `center_crop`.
        """
        return center_crop(X, self.size)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags
