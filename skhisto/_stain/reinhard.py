"""Stain normalisation by Reinhard's method.

It gives the pixels of an image the mean and the standard deviation of a reference in
each channel of a colour space whose channels hardly correlate.

References
----------
.. [1] E. Reinhard, M. Ashikhmin, B. Gooch and P. Shirley, "Color transfer between
   images", IEEE Computer Graphics and Applications 21(5), 34-41, 2001.
   https://doi.org/10.1109/38.946629
.. [2] D. L. Ruderman, T. W. Cronin and C.-C. Chiao, "Statistics of cone responses to
   natural images: implications for visual coding", Journal of the Optical Society of
   America A 15(8), 2036-2045, 1998. https://doi.org/10.1364/JOSAA.15.002036
.. [3] HistomicsTK, `histomicstk.preprocessing.color_normalization.reinhard`, whose
   `mask_out` leaves the background out of the statistics, and as it was.
   https://github.com/DigitalSlideArchive/HistomicsTK
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from skhisto._stain.tissue_mask import (
    Floats,
    Measurement,
    Patches,
    as_planes,
    find_tissue,
    from_planes,
    median_reference,
)

LMS_FROM_RGB = np.array(
    [[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]],
    dtype=np.float32,
)
"""Cone responses of RGB intensities [1]_."""

LAB_FROM_LMS = (
    np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]]) / np.sqrt([[3], [6], [2]])
).astype(np.float32)
"""The axes l (light), alpha (yellow to blue) and beta (red to green) of logarithms of
cone responses, at unit length [2]_."""

RGB_FROM_LMS = np.linalg.inv(LMS_FROM_RGB)
LMS_FROM_LAB = LAB_FROM_LMS.T  # it is a rotation

MIN_STD = 0.001
"""Smallest standard deviation, in decadic logarithms, a choice of our own.

Rounding grey of half the intensity to 8 bits alone gives as much: 0.29 / 128 / ln(10).
To scale up less would be to scale up rounding errors.
"""

MAX_LOGARITHM = 80
"""Natural logarithm that is far beyond white and does not yet overflow in float32."""


def normalise_reinhard(patches: Patches, means: Floats, stds: Floats) -> Patches:
    """Give the tissue in patches the colours of a reference, by Reinhard's method [1]_.

    Parameters
    ----------
    patches : ndarray of shape (n_patches, height, width, 3), uint8
        RGB patches. Each is normalised by itself, whatever the others are.
    means, stds : ndarray of shape (3,)
        Mean and standard deviation of l, alpha and beta in the reference, from
        `reinhard_reference`.

    Returns
    -------
    normalised : ndarray of shape (n_patches, height, width, 3), uint8
        A new array. Background pixels are as they were [3]_, and so are patches with
        too little tissue or of a single colour.
    """
    normalised = patches.copy()
    rows, lab, tissue, (own_means, own_stds), _ = measure_reinhard(patches)
    scale = stds / own_stds
    shift = means - scale * own_means
    lab = lab * as_columns(scale) + as_columns(shift)
    recoloured = from_planes(rgb_from_lab(lab), patches.shape[1:])
    where = tissue.reshape(len(rows), *patches.shape[1:3], 1)
    normalised[rows] = np.where(where, recoloured, patches[rows])
    return normalised


def reinhard_reference(parts: Iterable[Patches]) -> tuple[Floats, Floats]:
    """Mean and standard deviation of l, alpha and beta in the tissue of a reference.

    Parameters
    ----------
    parts : iterable of ndarray of shape (n_patches, height, width, 3), uint8
        RGB patches, a few at a time. Each is measured by itself.

    Returns
    -------
    means, stds : ndarray of shape (3,), float64
        Medians over patches, in decadic logarithms.

    Raises
    ------
    ValueError
        If each patch has too little tissue, or it is grey or of a single colour.
    """
    return median_reference(parts, measure_reinhard, "grey or a single colour")


def measure_reinhard(patches: Patches) -> Measurement:
    """Measure means and standard deviations of l, alpha and beta."""
    rows, _, tissue = find_tissue(patches)
    n_bare = len(patches) - len(rows)
    lab = lab_from_rgb(as_planes(patches[rows]))
    means, stds = moments(lab, tissue)
    varied = np.all(stds >= MIN_STD, axis=1)
    rows, lab, tissue = rows[varied], lab[varied], tissue[varied]
    return Measurement(rows, lab, tissue, (means[varied], stds[varied]), n_bare)


def lab_from_rgb(rgb: NDArray[np.uint8]) -> Floats:
    """From planes of RGB to planes of l, alpha and beta, float32.

    Intensities of 0 count as 1, since they have no logarithm.
    """
    lms = LMS_FROM_RGB @ np.maximum(rgb, 1).astype(np.float32)
    return LAB_FROM_LMS @ np.log10(lms)


def rgb_from_lab(lab: Floats) -> NDArray[np.uint8]:
    """Invert `lab_from_rgb`, rounded and clipped to 0 to 255."""
    logarithms = (np.float32(np.log(10)) * LMS_FROM_LAB) @ lab
    rgb = RGB_FROM_LMS @ np.exp(np.minimum(logarithms, MAX_LOGARITHM))
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def moments(lab: Floats, tissue: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Mean and standard deviation over tissue, of shape (n, 3) each, float64."""
    weights = tissue.astype(np.float32)[:, :, None]
    total = weights.sum(axis=1, keepdims=True, dtype=np.float64)
    means = (lab @ weights) / total
    deviations = lab - means.astype(np.float32)
    variances = ((deviations * deviations) @ weights) / total
    return means[:, :, 0], np.sqrt(variances)[:, :, 0]


def as_columns(numbers: Floats) -> NDArray[np.float32]:
    """Numbers of shape (n, 3), ready to be combined with planes."""
    return numbers.astype(np.float32)[:, :, None]
