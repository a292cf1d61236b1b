"""Measures of single images: contrast, sharpness, glass and ink."""

import numpy as np

_LUMINANCE = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_LAG = 4  # pixels


class Scale:
    """Conversion of pixels of any dtype to the range from 0 to 255.

    For dtypes other than uint8 and uint16, the range is assumed to be 0 to 1 if the
    first patches do not exceed 1, and 0 to 255 otherwise.
    """

    def __init__(self) -> None:
        self._factor: float | None = None

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Return images as float32."""
        if images.dtype == np.uint8:
            return images.astype(np.float32)
        if images.dtype == np.uint16:
            return images.astype(np.float32) / 257
        if self._factor is None:
            self._factor = 255.0 if images.max(initial=0) <= 1 else 1.0
        return images.astype(np.float32) * np.float32(self._factor)


def to_grey(images: np.ndarray) -> np.ndarray:
    """Return the luminance of RGB and RGBA images, or the mean of other channels."""
    if images.shape[3] >= 3:
        return images[..., :3] @ _LUMINANCE
    return images.mean(axis=3)


def contrast(images: np.ndarray) -> np.ndarray:
    """Return the standard deviation of the pixels, the maximum over the channels."""
    # Planes are used because reductions over interleaved channels are much slower.
    planes = np.ascontiguousarray(np.moveaxis(images, 3, 1))
    return planes.reshape(*planes.shape[:2], -1).std(axis=2).max(axis=1)


def sharpness(grey: np.ndarray) -> np.ndarray:
    """Return how much adjacent pixels differ, relative to pixels 4 apart.

    The measure compares a patch with itself, so it hardly depends on contrast,
    brightness and the amount of tissue. It is 0.25 for a patch without fine details and
    1 for noise. It is NaN for patches that are too small or of a single colour.
    """
    if min(grey.shape[1:]) <= _LAG:
        return np.full(len(grey), np.nan)
    near, far = _difference(grey, 1), _difference(grey, _LAG)
    return np.divide(near, far, out=np.full_like(far, np.nan), where=far > 0)


def _difference(grey: np.ndarray, lag: int) -> np.ndarray:
    """Return the sum of the mean vertical and horizontal absolute differences."""
    vertical = np.abs(grey[:, lag:] - grey[:, :-lag]).mean(axis=(1, 2))
    return vertical + np.abs(grey[:, :, lag:] - grey[:, :, :-lag]).mean(axis=(1, 2))


def glass_share(images: np.ndarray) -> np.ndarray:
    """Return the share of bright, colourless pixels. NaN unless RGB or RGBA."""
    if images.shape[3] < 3:
        return np.full(len(images), np.nan)
    low, high = _extremes(images)
    return ((high >= 180) & (high - low <= 30)).mean(axis=(1, 2))


def ink_share(images: np.ndarray) -> np.ndarray:
    """Return the share of ink pixels, see `is_ink`. NaN unless RGB or RGBA."""
    if images.shape[3] < 3:
        return np.full(len(images), np.nan)
    return is_ink(images).mean(axis=(1, 2))


def is_ink(images: np.ndarray) -> np.ndarray:
    """Return which pixels have the colour of green, blue or black ink.

    Haematoxylin and eosin absorb green more than red. Green and blue ink absorb red
    more than green. Black ink absorbs all three.

    Parameters
    ----------
    images : ndarray of shape (..., n_channels), float32
        RGB or RGBA from 0 to 255.

    Returns
    -------
    ink : ndarray of shape (...), bool
    """
    low, high = _extremes(images)
    coloured = (images[..., 1] - images[..., 0] > 20) & (low < 150)
    black = (high < 50) & (high - low < 25)
    return coloured | black


def _extremes(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest of red, green and blue."""
    # Pairwise, because reductions over an axis of length 3 are several times slower.
    red, green, blue = (images[..., i] for i in range(3))
    low = np.minimum(np.minimum(red, green), blue)
    return low, np.maximum(np.maximum(red, green), blue)
