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
from skhisto.patches._definition import SINGLE_PATCH_HINT, Patches, as_patches
from skhisto.patches._patch_array import PatchArray
from skhisto.patches._transformed import TransformedPatches, chunks, map_in_chunks


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

    Stains differ between laboratories, and colours differ between scanners. `fit`
    measures the stain of each reference patch and takes the median over the patches.
    `transform` measures each patch in the same way and replaces its stain with that of
    the reference.

    A patch cannot be measured in these cases. It is left out of the reference, and
    `transform` returns it unchanged:

    - it has too little tissue (fewer than 100 pixels darker than the background), like
      a white patch;
    - all of its pixels have the same colour.

    Parameters
    ----------
    method : {"macenko", "reinhard"}, default="reinhard"
        How stain is measured.

        - "macenko" finds the colours of haematoxylin and eosin, and the 99th percentile
          of the concentration of each [1]_. It recolours every pixel.
        - "reinhard" takes the mean and the standard deviation over tissue in the colour
          space l, alpha, beta [2]_. Background is not changed. It consists of the
          pixels whose optical density has a length below 0.15.

    Attributes
    ----------
    stains_ : ndarray of shape (2, 3), float64
        Only with "macenko". Decadic optical densities of haematoxylin and eosin in red,
        green and blue: medians over patches, scaled to vectors of length 1.
    concentrations_ : ndarray of shape (2,), float64
        Only with "macenko". 99th percentiles of the optical densities that haematoxylin
        and eosin cause in the tissue of a patch: medians over patches.
    means_, stds_ : ndarray of shape (3,), float64
        Only with "reinhard". Means and standard deviations of l, alpha and beta in the
        tissue of a patch, in decadic logarithms of intensities: medians over patches.

    See Also
    --------
    CenterCrop : Crops patches. Normalise before cropping to measure more pixels.
    PatchLoader : Turns file names into patches.

    Notes
    -----
    The reference may come from several slides, such as a training set. Each patch is
    measured separately, because patches measured together would mistake differences
    between slides for differences between stains. The median over patches is a typical
    stain and is robust to a few unusual patches. A single well-stained patch with
    nuclei and stroma can be a reference, too.

    Both methods assume that patches show similar tissue. Fat holds less of both stains
    than crowded nuclei, but both are given the amounts of the reference. Inspect some
    normalised patches, in particular with "macenko".

    "macenko" measures the pixels whose optical density has a length of at least 0.15,
    called beta in [1]_. A threshold on each channel would exclude pale eosin, which
    hardly absorbs red.

    A :class:`PatchArray` stays lazy: each patch is normalised as a whole when it is
    decoded, and cropped afterwards. `fit` decodes a few patches at a time.

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
        X : array-like or PatchArray of shape (n_patches, height, width, 3), uint8
            The reference: RGB patches from one slide or from several.
        y : Ignored
            Not used, present for API consistency by convention.

        Returns
        -------
        self : StainNormalizer
            The fitted instance.

        Raises
        ------
        TypeError
            If X is a data set, a loader, an iterator or a mapping.
        ValueError
            If X does not hold RGB patches of dtype uint8, or if none of them can be
            measured. A patch cannot be measured if it has too little tissue, if
            "macenko" does not find two stains in it, or if "reinhard" finds no range of
            colours in it.
        """
        callback_context = self._init_callback_context()
        callback_context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        method = _METHODS[self.method]
        X = _check_rgb(X)
        reference = method.reference(np.asarray(X[part]) for part in chunks(X))
        of_methods = {name for each in _METHODS.values() for name in each.attributes}
        for name in of_methods & set(vars(self)):  # left by a fit with another method
            delattr(self, name)
        for name, value in zip(method.attributes, reference, strict=True):
            setattr(self, name, value)
        callback_context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def transform(self, X: Any) -> np.ndarray | PatchArray:
        """Give each patch the stain of the reference.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n_patches, height, width, 3), uint8
            RGB patches of any size. They are not changed.

        Returns
        -------
        X_normalized : ndarray or PatchArray of shape (n_patches, height, width, 3)
            The normalised patches, uint8. A PatchArray if X is one; it is not decoded.

        Raises
        ------
        TypeError
            If X is a data set, a loader, an iterator or a mapping.
        ValueError
            If X does not hold RGB patches of dtype uint8.
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
        # A lazy array keeps these values and not the estimator, which may be fitted
        # again.
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


def _check_rgb(X: Any) -> Patches:
    X = as_patches(X)
    if X.ndim == 4 and X.shape[3] == 3 and X.dtype == np.uint8:
        return X
    raise ValueError(
        "Stain normalisation needs RGB patches of shape (n_patches, height, width, 3) "
        f"and dtype uint8, from 0 to 255; got shape {X.shape} and dtype {X.dtype}. "
        f"{_hint(X)}"
    )


def _hint(X: Patches) -> str:
    """Say what to do with patches that are not RGB of 8 bits."""
    if X.ndim == 3 and X.shape[2] == 3:
        return SINGLE_PATCH_HINT
    if X.ndim == 4 and X.shape[3] == 4:
        return "Drop an alpha channel with np.asarray(X)[..., :3]."
    if X.ndim == 4 and X.shape[3] == 3:
        return "Normalise before other steps scale the patches or change their dtype."
    return "Grey patches have no stain to normalise."
