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

    The task follows PatchCamelyon [1]_: a patch is positive if tumour reaches its
    central third (the central 32x32 of 96x96 pixels). The ring around it does not
    count.

    All patches contain lymphocytes, which have small, round, dark nuclei. Positive
    patches and about half of the negative ones also contain tumour, which has larger,
    paler and more densely packed nuclei with irregular outlines. In those negative
    patches, tumour covers the same share as in positive ones but stays outside the
    centre. Each slide has its own staining. Colour statistics are therefore of little
    use. What separates the classes is the shape of the nuclei in the centre.

    Parameters
    ----------
    n_samples : int, default=100
        Number of patches. Half of them are positive, in total and on each slide. With
        an odd number, the classes differ by one.
    size : int, default=96
        Height and width in pixels, at least 12. A pixel is about one micron. Below
        48 pixels, nuclei shrink with the patch, so that each patch still shows several.
    random_state : int, RandomState instance or None, default=None
        Determines all random numbers. Pass an int for reproducible patches.
    return_groups : bool, default=False
        Whether to also return the slide of each patch.

    Returns
    -------
    X : ndarray of shape (n_samples, size, size, 3), uint8
        RGB patches.
    y : ndarray of shape (n_samples,), int64
        1 where tumour reaches the central third, otherwise 0.
    groups : ndarray of shape (n_samples,), int64
        Slide numbers from 0, about one slide per 30 patches. There are at least four
        slides (if there are four patches), so that folds can be grouped by slide. Only
        returned if `return_groups` is True.

    Raises
    ------
    InvalidParameterError
        If a parameter has the wrong type or `size` is below 12. It is a subclass of
        ValueError.

    Notes
    -----
    Smooth noise determines the texture, the tears and the tumour regions of the tissue.
    Nuclei are placed on a jittered hexagonal lattice. Their outlines are circles that
    are stretched and modulated by the second to fourth harmonic. Concentrations of
    haematoxylin and eosin are converted to colour by the Beer-Lambert law. It uses the
    stain vectors of Ruifrok and Johnston [2]_ with a small random change per slide.

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
    # Consecutive ranks are on the same slide and alternate in class. Ranks are assigned
    # to rows at random.
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
    """Draw the place of the tumour. Half of the negatives have it in the ring."""
    if label == 1:
        return "centre"
    return "ring" if rng.random_sample() < 0.5 else "none"
