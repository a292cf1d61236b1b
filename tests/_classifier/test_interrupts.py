"""What an interrupt or a divergence leaves on a classifier."""

import os
import signal

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skhisto import CenterCrop
from skhisto._keras.compiled_network import CompiledNetwork

pytestmark = pytest.mark.usefixtures("ctrl_c")


def interrupt_in(epoch):
    """A callback that acts as Ctrl-C does, after the third batch of an epoch."""
    now = [None]

    def begin(number, logs):
        now[0] = number

    def interrupt(batch, logs):
        if (now[0], batch) == (epoch - 1, 2):
            os.kill(os.getpid(), signal.SIGINT)

    return keras.callbacks.LambdaCallback(
        on_epoch_begin=begin, on_train_batch_end=interrupt
    )


def assert_same_weights(classifier, other):
    assert classifier.weights_.keys() == other.weights_.keys()
    for name, weight in classifier.weights_.items():
        np.testing.assert_array_equal(weight, other.weights_[name])


def test_ctrl_c_keeps_the_last_complete_epoch(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    expected = clone(tiny_cnn).set_params(epochs=2).fit(X, y)
    with pytest.raises(KeyboardInterrupt):
        tiny_cnn.set_params(callbacks=[interrupt_in(3)]).fit(X, y)
    assert_same_weights(tiny_cnn, expected)
    assert tiny_cnn.history_ == expected.history_
    assert vars(tiny_cnn).keys() == vars(expected).keys()
    np.testing.assert_array_equal(tiny_cnn.predict(X), expected.predict(X))


def test_ctrl_c_keeps_the_best_epoch_of_early_stopping(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    # Validation labels are wrong: the first epochs are the best ones.
    validation = {"X_val": X, "y_val": 1 - y}
    tiny_cnn.set_params(early_stopping=True, callbacks=[interrupt_in(6)])
    with pytest.raises(KeyboardInterrupt):
        tiny_cnn.fit(X, y, **validation)
    losses = tiny_cnn.history_["val_loss"]
    assert tiny_cnn.n_iter_ == len(losses) == 5
    assert tiny_cnn.best_epoch_ == np.argmin(losses) + 1 < 5
    loss = log_loss(1 - y, tiny_cnn.predict_proba(X))
    assert loss == pytest.approx(min(losses), rel=1e-4)


def test_before_the_first_complete_epoch_ctrl_c_changes_nothing(
    tiny_cnn, bright_or_dark
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(callbacks=[interrupt_in(1)])
    with pytest.raises(KeyboardInterrupt):
        tiny_cnn.fit(X, y)
    assert not hasattr(tiny_cnn, "weights_")
    tiny_cnn.set_params(callbacks=None, epochs=1).fit(X, y)
    for warm_start in (False, True):
        tiny_cnn.set_params(callbacks=[interrupt_in(2 if warm_start else 1)])
        before = dict(vars(tiny_cnn.set_params(warm_start=warm_start)))
        with pytest.raises(KeyboardInterrupt):
            tiny_cnn.fit(X, y)
        assert vars(tiny_cnn).keys() == before.keys()
        assert all(vars(tiny_cnn)[name] is value for name, value in before.items())


def test_after_ctrl_c_a_warm_start_continues(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(warm_start=True, epochs=4)
    expected = clone(tiny_cnn).fit(X, y)
    with pytest.raises(KeyboardInterrupt):
        tiny_cnn.set_params(callbacks=[interrupt_in(3)]).fit(X, y)
    tiny_cnn.set_params(callbacks=None, epochs=2).fit(X, y)
    assert_same_weights(tiny_cnn, expected)


def test_ctrl_c_after_the_last_epoch_keeps_it(tiny_cnn, bright_or_dark, monkeypatch):
    X, y, _ = bright_or_dark
    expected = clone(tiny_cnn).set_params(epochs=2).fit(X, y)
    measure, calls = CompiledNetwork.estimate_statistics, []

    def interrupted_once(self, *args):
        calls.append(args)
        if len(calls) == 1:
            raise KeyboardInterrupt
        measure(self, *args)

    monkeypatch.setattr(CompiledNetwork, "estimate_statistics", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        tiny_cnn.set_params(epochs=2).fit(X, y)
    assert_same_weights(tiny_cnn, expected)


def test_ctrl_c_stops_a_serial_search_at_once(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    fits = []
    begin = keras.callbacks.LambdaCallback(on_train_begin=fits.append)
    tiny_cnn.set_params(epochs=3, callbacks=[begin, interrupt_in(2)])
    search = GridSearchCV(tiny_cnn, {"batch_size": [8, 10]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        search.fit(X, y)
    assert len(fits) == 1


def test_ctrl_c_leaves_a_fitted_pipeline(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    pipeline = make_pipeline(CenterCrop(10), tiny_cnn)
    with pytest.raises(KeyboardInterrupt):
        pipeline.set_params(patchcnnclassifier__callbacks=[interrupt_in(2)]).fit(X, y)
    assert pipeline[-1].n_iter_ == 1
    assert pipeline.predict(X).shape == (60,)


class SetWeights(keras.callbacks.Callback):
    """Sets all weights to a value after an epoch."""

    def __init__(self, epoch, value):
        super().__init__()
        self.epoch, self.value = epoch, value

    def on_epoch_end(self, epoch, logs=None):
        if epoch == self.epoch - 1:
            weights = self.model.get_weights()
            self.model.set_weights([np.full_like(w, self.value) for w in weights])


def explode(epoch, rate):
    return 1e30 if epoch == 2 else rate


DIVERGING = {
    "learning rate": [keras.callbacks.LearningRateScheduler(explode)],
    "TerminateOnNaN": [
        keras.callbacks.LearningRateScheduler(explode),
        keras.callbacks.TerminateOnNaN(),
    ],
    "weights": [SetWeights(3, np.nan)],
    "large weights": [SetWeights(3, 1e25)],
}


@pytest.mark.parametrize(
    ("cause", "early_stopping"),
    [
        *((cause, False) for cause in DIVERGING),
        ("learning rate", True),
        ("weights", True),
    ],
)
def test_divergence_keeps_the_last_finite_epoch_and_warns(
    tiny_cnn, bright_or_dark, cause, early_stopping
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(optimizer="sgd", early_stopping=early_stopping, tol=0)
    expected = clone(tiny_cnn).set_params(epochs=2).fit(X, y)
    tiny_cnn.set_params(callbacks=DIVERGING[cause])
    with pytest.warns(
        ConvergenceWarning, match=r"diverged: .* weights of epoch 2, the"
    ):
        tiny_cnn.fit(X, y)
    assert_same_weights(tiny_cnn, expected)
    assert tiny_cnn.history_ == expected.history_
    assert tiny_cnn.best_epoch_ == expected.best_epoch_
    np.testing.assert_array_equal(tiny_cnn.predict_proba(X), expected.predict_proba(X))


def test_divergence_in_the_first_epoch_of_a_fit_is_an_error(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1, warm_start=True, optimizer="sgd").fit(X, y)
    before = dict(vars(tiny_cnn))
    tiny_cnn.set_params(callbacks=[SetWeights(2, np.nan)])
    with pytest.raises(ValueError, match="diverged: after epoch 2, weights are not"):
        tiny_cnn.fit(X, y)
    assert tiny_cnn.weights_ is before["weights_"]


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_a_classifier_is_fitted_also_where_warnings_are_errors(
    tiny_cnn, bright_or_dark
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(callbacks=[SetWeights(3, np.nan)])
    with pytest.raises(ConvergenceWarning):
        tiny_cnn.fit(X, y)
    assert tiny_cnn.n_iter_ == 2


def test_weights_that_a_callback_breaks_at_the_very_end_are_not_kept(
    tiny_cnn, bright_or_dark
):
    X, y, _ = bright_or_dark

    class Break(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            weights = self.model.get_weights()
            self.model.set_weights([np.full_like(w, np.nan) for w in weights])

    expected = clone(tiny_cnn).set_params(epochs=2).fit(X, y)
    tiny_cnn.set_params(epochs=2, callbacks=[Break()])
    with pytest.warns(ConvergenceWarning, match="after epoch 2, weights are not"):
        tiny_cnn.fit(X, y)
    assert_same_weights(tiny_cnn, expected)


def test_an_epoch_copies_the_weights_once(tiny_cnn, bright_or_dark, monkeypatch):
    X, y, _ = bright_or_dark
    read, calls = CompiledNetwork.weights.fget, []

    def counted(self):
        calls.append(1)
        return read(self)

    monkeypatch.setattr(CompiledNetwork, "weights", property(counted))
    tiny_cnn.set_params(epochs=5).fit(X, y)
    assert len(calls) == 5 + 1  # and once after the statistics have been measured
