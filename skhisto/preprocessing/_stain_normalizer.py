"""Give patches the stain of reference patches."""

from collections.abc import Iterator
from functools import partial
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.callback import CallbackSupportMixin
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from skhisto._saved_format import SavedFormat
from skhisto._stain.glass import find_glass
from skhisto._stain.macenko import MACENKO
from skhisto._stain.method import (
    Method,
    White,
    measure_all,
    medians_of_groups,
    normalise,
    typical,
)
from skhisto._stain.reinhard import REINHARD
from skhisto.patches._definition import SINGLE_PATCH_HINT, Patches, as_patches
from skhisto.patches._patch_array import PatchArray, check_groups
from skhisto.patches._transformed import TransformedPatches, chunks, map_in_chunks

_METHODS: dict[str, Method] = {"macenko": MACENKO, "reinhard": REINHARD}
_WHITE = 255.0


class StainNormalizer(
    SavedFormat, CallbackSupportMixin, TransformerMixin, BaseEstimator
):
    """Give patches the stain of reference patches.

    Stains differ between laboratories, and colours differ between scanners. `fit`
    measures the stain of each reference patch and takes the median over the patches.
    `transform` measures each patch in the same way and replaces its stain with the
    stain of the reference.

    Some patches cannot be measured. `fit` ignores them, and `transform` returns them
    unchanged, unless their group is known:

    - Patches with too little tissue (fewer than 100 pixels darker than the background),
      such as white patches.
    - Patches with a single colour.

    Parameters
    ----------
    method : {"macenko", "reinhard"}, default="reinhard"
        How stain is measured. Both methods change tissue and leave glass unchanged,
        with a smooth transition between two optical densities.

        - "macenko" finds the colours of haematoxylin and eosin, and the 99th percentile
          of the concentration of each [1]_. The transition is from 0.05 to 0.15.
        - "reinhard" computes the mean and the standard deviation over tissue in the
          colour space l, alpha, beta [2]_. The transition is from 0.05 to 0.45.
    white : "auto", float or array-like of shape (3,), default="auto"
        The colour of unstained glass, from 1 to 255. Stain is measured relative to it,
        and glass keeps its colour.

        - A number, or three numbers for red, green and blue, is the colour in all
          patches.
        - "auto" uses the first of these colours that exists:

          1. The median of the uniform, bright and neutral pixels of the patch, if they
             are at least 1 % of its pixels.
          2. With `per_group`, the median over the patches of its group in `fit`.
          3. 255.
    per_group : bool, default=False
        Whether the stain is measured for each group (slide) instead of each patch.

        - False measures each patch separately. The groups of a :class:`PatchArray` are
          ignored.
        - True uses the argument `groups`, or otherwise the groups of a PatchArray. Use
          it if `fit` and `transform` receive patches of the same slides. Patches of
          slides that were not seen in `fit` are measured separately, see Notes.

    Attributes
    ----------
    stains_ : ndarray of shape (2, 3), float64
        Decadic optical densities of haematoxylin and eosin in red, green and blue.
        Medians over patches, scaled to vectors of length 1. Only with "macenko".
    concentrations_ : ndarray of shape (2,), float64
        99th percentiles of the optical densities of haematoxylin and eosin in the
        tissue of a patch. Medians over patches. Only with "macenko".
    means_, stds_ : ndarray of shape (3,), float64
        Means and standard deviations of l, alpha and beta in the tissue of a patch, in
        decadic logarithms of intensities. Intensities are scaled so that `white` is
        255. Medians over patches. Only with "reinhard".
    groups_ : ndarray of shape (n_groups,)
        The sorted groups of the patches in `fit`. Empty with ``per_group=False``.
    group_estimates_ : tuple of ndarray of shape (n_groups + 1, ...), float64
        Stains and concentrations, or means and standard deviations, of each group.
        Medians over its patches. NaN for groups without measured patches. The last row
        is for patches of other groups and contains NaN.
    group_white_ : ndarray of shape (n_groups + 1, 3), float64
        Red, green and blue of the glass of each group. 255 for groups without glass,
        and in the last row.

    See Also
    --------
    CenterCrop : Crops patches. Normalise before cropping to measure more pixels.
    PatchLoader : Turns file names into patches.

    Notes
    -----
    The reference may consist of several slides, such as a training set. Each patch is
    measured separately. If patches were measured together, differences between slides
    would be mistaken for differences between stains. The median over patches represents
    a typical stain and is robust to a few unusual patches. The reference may also be a
    single well-stained patch with nuclei and stroma.

    **Groups.** With ``per_group=True``, `transform` replaces the stain of the whole
    group (slide) instead of the stain of each patch. This preserves the differences
    between patches of a group, and does not distort patches with little tissue or a
    single stain. The estimates are computed as follows:

    - For groups that were seen in `fit`, from the patches of the group in `fit`.
    - For other groups, for groups without measurable patches, and without groups, from
      the patch itself.

    Patches in `transform` never influence each other.

    In a grouped cross-validation, all test groups are unknown. With ``per_group=True``,
    training patches are then measured by group and test patches separately, so that the
    two sets differ. To treat all patches equally, choose one of these options:

    - Keep ``per_group=False``.
    - Use groups that occur in both sets, such as scanners or laboratories.
    - Normalise the patches of all slides before the split. Labels are not used.

    **Limits.** Both methods assume that patches show similar tissue. For example, fat
    contains less stain than dense nuclei, but both receive the concentrations of the
    reference. Therefore standard deviations ("reinhard") are increased by a factor of
    at most 2, and concentrations ("macenko") are changed by a factor of at most 2. If
    two stains are less than 20 degrees apart, they are moved apart to 20 degrees.
    Otherwise, mixtures would be treated as pure stains. Inspect some normalised
    patches.

    Both methods measure pixels whose optical density has a length of at least 0.15. In
    [1]_, this threshold is called beta. A threshold on each channel would exclude pale
    eosin, which hardly absorbs red.

    A :class:`PatchArray` stays lazy. Each patch is normalised as a whole when it is
    decoded, and cropped afterwards. `fit` decodes a few patches at a time. With groups
    and ``white="auto"``, it decodes them twice.

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

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "method": [StrOptions(set(_METHODS))],
        "white": [StrOptions({"auto"}), Real, "array-like"],
        "per_group": ["boolean"],
    }

    def __init__(
        self,
        method: str = "reinhard",
        *,
        white: str | float | ArrayLike = "auto",
        per_group: bool = False,
    ) -> None:
        self.method = method
        self.white = white
        self.per_group = per_group

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self, X: Any, y: Any = None, groups: ArrayLike | None = None
    ) -> "StainNormalizer":
        """Measure the stain of reference patches.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n_patches, height, width, 3), uint8
            The reference, RGB patches from one or several slides.
        y : Ignored
            Not used, present for API consistency by convention.
        groups : array-like of shape (n_patches,), default=None
            The slide of each patch, or another group with the same stain. Only with
            ``per_group=True``. None uses the groups of a PatchArray.

        Returns
        -------
        self : StainNormalizer
            The fitted instance.

        Raises
        ------
        TypeError
            If X is a data set, a loader, an iterator or a mapping.
        ValueError
            - If X does not consist of RGB patches of dtype uint8.
            - If none of the patches can be measured, because they have too little
              tissue, fewer than two stains ("macenko"), or a single colour
              ("reinhard").
            - If `white` is not a colour.
            - If `groups` is given and `per_group` is False.
            - If `per_group` is True and groups are not given.
            - If `groups` and X have different lengths, or a group is missing.
        """
        callback_context = self._init_callback_context()
        callback_context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        method = _METHODS[self.method]
        fixed = _fixed_white(self.white)
        X = _check_rgb(X)
        groups = self._groups_of(X, groups)
        if self.per_group and groups is None:
            raise ValueError(
                "per_group=True needs the group of each patch. Pass groups, use a "
                "PatchArray with groups, or set per_group=False."
            )
        names, codes = _numbered(groups, len(X))
        group_white = np.full((len(names) + 1, 3), _WHITE)
        if len(names) and fixed is None:
            glass = [find_glass(patches) for patches, _ in _parts(X, codes)]
            group_white = medians_of_groups(
                np.concatenate(glass), codes, len(names), otherwise=_WHITE
            )
        white = White(fixed, group_white)
        estimates = measure_all(_parts(X, codes), method, white)
        reference = typical(estimates, method)
        of_groups = method.valid(
            (
                medians_of_groups(estimates[0], codes, len(names)),
                medians_of_groups(estimates[1], codes, len(names)),
            )
        )
        self._forget_reference()
        for name, value in zip(method.attributes, reference, strict=True):
            setattr(self, name + "_", value)
        self.groups_ = names
        self.group_estimates_ = of_groups
        self.group_white_ = group_white
        callback_context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return self

    def fit_transform(
        self, X: Any, y: Any = None, groups: ArrayLike | None = None
    ) -> np.ndarray | PatchArray:
        """Measure the stain of the patches, and normalise them to it.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n_patches, height, width, 3), uint8
            RGB patches from one or several slides.
        y : Ignored
            Not used, present for API consistency by convention.
        groups : array-like of shape (n_patches,), default=None
            The group of each patch, see `fit`.

        Returns
        -------
        X_normalized : ndarray or PatchArray of shape (n_patches, height, width, 3)
            The normalised patches, see `transform`.
        """
        return self.fit(X, y, groups=groups).transform(X, groups=groups)

    def transform(
        self, X: Any, groups: ArrayLike | None = None
    ) -> np.ndarray | PatchArray:
        """Give each patch the stain of the reference.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n_patches, height, width, 3), uint8
            RGB patches of any size. X is not changed.
        groups : array-like of shape (n_patches,), default=None
            The group of each patch. Only with ``per_group=True``. Patches of the groups
            in `groups_` are normalised with the estimates of their group, and other
            patches with their own estimates. None uses the groups of a PatchArray.

        Returns
        -------
        X_normalized : ndarray or PatchArray of shape (n_patches, height, width, 3)
            The normalised patches, uint8. If X is a PatchArray, the result is one too,
            and nothing is decoded.

        Raises
        ------
        TypeError
            If X is a data set, a loader, an iterator or a mapping.
        ValueError
            - If X does not consist of RGB patches of dtype uint8.
            - If `white` is not a colour.
            - If `groups` is given and `per_group` is False.
            - If `groups` and X have different lengths, or a group is missing.
        NotFittedError
            If `fit` was not called with this `method`.
        """
        self._validate_params()
        method = _METHODS[self.method]
        names = [name + "_" for name in method.attributes]
        check_is_fitted(
            self,
            names,
            msg=f"This %(name)s is not fitted with method={self.method!r}. Call fit.",
        )
        X = _check_rgb(X)
        codes = _numbers_of_known(self._groups_of(X, groups), self.groups_, len(X))
        # A lazy array must keep these values instead of the estimator, which may be
        # fitted again.
        function = partial(
            normalise,
            method=method,
            reference=tuple(getattr(self, name) for name in names),
            white=White(_fixed_white(self.white), self.group_white_),
            of_groups=self.group_estimates_,
        )
        if isinstance(X, PatchArray):
            return PatchArray(TransformedPatches(X, function, codes))
        return map_in_chunks(function, X, arguments=codes)

    def _groups_of(self, X: Patches, groups: ArrayLike | None) -> np.ndarray | None:
        """Return the given groups or the groups of a PatchArray, if they are used."""
        if not self.per_group:
            if groups is not None:
                raise ValueError(
                    "groups was passed, but per_group=False ignores it. Set "
                    "per_group=True, or do not pass groups."
                )
            return None
        if groups is None:
            groups = getattr(X, "groups", None)
        return check_groups(groups, len(X))

    def _forget_reference(self) -> None:
        """Remove the estimates of a fit with another method."""
        for method in _METHODS.values():
            for name in method.attributes:
                self.__dict__.pop(name + "_", None)

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
        f"and dtype uint8; got shape {X.shape} and dtype {X.dtype}. "
        f"{_hint(X)}"
    )


def _hint(X: Patches) -> str:
    """Say what to do with patches that are not 8-bit RGB."""
    if X.ndim == 3 and X.shape[2] == 3:
        return SINGLE_PATCH_HINT
    if X.ndim == 4 and X.shape[3] == 4:
        return "Remove the alpha channel with np.asarray(X)[..., :3]."
    if X.ndim == 4 and X.shape[3] == 3:
        return "Normalise before other steps scale the patches or change their dtype."
    return "Grey patches cannot be normalised."


def _fixed_white(white: Any) -> np.ndarray | None:
    """Return the colour of glass in all patches, or None to measure it in each."""
    if isinstance(white, str):
        return None
    colour = np.asarray(white)
    if (
        colour.shape not in ((), (3,))
        or colour.dtype.kind not in "iuf"
        or not np.all((colour >= 1) & (colour <= 255))
    ):
        raise ValueError(
            "white must be 'auto', a number, or three numbers for red, green and blue, "
            f"from 1 to 255; got {white!r}."
        )
    return np.broadcast_to(colour.astype(np.float64), 3).copy()


def _parts(X: Patches, codes: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield a few decoded patches at a time, with their group numbers."""
    return ((np.asarray(X[part]), codes[part]) for part in chunks(X))


def _numbered(groups: np.ndarray | None, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted groups, and the group number of each patch."""
    if groups is None:
        return np.empty(0), np.full(n, -1)
    return np.unique(groups, return_inverse=True)


def _numbers_of_known(
    groups: np.ndarray | None, known: np.ndarray, n: int
) -> np.ndarray:
    """Return the group number of each patch, -1 for unknown groups."""
    if groups is None:
        return np.full(n, -1)
    numbers = {name: number for number, name in enumerate(known.tolist())}
    return np.array([numbers.get(name, -1) for name in groups.tolist()], dtype=np.intp)
