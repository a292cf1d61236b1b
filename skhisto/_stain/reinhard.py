"""Stain normalisation by Reinhard's method.

The method works in a colour space with nearly uncorrelated channels. In each channel,
it shifts and scales the pixels to the mean and the standard deviation of a reference.

References
----------
.. [1] E. Reinhard, M. Ashikhmin, B. Gooch and P. Shirley, "Color transfer between
   images", IEEE Computer Graphics and Applications 21(5), 34-41, 2001.
   https://doi.org/10.1109/38.946629
.. [2] D. L. Ruderman, T. W. Cronin and C.-C. Chiao, "Statistics of cone responses to
   natural images: implications for visual coding", Journal of the Optical Society of
   America A 15(8), 2036-2045, 1998. https://doi.org/10.1364/JOSAA.15.002036
.. [3] HistomicsTK, `histomicstk.preprocessing.color_normalization.reinhard`. Its
   parameter `mask_out` excludes the background from the statistics and from the change.
   https://github.com/DigitalSlideArchive/HistomicsTK
"""

import numpy as np
from numpy.typing import NDArray

from skhisto._stain.method import MAX_SCALE, Estimates, Measurement, Method
from skhisto._stain.tissue_mask import (
    Floats,
    Patches,
    as_columns,
    as_planes,
    density_planes,
    has_tissue,
    is_tissue,
    strength_of,
    tissue_share,
)

LMS_FROM_RGB = np.array(
    [[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]],
    dtype=np.float32,
)
"""Matrix from RGB intensities to cone responses [1]_."""

LAB_FROM_LMS = (
    np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]]) / np.sqrt([[3], [6], [2]])
).astype(np.float32)
"""Matrix from logarithms of cone responses to l (luminance), alpha (yellow to blue) and
beta (red to green). Its rows have unit length [2]_."""

RGB_FROM_LMS = np.linalg.inv(LMS_FROM_RGB)
LMS_FROM_LAB = LAB_FROM_LMS.T  # it is a rotation

MIN_STD = 0.001
"""Minimum standard deviation in decadic logarithms, a choice of this package.

It is the standard deviation of the rounding error of 8-bit pixels at medium grey,
0.29 / 128 / ln(10). Scaling up a smaller deviation would amplify rounding errors.
"""

MAX_LOGARITHM = 80
"""Natural logarithm that is far above white and does not overflow in float32."""

TRANSITION = (0.05, 0.45)
"""Start and end of the transition from glass to tissue, in lengths of the density.

Glass is not changed. A sharp threshold would create edges in pale tissue.
"""


def measure_reinhard(patches: Patches, white: Floats) -> Measurement:
    """Measure means and standard deviations of l, alpha and beta.

    Parameters
    ----------
    patches : ndarray of shape (n_patches, height, width, 3), uint8
        RGB patches. Each patch is measured separately.
    white : ndarray of shape (n_patches, 3)
        Colour of glass in each patch. Intensities are scaled so that glass is 255.

    Returns
    -------
    measurement : Measurement
        The estimates are the means and the standard deviations over tissue in decadic
        logarithms, shape (n_patches, 3) each.
    """
    strength = strength_of(density_planes(patches, white))
    tissue = is_tissue(strength)
    enough = has_tissue(tissue)
    planes = lab_from_rgb(as_planes(patches), white)
    rows = np.flatnonzero(enough)
    found_means, found_stds = moments(planes[rows], tissue[rows])
    varied = np.all(found_stds >= MIN_STD, axis=1)
    means, stds = np.full((2, len(patches), 3), np.nan)
    means[rows[varied]] = found_means[varied]
    stds[rows[varied]] = found_stds[varied]
    return Measurement(planes, strength, (means, stds), ~enough)


def recolour_reinhard(
    lab: Floats,
    strength: Floats,
    estimates: Estimates,
    reference: Estimates,
    white: Floats,
) -> NDArray[np.uint8]:
    """Shift and scale the colours of tissue to the statistics of a reference [1]_.

    Parameters
    ----------
    lab : ndarray of shape (n_patches, 3, n_pixels)
        Planes of l, alpha and beta.
    strength : ndarray of shape (n_patches, n_pixels)
        Length of the optical density of the pixels. Tissue is recoloured and glass is
        not [3]_, with a smooth transition.
    estimates : tuple of ndarray
        Means and standard deviations of the patches.
    reference : tuple of ndarray
        Means and standard deviations of the reference, shape (3,) each.
    white : ndarray of shape (n_patches, 3)
        Colour of glass in each patch. It is kept.

    Returns
    -------
    rgb : ndarray of shape (n_patches, 3, n_pixels), uint8
        Planes of the recoloured pixels.
    """
    own_means, own_stds = estimates
    means, stds = reference
    scale = np.minimum(stds / own_stds, MAX_SCALE)
    change = lab * as_columns(scale - 1) + as_columns(means - scale * own_means)
    change *= tissue_share(strength, *TRANSITION)[:, None]
    return rgb_from_lab(lab + change, white)


def lab_from_rgb(rgb: NDArray[np.uint8], white: Floats) -> Floats:
    """Convert planes of RGB to planes of l, alpha and beta, float32.

    Intensities of 0 are replaced by 1 to avoid a logarithm of 0. Intensities are scaled
    so that `white`, shape (n, 3), becomes 255.
    """
    lms_from_rgb = LMS_FROM_RGB * (255 / white).astype(np.float32)[:, None]
    lms = lms_from_rgb @ np.maximum(rgb, 1).astype(np.float32)
    return LAB_FROM_LMS @ np.log10(lms)


def rgb_from_lab(lab: Floats, white: Floats) -> NDArray[np.uint8]:
    """Invert `lab_from_rgb`, with values rounded and clipped to [0, 255]."""
    logarithms = (np.float32(np.log(10)) * LMS_FROM_LAB) @ lab
    rgb_from_lms = RGB_FROM_LMS * as_columns(white / 255)
    rgb = rgb_from_lms @ np.exp(np.minimum(logarithms, MAX_LOGARITHM))
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def moments(lab: Floats, tissue: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return means and standard deviations over tissue, shape (n, 3), float64."""
    weights = tissue.astype(np.float32)[:, :, None]
    total = weights.sum(axis=1, keepdims=True, dtype=np.float64)
    means = (lab @ weights) / total
    deviations = lab - means.astype(np.float32)
    variances = ((deviations * deviations) @ weights) / total
    return means[:, :, 0], np.sqrt(variances)[:, :, 0]


def _unchanged(estimates: Estimates) -> Estimates:
    """Return the medians, which are valid means and standard deviations."""
    return estimates


REINHARD = Method(
    measure_reinhard,
    recolour_reinhard,
    ("means", "stds"),
    "too little variation in colour",
    _unchanged,
)
