"""Perceptual hashes of patches, in all eight views of the square.

The hash of a patch consists of the signs of 64 low-frequency coefficients of its
discrete cosine transform [1]_. A flip changes the sign of the coefficients of odd
frequency, and a transposition transposes the coefficients. Therefore, one transform is
sufficient for the hashes of all eight views.

References
----------
.. [1] C. Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions",
   Master's thesis, Upper Austria University of Applied Sciences, 2010.
"""

import numpy as np

_LEAST_LENGTH = 0.01  # grey levels, below which rounding errors dominate

SIDE = 8  # rows and columns of coefficients
N_BITS = SIDE**2

# Frequency 0 (brightness, and the sums of rows and columns) is left out.
_FREQUENCIES = np.arange(1, SIDE + 1)
_FLIP = np.where(_FREQUENCIES % 2, -1, 1).astype(np.float32)


def coefficients(grey: np.ndarray) -> np.ndarray:
    """Return low-frequency coefficients, scaled to a Euclidean length of 1.

    Parameters
    ----------
    grey : ndarray of shape (n, height, width), float32
        Grey patches of any size.

    Returns
    -------
    coefs : ndarray of shape (n, 8, 8), float16
        Coefficients of frequencies 1 to 8. They do not depend on brightness and
        contrast, and hardly on resolution. All are 0 if the patch has no structure of
        these frequencies. Such patches never match other patches.
    """
    rows, columns = (_cosines(length) for length in grey.shape[1:])
    coefs = rows @ grey @ columns.T / (grey.shape[1] * grey.shape[2])
    length = np.linalg.norm(coefs, axis=(1, 2), keepdims=True)
    scaled = np.divide(
        coefs, length, out=np.zeros_like(coefs), where=length > _LEAST_LENGTH
    )
    return scaled.astype(np.float16)


def eight_views(coefs: np.ndarray) -> np.ndarray:
    """Return the coefficients of the eight views, of shape (n, 8, 8, 8)."""
    views = [
        turned * rows * columns
        for turned in (coefs, coefs.transpose(0, 2, 1))
        for rows in (1, _FLIP[:, np.newaxis])
        for columns in (1, _FLIP)
    ]
    return np.stack(views, axis=1).astype(np.float32)


def hashes(coefs: np.ndarray) -> np.ndarray:
    """Return the signs of coefficients as 64-bit integers.

    Parameters
    ----------
    coefs : ndarray of shape (..., 8, 8)

    Returns
    -------
    hashes : ndarray of shape (...), uint64
    """
    bits = (coefs > 0).reshape(*coefs.shape[:-2], N_BITS)
    return np.packbits(bits, axis=-1).view(np.uint64)[..., 0]


def _cosines(length: int) -> np.ndarray:
    """Return the basis of the transform (type II), of shape (8, length)."""
    pixels = (np.arange(length) + 0.5) / length
    return np.cos(np.pi * np.outer(_FREQUENCIES, pixels)).astype(np.float32)
