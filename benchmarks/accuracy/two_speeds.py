"""Fine-tuning in which the head of a pretrained network learns before or faster."""

from typing import Any, Self

import numpy as np

from skhisto import PatchCNNClassifier


class HeadFirst(PatchCNNClassifier):
    """A classifier that trains the head for one epoch, and then the whole network."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Train twice, through `warm_start`."""
        whole = self.get_params()
        head = {"architecture__trainable": "head", "epochs": 1, "learning_rate": 1e-2}
        self.set_params(**head)
        super().fit(X, y)
        self.set_params(**{name: whole.get(name, "all") for name in head})
        self.set_params(warm_start=True)
        return super().fit(X, y)


class SlowBackbone(PatchCNNClassifier):
    """A classifier whose pretrained layers learn at a third of the learning rate."""

    def fit(self, X: np.ndarray, y: np.ndarray) -> Self:
        """Train with AdamW at two learning rates."""
        self.set_params(optimizer=_two_speeds())
        return super().fit(X, y)


def _two_speeds() -> str:
    import keras

    class TwoSpeeds(keras.optimizers.AdamW):
        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
            is_head = "logits" in variable.name
            super().update_step(
                gradient, variable, learning_rate if is_head else learning_rate / 3
            )

    keras.saving.register_keras_serializable("benchmarks")(TwoSpeeds)
    return "benchmarks>TwoSpeeds"
