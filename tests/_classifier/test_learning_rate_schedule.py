"""The parameter `learning_rate_schedule` of the classifier."""

import keras
import numpy as np
import pytest

from skhisto._keras.schedules import learning_rates


class Spy(keras.callbacks.Callback):
    """Remembers the learning rate of every step."""

    rates: list[float] = []  # noqa: RUF012  # shared with the copies that fits make

    def on_train_batch_end(self, batch, logs=None):
        self.rates.append(float(self.model.optimizer.learning_rate))


@pytest.fixture
def rates():
    """Learning rates that a `Spy` has seen."""
    Spy.rates.clear()
    return Spy.rates


@pytest.mark.parametrize("schedule", ["cosine", "one_cycle"])
def test_the_learning_rate_follows_the_schedule_over_all_steps_of_a_fit(
    tiny_cnn, bright_or_dark, rates, schedule
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(
        learning_rate_schedule=schedule, epochs=3, batch_size=20, callbacks=[Spy()]
    )
    tiny_cnn.fit(X, y)
    np.testing.assert_allclose(rates, learning_rates(schedule, 0.01, 9), rtol=1e-6)


def test_by_default_the_learning_rate_is_constant(tiny_cnn, bright_or_dark, rates):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=2, callbacks=[Spy()]).fit(X, y)
    np.testing.assert_allclose(rates, 0.01, rtol=1e-6)


def test_each_fit_of_a_warm_start_has_a_schedule_of_its_own(
    tiny_cnn, bright_or_dark, rates
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(
        learning_rate_schedule="cosine", epochs=1, warm_start=True, callbacks=[Spy()]
    )
    tiny_cnn.fit(X, y).fit(X, y)
    assert rates[:4] == rates[4:]
    assert tiny_cnn.n_iter_ == 2


def test_partial_fit_knows_no_end_and_keeps_the_learning_rate(
    tiny_cnn, bright_or_dark, rates
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(learning_rate_schedule="cosine", callbacks=[Spy()])
    tiny_cnn.partial_fit(X, y, classes=[0, 1])
    np.testing.assert_allclose(rates, 0.01, rtol=1e-6)


@pytest.mark.parametrize(
    "callback",
    [
        {"ReduceLROnPlateau": {"monitor": "loss"}},
        [keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)],
    ],
)
def test_a_callback_that_sets_the_learning_rate_too_is_an_error(
    tiny_cnn, bright_or_dark, callback
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(learning_rate_schedule="one_cycle", callbacks=callback)
    with pytest.raises(ValueError, match=r"would both set the learning rate"):
        tiny_cnn.fit(X, y)
    tiny_cnn.set_params(learning_rate_schedule="constant", epochs=1).fit(X, y)
