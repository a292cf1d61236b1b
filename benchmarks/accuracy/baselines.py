"""Baselines: colours without shapes, and a typical notebook with stock Keras."""

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from benchmarks.networks import keras_network

N_BINS = 16
CENTRE = slice(32, 64)


def colour_features(patches: np.ndarray) -> np.ndarray:
    """Describe the colours of patches and of their labelled centre.

    Parameters
    ----------
    patches : ndarray of shape (n, 96, 96, 3), uint8

    Returns
    -------
    features : ndarray of shape (n, 126), float32
        For the patch and for its centre of 32x32 pixels, in each channel: mean,
        standard deviation, deciles (10, 50 and 90 %), and a histogram of 16 bins.
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


class NotebookClassifier(ClassifierMixin, BaseEstimator):
    """The reference network with the defaults of Keras.

    Parameters
    ----------
    epochs : int, default=3
    random_state : int, default=0
        Seed of all generators of the process, as in notebooks.
    """

    def __init__(self, epochs: int = 3, random_state: int = 0) -> None:
        self.epochs = epochs
        self.random_state = random_state

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Train on patches of shape (n, 96, 96, 3), uint8, with labels 0 and 1."""
        import keras

        keras.utils.set_random_seed(self.random_state)
        self.classes_ = np.unique(y)
        self.model_ = keras_network(momentum=0.99)
        self.model_.compile(optimizer="adam", loss="binary_crossentropy")
        self.model_.fit(X, y, epochs=self.epochs, verbose=0)
        return self

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        """Return the probabilities of both classes."""
        proba = self.model_.predict(X, verbose=0)
        return np.hstack([1 - proba, proba])
