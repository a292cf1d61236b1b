"""What most notebooks do, by hand and with stock Keras."""

from typing import Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from benchmarks.networks import keras_network


class NotebookClassifier(ClassifierMixin, BaseEstimator):
    """The reference network with Adam, batches and batch norm as Keras has them.

    Parameters
    ----------
    epochs : int, default=3
    random_state : int, default=0
        Seeds the generators of the whole process, as notebooks do.
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
