"""Fits and predictions depend on what a network is, and not on which object built it."""

import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.base import clone

from skhisto import PatchCNNClassifier, ReferenceCNN
from skhisto._keras.pool import POOL
from skhisto.architectures import Architecture

ACTIVATION = "relu"
FREEZE = False
FACTOR = 2.0


def reads_globals(patch_shape, n_outputs):
    convolution = layers.Conv2D(2, 3, activation=ACTIVATION, name="conv")
    convolution.trainable = not FREEZE
    return keras.Sequential([convolution, layers.Flatten(), layers.Dense(n_outputs)])


def lambda_reads_global(patch_shape, n_outputs):
    scaling = layers.Lambda(lambda x: x * FACTOR)
    return keras.Sequential([scaling, layers.Flatten(), layers.Dense(n_outputs)])


class WithAttribute:
    def __init__(self):
        self.activation, self.freeze = "relu", False

    def __call__(self, patch_shape, n_outputs):
        convolution = layers.Conv2D(2, 3, activation=self.activation, name="conv")
        convolution.trainable = not self.freeze
        return keras.Sequential(
            [convolution, layers.Flatten(), layers.Dense(n_outputs)]
        )


class FreezableCNN(Architecture):
    def __init__(self, *, freeze=False):
        self.freeze = freeze

    def build(self, patch_shape, n_outputs):
        convolution = layers.Conv2D(2, 3, name="conv", trainable=not self.freeze)
        return keras.Sequential(
            [convolution, layers.Flatten(), layers.Dense(n_outputs, name="head")]
        )


def classifier(architecture, **params):
    settings = {"epochs": 1, "batch_size": 16, "augment": None, "random_state": 0}
    return PatchCNNClassifier(architecture=architecture, **settings | params)


def logits_of(clf, X):
    return clf.decision_function(X)


def empty_pool():
    POOL._idle.clear()


def test_a_fit_uses_the_current_value_of_a_global(bright_or_dark, monkeypatch):
    X, y, _ = bright_or_dark
    relu = classifier(reads_globals).fit(X, y)
    monkeypatch.setitem(globals(), "ACTIVATION", "tanh")
    tanh = classifier(reads_globals).fit(X, y)
    assert not np.allclose(logits_of(relu, X), logits_of(tanh, X))
    empty_pool()
    again = classifier(reads_globals).fit(X, y)
    np.testing.assert_array_equal(logits_of(tanh, X), logits_of(again, X))


def test_a_fit_uses_the_current_attribute_of_a_callable_object(bright_or_dark):
    X, y, _ = bright_or_dark
    builder = WithAttribute()
    clf = classifier(builder)
    relu = logits_of(clf.fit(X, y), X)
    builder.activation = "tanh"
    assert not np.allclose(logits_of(clf.fit(X, y), X), relu)


@pytest.mark.parametrize("pooled", [True, False])
def test_a_fitted_classifier_predicts_the_same_whatever_changes_afterwards(
    bright_or_dark, monkeypatch, pooled
):
    X, y, _ = bright_or_dark
    clf = classifier(reads_globals).fit(X, y)
    expected = logits_of(clf, X)
    monkeypatch.setitem(globals(), "ACTIVATION", "tanh")
    if not pooled:
        empty_pool()
    np.testing.assert_array_equal(logits_of(clf, X), expected)
    clf.set_params(architecture=ReferenceCNN(filters=(3,)), epochs=7)
    np.testing.assert_array_equal(logits_of(clf, X), expected)
    clf.architecture = "compact"
    np.testing.assert_array_equal(
        logits_of(pickle.loads(pickle.dumps(clf)), X), expected
    )


def test_a_network_that_is_not_stored_is_an_error_once_it_is_another(
    bright_or_dark, monkeypatch
):
    X, y, _ = bright_or_dark
    with pytest.warns(UserWarning, match="cannot be stored with the classifier"):
        clf = classifier(lambda_reads_global).fit(X, y)
    expected = logits_of(clf, X)
    for change in (lambda: None, empty_pool):
        change()
        np.testing.assert_array_equal(logits_of(clf, X), expected)
    monkeypatch.setitem(globals(), "FACTOR", 3.0)
    for change in (lambda: None, empty_pool):
        change()
        with pytest.raises(ValueError, match="does not build the network that this"):
            clf.predict(X)
    with pytest.warns(UserWarning, match="cannot be stored"):
        other = clone(clf).fit(X, y)
    assert not np.allclose(logits_of(other, X), expected)


def frozen_by_global(freeze, monkeypatch):
    monkeypatch.setitem(globals(), "FREEZE", freeze)
    return reads_globals


def frozen_by_parameter(freeze, monkeypatch):
    return FreezableCNN(freeze=freeze)


ONE_OBJECT = WithAttribute()


def frozen_by_attribute(freeze, monkeypatch):
    ONE_OBJECT.freeze = freeze
    return ONE_OBJECT


@pytest.mark.parametrize(
    "architecture", [frozen_by_global, frozen_by_parameter, frozen_by_attribute]
)
def test_exactly_the_right_weights_move_when_a_layer_is_frozen_and_unfrozen(
    bright_or_dark, monkeypatch, architecture
):
    X, y, _ = bright_or_dark

    def fitted(freeze):
        before = dict(getattr(clf, "weights_", {}))
        clf.set_params(architecture=architecture(freeze, monkeypatch)).fit(X, y)
        return {
            name
            for name, weight in clf.weights_.items()
            if name in before and not np.array_equal(weight, before[name])
        }

    clf = classifier(None, warm_start=True, learning_rate=0.003)
    fitted(freeze=False)
    everything = set(clf.weights_)
    assert fitted(freeze=True) == {n for n in everything if not n.startswith("conv/")}
    assert fitted(freeze=False) == everything
    assert fitted(freeze=True) == {n for n in everything if not n.startswith("conv/")}


def test_a_warm_start_with_another_network_is_an_error_that_names_the_difference(
    bright_or_dark,
):
    X, y, _ = bright_or_dark
    narrow = ReferenceCNN(filters=(2,), dense_units=2)
    clf = classifier(narrow, warm_start=True).fit(X, y)
    weights = clf.weights_
    clf.set_params(architecture__dense_units=3)
    with pytest.raises(
        ValueError, match=r"other weights: 'dense/kernel' has the shape \(32, 3\) inst"
    ):
        clf.fit(X, y)
    assert clf.weights_ is weights
    with pytest.raises(ValueError, match="partial_fit on a clone"):
        clf.partial_fit(X, y)


class Scheduled(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        decay = keras.optimizers.schedules.CosineDecay(0.1, 10)
        self.model.optimizer.learning_rate = decay


class Recompiled(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.compile(optimizer="sgd", loss="mse")


class Unfreezing(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.layers[-1].trainable = False


class LessDropout(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.get_layer("dense_dropout").rate = 0.1


class MoreDecay(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.weight_decay = 0.5


class OwnStep(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.train_step = lambda data: {}


class Eager(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.run_eagerly = True


class Failing(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.model.layers[-1].trainable = False
        raise KeyError("callback")


def failing_augmentation(patches, rng):
    raise KeyError("data")


def failing_builder(patch_shape, n_outputs):
    layers.Dense(3)
    raise KeyError("builder")


UNRELATED = {"architecture": ReferenceCNN(filters=(2,), dense_units=4), "epochs": 2}
CHANGES = {
    "a schedule": ({"callbacks": [Scheduled()]}, ValueError, "its learning rate"),
    "compile": ({"callbacks": [Recompiled()]}, ValueError, "its optimizer"),
    "trainable": ({"callbacks": [Unfreezing()]}, ValueError, "its trainable flags"),
    "a layer": ({"callbacks": [LessDropout()]}, ValueError, "its layers"),
    "the optimizer": ({"callbacks": [MoreDecay()]}, ValueError, "optimizer's settings"),
    "a train step": ({"callbacks": [OwnStep()]}, ValueError, "its training step"),
    "eager steps": ({"callbacks": [Eager()]}, ValueError, "its training step"),
    "exception": ({"callbacks": [Failing()]}, KeyError, "callback"),
    "exception in data": ({"augment": failing_augmentation}, KeyError, "data"),
    "exception in builder": ({"architecture": failing_builder}, KeyError, "builder"),
}

SCRIPT = """
import sys
import numpy as np
from skhisto import PatchCNNClassifier, ReferenceCNN

data = np.load(sys.argv[1])
clf = PatchCNNClassifier(
    architecture=ReferenceCNN(filters=(2,), dense_units=4),
    epochs=2, batch_size=16, augment=None, random_state=0,
).fit(data["X"], data["y"])
np.savez(sys.argv[2], *clf.weights_.values())
"""


@pytest.fixture(scope="module")
def fresh_weights(bright_or_dark, tmp_path_factory):
    """Weights of an unrelated fit in a process that has done nothing else."""
    X, y, _ = bright_or_dark
    folder = tmp_path_factory.mktemp("fresh")
    np.savez(folder / "data.npz", X=X, y=y)
    arguments = [str(folder / name) for name in ("data.npz", "weights.npz")]
    subprocess.run([sys.executable, "-c", SCRIPT, *arguments], check=True)
    with np.load(arguments[1]) as weights:
        return [weights[name] for name in weights.files]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_during_a_fit_is_an_error_and_does_not_reach_the_next_fit(
    bright_or_dark, fresh_weights, change
):
    X, y, _ = bright_or_dark
    params, error, message = CHANGES[change]
    with pytest.raises(error, match=message):
        classifier(**UNRELATED | params).fit(X, y)
    weights = classifier(**UNRELATED).fit(X, y).weights_
    for value, fresh in zip(weights.values(), fresh_weights, strict=True):
        np.testing.assert_array_equal(value, fresh)


def two_equal_layers(trained):
    def build(patch_shape, n_outputs):
        a, b = (layers.Dense(8, name=name) for name in "ab")
        a.trainable, b.trainable = trained == "a", trained == "b"
        stack = [layers.Flatten(), layers.Dense(8, trainable=False), a, b]
        return keras.Sequential([*stack, layers.Dense(n_outputs)])

    return build


def test_the_optimizer_starts_again_if_other_weights_of_equal_shape_are_trained(
    bright_or_dark,
):
    X, y, _ = bright_or_dark
    clf = classifier(two_equal_layers("a"), warm_start=True).fit(X, y)
    n_steps = clf.optimizer_state_["adam/iteration"]
    clf.fit(X, y)
    assert clf.optimizer_state_["adam/iteration"] == 2 * n_steps
    clf.set_params(architecture=two_equal_layers("b")).fit(X, y)
    assert clf.optimizer_state_["adam/iteration"] == n_steps


def clears_session(patch_shape, n_outputs):
    keras.backend.clear_session()
    return reads_globals(patch_shape, n_outputs)


def test_a_precision_without_effect_gets_a_warning(bright_or_dark):
    X, y, _ = bright_or_dark
    with pytest.warns(UserWarning, match=r"precision='bfloat16' has no effect"):
        clf = classifier(clears_session, precision="bfloat16").fit(X, y)
    assert clf.precision_ == "float32"


class RateByNumber(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.model.optimizer.learning_rate = 0.5


@pytest.mark.parametrize(
    "callbacks", [[RateByNumber()], {"ReduceLROnPlateau": {"monitor": "loss"}}, None]
)
def test_other_callbacks_leave_the_compiled_network_for_the_next_fit(
    bright_or_dark, fresh_weights, callbacks
):
    X, y, _ = bright_or_dark
    empty_pool()
    classifier(**UNRELATED, callbacks=callbacks).fit(X, y)
    weights = classifier(**UNRELATED).fit(X, y).weights_
    kinds = [key[0] for key, _ in POOL._idle]
    assert kinds.count("training") == 1
    for value, fresh in zip(weights.values(), fresh_weights, strict=True):
        np.testing.assert_array_equal(value, fresh)


def test_a_fit_that_diverges_leaves_the_compiled_network_for_the_next_fit(
    bright_or_dark, fresh_weights
):
    X, y, _ = bright_or_dark
    empty_pool()
    with pytest.raises(ValueError, match="Training has diverged"):
        classifier(**UNRELATED, learning_rate=1e30).fit(X, y)
    weights = classifier(**UNRELATED).fit(X, y).weights_
    assert [key[0] for key, _ in POOL._idle].count("training") == 1
    for value, fresh in zip(weights.values(), fresh_weights, strict=True):
        np.testing.assert_array_equal(value, fresh)


def test_equal_architectures_of_any_form_share_a_compiled_network(bright_or_dark):
    X, y, _ = bright_or_dark
    empty_pool()
    for architecture in (
        ReferenceCNN(filters=[2], dense_units=np.int64(4)),
        ReferenceCNN(filters=(2,), dense_units=4),
        lambda shape, n: ReferenceCNN(filters=(2,), dense_units=4).build(shape, n),
    ):
        clone(classifier(architecture)).fit(X, y)
    assert [key[0] for key, _ in POOL._idle].count("training") == 1


def test_the_builder_is_called_once_for_each_fit(bright_or_dark):
    X, y, _ = bright_or_dark
    calls = []

    def counting(patch_shape, n_outputs):
        calls.append(patch_shape)
        return reads_globals(patch_shape, n_outputs)

    clf = classifier(counting, early_stopping=True).fit(X, y)
    clf.predict(X)
    clf.model_.summary(print_fn=lambda *args: None)
    assert calls == [(12, 12, 3)]


def test_a_network_from_a_file_predicts_without_the_file(bright_or_dark, tmp_path):
    X, y, _ = bright_or_dark
    path = tmp_path / "network.keras"
    network = ReferenceCNN(filters=(2,), dense_units=2).build((12, 12, 3), 1)
    network.build((None, 12, 12, 3))
    network.save(path)

    def loaded(patch_shape, n_outputs):
        return keras.models.load_model(path)

    with pytest.warns(UserWarning, match="has no effect"):
        clf = classifier(loaded, precision="bfloat16").fit(X, y)
    assert clf.precision_ == "float32"
    expected = logits_of(clf, X)
    path.unlink()
    empty_pool()
    np.testing.assert_array_equal(logits_of(clf, X), expected)
