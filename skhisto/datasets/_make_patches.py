"""Synthetic patches that look like haematoxylin and eosin."""

from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from skhisto.datasets._staining import draw_staining
from skhisto.datasets._synthetic_tissue import Tumour, draw_tissue


@validate_params(
    {
        "n_samples": [Interval(Integral, 1, None, closed="left")],
        "size": [Interval(Integral, 12, None, closed="left")],
        "random_state": ["random_state"],
        "return_groups": ["boolean"],
    },
    prefer_skip_nested_validation=True,
)
def make_patches(
    n_samples: int = 100,
    *,
    size: int = 96,
    random_state: int | np.random.RandomState | None = None,
    return_groups: bool = False,
) -> tuple[NDArray[Any], ...]:
    """Generate patches that look like lymph node stained with H&E.

    The task is that of PatchCamelyon [1]_: a patch is positive if tumour reaches its
    central third (the central 32x32 of 96x96 pixels). The ring around it does not
    count. All patches hold lymphocytes: small, round nuclei, dark inside. Positive
    patches and about half of the negative ones also hold tumour: larger nuclei of
    irregular outline. They are denser in the sense of packing, as they cover more of
    the tissue that they grow in, while each of them is paler inside. Tumour covers as
    much of those negatives as of the positives, but stays out of the centre, and each
    slide is stained in its own way: colour statistics hardly tell the classes apart,
    the shape of the nuclei in the centre does.

    Parameters
    ----------
    n_samples : int, default=100
        Number of patches. Half of them are positive (or one less or more if the
        number is odd), on the whole and on each slide.
    size : int, default=96
        Height and width in pixels, at least 12. A pixel is about one micron; below
        48 pixels nuclei shrink with the patch, so that it still shows several.
    random_state : int, RandomState instance or None, default=None
        Determines everything that is drawn. Pass an int for the same patches at each
        call.
    return_groups : bool, default=False
        Whether to also return the slide that each patch is from.

    Returns
    -------
    X : ndarray of shape (n_samples, size, size, 3), uint8
        RGB patches.
    y : ndarray of shape (n_samples,), int64
        1 where tumour reaches the central third, otherwise 0.
    groups : ndarray of shape (n_samples,), int64
        Slides, numbered from 0: about one for every 30 patches, and at least four
        where there are as many patches, so that folds can be grouped by slide. Only
        if `return_groups` is True.

    Raises
    ------
    InvalidParameterError
        If a parameter has the wrong type or `size` is below 12; it is a ValueError.

    Notes
    -----
    Smooth noise gives the tissue its texture, tears and the extent of its tumour.
    Nuclei sit on a jittered hexagonal lattice; their outlines are circles, stretched
    and modulated by the second to fourth harmonic. Concentrations of haematoxylin and
    eosin become colour by the Beer-Lambert law, with the stain vectors of Ruifrok and
    Johnston [2]_, which every slide turns a little.

    References
    ----------
    .. [1] B. S. Veeling, J. Linmans, J. Winkens, T. Cohen and M. Welling, "Rotation
       Equivariant CNNs for Digital Pathology", MICCAI 2018, arXiv:1806.03962.
    .. [2] A. C. Ruifrok and D. A. Johnston, "Quantification of histochemical staining
       by color deconvolution", Analytical and Quantitative Cytology and Histology
       23(4), 291-299, 2001.

    Examples
    --------
    >>> from skhisto.datasets import make_patches
    >>> X, y, groups = make_patches(60, random_state=0, return_groups=True)
    >>> X.shape, X.dtype
    ((60, 96, 96, 3), dtype('uint8'))
    >>> int(y.sum()), len(set(groups))
    (30, 4)
    """
    rng = check_random_state(random_state)
    # Consecutive ranks are on one slide and alternate in class; which rows have
    # which ranks is random.
    rank = rng.permutation(n_samples)
    n_slides = max(min(n_samples, 4), round(n_samples / 30))
    groups = rank * n_slides // n_samples
    y = (rank + rng.randint(2)) % 2

    X = np.empty((n_samples, size, size, 3), dtype=np.uint8)
    slides = [draw_staining(rng) for _ in range(n_slides)]
    for row, (group, label) in enumerate(zip(groups, y, strict=True)):
        concentrations, _ = draw_tissue(rng, size, _draw_tumour(rng, label))
        X[row] = slides[group].stain(concentrations)
    return (X, y, groups) if return_groups else (X, y)


def _draw_tumour(rng: np.random.RandomState, label: int) -> Tumour:
    """Draw where the tumour of a patch is: in half of the negatives, in the ring."""
    if label == 1:
        return "centre"
    return "ring" if rng.random_sample() < 0.5 else "none"
