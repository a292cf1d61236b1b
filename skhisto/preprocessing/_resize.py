"""Resize patches."""

from functools import partial
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import Interval, StrOptions

from skhisto._saved_format import SavedFormat
from skhisto.patches._definition import (
    SINGLE_PATCH_HINT,
    as_patches,
    with_channel_axis,
)
from skhisto.patches._patch_array import PatchArray, as_height_width
from skhisto.patches._resizing import INTERPOLATIONS, resize_patches
from skhisto.patches._transformed import TransformedPatches, map_in_chunks


class Resize(SavedFormat, CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Resize patches by interpolation, without aliasing.

    Each channel is resized separately. When patches become smaller, each new pixel is a
    weighted mean over the area that it covers. Patches that already have the requested
    size are not changed.

    Parameters
    ----------
    size : int or tuple of int (height, width), default=224
        The new size in pixels. An int means a square. The aspect ratio is not kept.
    interpolation : {"bilinear", "bicubic", "lanczos"}, default="bilinear"
        The filter. "bicubic" and "lanczos" are sharper than "bilinear". At sharp edges,
        they create values slightly outside the range of the patch. Integers are clipped
        to the range of their dtype.

    See Also
    --------
    CenterCrop : Crops patches and keeps their scale.
    PatchLoader : Crops, pads or resizes only the files of another size.

    Notes
    -----
    Resizing changes the physical scale. A patch of 224 pixels at 0.5 microns per pixel
    that is resized to 96 pixels has 0.5 * 224 / 96 = 1.17 microns per pixel. Patches of
    training and prediction must have the same number of microns per pixel before and
    after resizing. If height and width change by different factors, shapes are
    distorted.

    Values are computed in float32, and integers are rounded once at the end. Pillow
    rounds values of dtype uint8 twice, so its results may differ by one.

    A :class:`PatchArray` stays lazy: each patch is resized when it is decoded.

    This estimator is stateless and does not need to be fitted. Both `fit` and
    `transform` validate the parameters. The output is an array of images for every
    setting of `sklearn.set_config(transform_output=...)`.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto.preprocessing import Resize
    >>> X = np.zeros((10, 224, 224, 3), dtype=np.uint8)
    >>> Resize(size=96).fit_transform(X).shape
    (10, 96, 96, 3)
    """

    __module__ = "skhisto"  # where users import it from, and pickles look for it

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "size": [Interval(Integral, 1, None, closed="left"), tuple],
        "interpolation": [StrOptions(set(INTERPOLATIONS))],
    }

    def __init__(
        self, size: int | tuple[int, int] = 224, *, interpolation: str = "bilinear"
    ) -> None:
        self.size = size
        self.interpolation = interpolation

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "Resize":
        """Validate the parameters.

        Parameters
        ----------
        X : Ignored
            Not used, present for API consistency by convention.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : Resize
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
        """Resize each patch.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n_patches, height, width, n_channels) \
                or (n_patches, height, width)
            At least one patch with 1 to 4 channels, of any real dtype. Arrays with
            three dimensions contain grey patches. X is not changed.

        Returns
        -------
        X_resized : ndarray or PatchArray
            Resized patches with the dtype and the number of dimensions of X. If X is a
            PatchArray, the result is one too, and nothing is decoded.

        Raises
        ------
        TypeError
            If X is a data set, a loader, an iterator or a mapping.
        ValueError
            - If a parameter is invalid.
            - If X is not a valid stack of patches.
            - If X has three dimensions, and the last has the length 3 or 4. It is then
              probably a single RGB or RGBA patch.
        """
        self._validate_params()
        size = as_height_width(self.size)
        X = as_patches(X)
        if X.ndim == 3 and X.shape[2] in (3, 4):
            raise ValueError(
                f"X of shape {X.shape} seems to be a single patch with {X.shape[2]} "
                f"channels. {SINGLE_PATCH_HINT} Grey patches of this width need a "
                "channel axis: X[..., np.newaxis]."
            )
        if X.shape[1:3] == size:
            return X
        resize = partial(resize_patches, size=size, interpolation=self.interpolation)
        if isinstance(X, PatchArray):
            return PatchArray(TransformedPatches(X, resize, size=size))
        resized = map_in_chunks(resize, with_channel_axis(X), size=size)
        return resized.reshape(resized.shape[: X.ndim])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        return tags
