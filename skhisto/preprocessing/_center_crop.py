"""Crop the centre of patches."""

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, validate_params

from skhisto.patches._patch_array import PatchArray, as_height_width, center_window
from skhisto.preprocessing._checks import check_patches

_SIZE_CONSTRAINTS = [Interval(Integral, 1, None, closed="left"), tuple]


@validate_params(
    {"X": ["array-like"], "size": _SIZE_CONSTRAINTS}, prefer_skip_nested_validation=True
)
def center_crop(X: Any, size: int | tuple[int, int] = 32) -> np.ndarray | PatchArray:
    """Crop the centre of each patch.

    Where the difference between patch and crop is odd, the crop starts at the smaller
    offset, ``(height - crop_height) // 2``, as ``keras.layers.CenterCrop`` does.

    Parameters
    ----------
    X : ndarray of shape (n_patches, height, width, n_channels) or \
            (n_patches, height, width), PatchArray, or list of equal arrays
        The patches, of any numeric dtype. Arrays with three dimensions are stacks of
        grey patches.
    size : int or tuple of int (height, width), default=32
        Size of the crop in pixels; an int stands for a square. On PatchCamelyon, 32 is
        the centre that the label is about.

    Returns
    -------
    X_cropped : ndarray or PatchArray
        The same number of dimensions and dtype as X. A view of X if X is an array, a
        new array if it is a list, and a PatchArray, still not decoded, if it is one.

    Raises
    ------
    ValueError
        If the size is larger than the patches or not of positive integers, or if X is
        not a stack of at least one patch.

    See Also
    --------
    CenterCrop : The same as a transformer.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto.preprocessing import center_crop
    >>> X = np.arange(25).reshape(1, 5, 5)
    >>> center_crop(X, 2)
    array([[[ 6,  7],
            [11, 12]]])
    """
    if isinstance(X, PatchArray):
        return X.center_crop(size)
    X = check_patches(X)
    rows, columns = center_window(X.shape[1], X.shape[2], size)
    return X[:, rows, columns]


class CenterCrop(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Crop the centre of each patch.

    Arrays are cropped as a view, without a copy, and a :class:`PatchArray` without
    decoding it. Where the difference between patch and crop is odd, the crop starts at
    the smaller offset, ``(height - crop_height) // 2``, as ``keras.layers.CenterCrop``
    does.

    Parameters
    ----------
    size : int or tuple of int (height, width), default=32
        Size of the crop in pixels; an int stands for a square. On PatchCamelyon, 32 is
        the centre that the label is about.

    See Also
    --------
    center_crop : The same as a function.
    PatchLoader : Turns file names into patches.

    Notes
    -----
    This estimator is stateless and does not need to be fitted: `fit` only validates
    the size, and `transform` validates it too. Its output is an array of images
    whatever `sklearn.set_config(transform_output=...)` says.

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

    _parameter_constraints: ClassVar[dict[str, list]] = {"size": _SIZE_CONSTRAINTS}

    def __init__(self, size: int | tuple[int, int] = 32) -> None:
        self.size = size

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "CenterCrop":
        """Only validate the parameters.

        Parameters
        ----------
        X : array-like
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
            If the size is not one or two positive integers.
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
        X : ndarray of shape (n_patches, height, width, n_channels) or \
                (n_patches, height, width), PatchArray, or list of equal arrays
            The patches, of any numeric dtype. Arrays with three dimensions are stacks
            of grey patches.

        Returns
        -------
        X_cropped : ndarray or PatchArray
            The same number of dimensions and dtype as X. A view of X if X is an array,
            a new array if it is a list, and a PatchArray, still not decoded, if it is
            one.

        Raises
        ------
        ValueError
            If the size is larger than the patches or not of positive integers, or if X
            is not a stack of at least one patch.
        """
        return center_crop(X, self.size)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags
