"""The parameter `batch_size` of the classifier."""

import keras
import pytest

from skhisto._classifier.fitting import _batch_size


@pytest.mark.parametrize(
    ("n_samples", "expected"),
    [(1, 8), (511, 8), (512, 16), (1023, 16), (1024, 32), (2048, 64), (220_025, 64)],
)
def test_auto_makes_smaller_batches_of_few_patches(n_samples, expected):
    assert _batch_size("auto", n_samples) == expected


def test_a_number_is_taken_as_it_is():
    assert _batch_size(100, 5) == 100


def test_a_fit_has_the_steps_of_its_batch_size(tiny_cnn, bright_or_dark):
    class Steps(keras.callbacks.Callback):
        counts = []  # noqa: RUF012  # shared with the copies that fits make

        def on_train_begin(self, logs=None):
            self.counts.append(self.params["steps"])

    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1, callbacks=[Steps()])
    tiny_cnn.set_params(batch_size="auto").fit(X, y)
    tiny_cnn.set_params(batch_size=20).fit(X, y)
    assert Steps.counts == [8, 3]
