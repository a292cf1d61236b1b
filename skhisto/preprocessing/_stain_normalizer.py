"""Give patches the stain of reference patches."""

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from skhisto._stain.macenko import macenko_reference, normalise_macenko
from skhisto._stain.reinhard import normalise_reinhard, reinhard_reference
from skhisto.patches._patch_array import PatchArray
from skhisto.patches._transformed import TransformedPatches, chunks, map_in_chunks
from skhisto.preprocessing._checks import check_patches


class _Method(NamedTuple):
    reference: Callable[..., tuple[np.ndarray, np.ndarray]]
    normalise: Callable[..., np.ndarray]
    attributes: tuple[str, str]


_METHODS = {
    "macenko": _Method(
        macenko_reference, normalise_macenko, ("stains_", "concentrations_")
    ),
    "reinhard": _Method(reinhard_reference, normalise_reinhard, ("means_", "stds_")),
}


class StainNormalizer(CallbackSupportMixin, TransformerMixin, BaseEstimator):
    """Give patches the stain of reference patches.

    Laboratories stain differently, and scanners see colours differently. `fit` measures
    the stain of each reference patch by itself and takes the median over patches.
    `transform` measures each patch in the same way and puts the reference's stain in
    the place of its own.

    Patches with too little tissue to measure (fewer than 100 pixels darker than the
    background), such as white ones, and patches of a single colour are left out of the
    reference, and pass unchanged.

    Parameters
    ----------
    method : {"macenko", "reinhard"}, default="reinhard"
        What is measured. "macenko" finds the colours of haematoxylin and eosin, and the
        99th percentile of the concentration of each [1]_. It recolours every pixel.
        "reinhard" takes mean and standard deviation in the colour space l, alpha, beta
        over tissue [2]_. Background, pixels whose optical density has a length below
        0.15, stays as it is.

    Attributes
    ----------
    stains_ : ndarray of shape (2, 3), float64
        With "macenko": optical densities, decadic, of haematoxylin and of eosin in red,
        green and blue: medians over patches, rescaled to vectors of length 1.
    concentrations_ : ndarray of shape (2,), float64
        With "macenko": 99th percentile of the optical density that haematoxylin and
        eosin cause in the tissue of a patch, medians over patches.
    means_, stds_ : ndarray of shape (3,), float64
        With "reinhard": mean and standard deviation of l, alpha and beta in the tissue
        of a patch, in decadic logarithms of intensities, medians over patches.

    See Also
    --------
    CenterCrop : Crops patches. More pixels are measured when it comes afterwards.
    PatchLoader : Turns file names into patches.

    Notes
    -----
    The reference may mix slides, as a training set does: measured together, the
    differences between slides would pass for those between stains, but each patch is
    measured by itself. The median over patches then is a typical stain, whatever a few
    odd patches look like. A single patch, well stained and with nuclei and stroma in
    it, is a reference as well.

    What a patch shows matters as well as its stain: fat holds less of both stains than
    crowded nuclei do, and both are given those of the reference. Look at some
    normalised patches, above all with "macenko".

    For "macenko" too, the pixels measured as tissue are those whose optical density has
    a length of at least 0.15, called beta in [1]_. Thresholding each channel instead
    would leave out pale eosin, which hardly absorbs red.

    A :class:`PatchArray` stays lazy: each patch is normalised whole when it is decoded,
    and cropped afterwards. To fit, patches are decoded a few at a time.

    References
    ----------
    .. [1] M. Macenko, M. Niethammer, J. S. Marron, D. Borland, J. T. Woosley, X. Guan,
       C. Schmitt and N. E. Thomas, "A method for normalizing histology slides for
       quantitative analysis", IEEE International Symposium on Biomedical Imaging,
       1107-1110, 2009. https://doi.org/10.1109/ISBI.2009.5193250
    .. [2] E. Reinhard, M. Ashikhmin, B. Gooch and P. Shirley, "Color transfer between
       images", IEEE Computer Graphics and Applications 21(5), 34-41, 2001.
       https://doi.org/10.1109/38.946629

    Examples
    --------
    >>> from skhisto import make_patches
    >>> from skhisto.preprocessing import StainNormalizer
    >>> X, y = make_patches(20, random_state=0)
    >>> normalizer = StainNormalizer(method="macenko").fit(X)
    >>> normalizer.stains_.shape
    (2, 3)
    >>> normalized = normalizer.transform(X)
    >>> normalized.shape == X.shape, normalized.dtype
    (True, dtype('uint8'))
    """

    __module__ = "skhisto"  # where users import it from, and pickles look for it

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "method": [StrOptions(set(_METHODS))]
    }

    def __init__(self, method: str = "reinhard") -> None:
        self.method = method

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> "StainNormalizer":
        """Measure the stain of reference patches.

        Parameters
        ----------
        X : ndarray of shape (n_patches, height, width, 3), uint8, PatchArray, or list \
                of equal arrays
            The reference: RGB patches, of one slide or of many.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : StainNormalizer
            The fitted instance.

        Raises
        ------
        ValueError
            If X is not a stack of RGB patches of dtype uint8, or if none of them can be
            measured: they have too little tissue, or no two stains ("macenko") or no
            range of colours ("reinhard") can be found in it.
        """
        callback_context = self._init_callback_context()
        callback_context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        method = _METHODS[self.method]
        X = _check_rgb(X)
        reference = method.reference(np.asarray(X[part]) for part in chunks(X))
        of_methods = {name for each in _METHODS.values() for name in each.attributes}
        for name in of_methods & set(vars(self)):  # of a former fit none may stay
            delattr(self, name)
        for name, value in zip(method.attributes, reference, strict=True):
            setattr(self, name, value)
        callback_context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def transform(self, X: Any) -> np.ndarray | PatchArray:
        """Give each patch the stain of the reference.

        Parameters
        ----------
        X : ndarray of shape (n_patches, height, width, 3), uint8, PatchArray, or list \
                of equal arrays
            RGB patches, of any size. They are not changed.

        Returns
        -------
        X_normalized : ndarray or PatchArray of shape (n_patches, height, width, 3)
            The normalised patches, uint8. A PatchArray, still not decoded, if X is one.

        Raises
        ------
        ValueError
            If X is not a stack of RGB patches of dtype uint8.
        NotFittedError
            If `fit` was not called with this `method`.
        """
        self._validate_params()
        method = _METHODS[self.method]
        check_is_fitted(
            self,
            method.attributes,
            msg=f"This %(name)s is not fitted with method={self.method!r}: call fit.",
        )
        X = _check_rgb(X)
        # The values and not the estimator go along with a lazy array: it stays the same
        # after another fit.
        reference = {name[:-1]: getattr(self, name) for name in method.attributes}
        normalise = partial(method.normalise, **reference)
        if isinstance(X, PatchArray):
            return PatchArray(TransformedPatches(X, normalise))
        return map_in_chunks(normalise, X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["uint8"]
        return tags


def _check_rgb(X: Any) -> np.ndarray | PatchArray:
    if not isinstance(X, PatchArray):
        X = check_patches(X)
    if X.ndim != 4 or X.shape[3] != 3 or X.dtype != np.uint8:
        raise ValueError(
            "Stains are normalised in RGB patches of shape (n_patches, height, width, "
            f"3) and dtype uint8, from 0 to 255. Got shape {X.shape} and dtype "
            f"{X.dtype}. Normalise before patches are scaled or turned grey, and drop "
            "an alpha channel with X[..., :3]."
        )
    return X
