"""What colours alone tell: baselines that know nothing of shapes."""

import numpy as np

N_BINS = 16
CENTRE = slice(32, 64)


def colour_features(patches: np.ndarray) -> np.ndarray:
    """Describe the colours of patches, and of their labelled centre.

    Parameters
    ----------
    patches : ndarray of shape (n, 96, 96, 3), uint8

    Returns
    -------
    features : ndarray of shape (n, 126), float32
        Of the patch, then of its centre of 32x32 pixels, for each channel: mean,
        standard deviation, three deciles (10, 50 and 90 %), and a histogram of 16 bins.
    """
    parts = (patches, patches[:, CENTRE, CENTRE])
    return np.hstack([part for pixels in parts for part in _of_pixels(pixels)])


def _of_pixels(patches: np.ndarray) -> list[np.ndarray]:
    pixels = patches.reshape(len(patches), -1, 3).astype(np.float32)
    deciles = np.percentile(pixels, [10, 50, 90], axis=1)
    bins = (pixels * N_BINS / 256).astype(int)
    histogram = [(bins == number).mean(axis=1) for number in range(N_BINS)]
    return [
        feature.astype(np.float32)
        for feature in (pixels.mean(axis=1), pixels.std(axis=1), *deciles, *histogram)
    ]
