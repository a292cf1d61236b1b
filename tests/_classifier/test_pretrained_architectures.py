"""Pretrained architectures pass what the classifier passes, on patches of 32x32.

`tests/architectures` tests the networks and pickling without the weights' package.
"""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import estimator_checks_generator

from skhisto import EfficientNetLite, KerasApplication, PatchArray, PatchCNNClassifier
from skhisto._keras import compiled_network, inference
from skhisto._keras.pool import NetworkPool

# The whole battery takes minutes: every number of columns is another network. These are
# the checks that a network can break. The others check parameters and input, which no
# network sees, or the accuracy on few rows, which deep networks reach after many epochs.
CHECKS = {
    "check_decision_proba_consistency",
    "check_dict_unchanged",
    "check_estimators_pickle",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
}
ESTIMATOR = PatchCNNClassifier(
    # The rows of the checks are strips of one pixel in height.
    architecture=EfficientNetLite(weights=None, input_size=32),
    epochs=1,
    augment=None,
)


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        (estimator, check)
        for estimator, check in estimator_checks_generator(ESTIMATOR)
        if check.func.__name__ in CHECKS
    ],
    ids=lambda value: getattr(getattr(value, "func", None), "__name__", ""),
)
def test_scikit_learn_check_passes(estimator, check):
    # Random weights take all numbers, not only those in [0, 1].
    check(estimator)


class Source:
    """A source of patches in memory."""

    def __init__(self, X):
        self.X, self.shape, self.dtype = X, X.shape, X.dtype

    def read(self, rows, window):
        return self.X[rows][:, window[0], window[1]]


@pytest.fixture(scope="module")
def patches():
    """24 RGB patches of 32x32 pixels, dark and bright, and their labels."""
    rng = np.random.default_rng(0)
    y = np.arange(24) % 2
    X = rng.integers(0, 120, (24, 32, 32, 3)) + 120 * y[:, None, None, None]
    return X.astype(np.uint8), y


@pytest.fixture
def clf():
    return PatchCNNClassifier(
        architecture=EfficientNetLite(weights=None), epochs=2, random_state=0
    )


@pytest.fixture(scope="module")
def expected(patches):
    clf = PatchCNNClassifier(
        architecture=EfficientNetLite(weights=None), epochs=2, random_state=0
    )
    return clf.fit(*patches)


def assert_same_fit(fitted, expected):
    assert fitted.history_ == expected.history_
    for name, weight in expected.weights_.items():
        assert_array_equal(fitted.weights_[name], weight, err_msg=name)


@pytest.fixture
def new_pool(monkeypatch):
    """Replace the pool by an empty one, and count what is compiled for it."""
    n_compiled = {"training": 0, "inference": 0}

    def counted(cls, kind):
        def make(*args, **kwargs):
            n_compiled[kind] += 1
            return cls(*args, **kwargs)

        return make

    pool = NetworkPool(max_idle=8)
    for module, name, kind in (
        (compiled_network, "CompiledNetwork", "training"),
        (inference, "InferenceNetwork", "inference"),
    ):
        monkeypatch.setattr(module, "POOL", pool)
        monkeypatch.setattr(module, name, counted(getattr(module, name), kind))
    return n_compiled


def test_a_refit_has_the_same_weights_bitwise(clf, patches, expected):
    assert_same_fit(clf.fit(*patches), expected)


def test_a_patch_array_gives_the_same_fit_and_predictions(clf, patches, expected):
    X, y = patches
    lazy = PatchArray(Source(X))
    assert_same_fit(clf.fit(lazy, y), expected)
    assert_array_equal(clf.predict_proba(lazy), expected.predict_proba(X))


def test_patches_of_weight_zero_are_ignored(clf, patches, expected):
    X, y = patches
    X = np.concatenate([X, X[:4]])
    weight = np.repeat([1.0, 0.0], [24, 4])
    clf.fit(X, np.concatenate([y, 1 - y[:4]]), sample_weight=weight)
    assert_same_fit(clf, expected)


def test_early_stopping_keeps_the_weights_of_the_best_epoch(clf, patches):
    clf.set_params(
        early_stopping=True, validation_fraction=0.25, n_iter_no_change=1, epochs=6
    )
    clf.fit(*patches)
    losses = clf.history_["val_loss"]
    assert len(losses) == clf.n_iter_
    assert clf.best_epoch_ == 1 + int(np.argmin(losses))


def test_a_search_and_a_refit_compile_one_network(clf, patches, expected, new_pool):
    X, y = patches
    search = GridSearchCV(
        clf.set_params(epochs=1), {"learning_rate": [1e-3, 1e-2]}, cv=2, refit=False
    )
    search.fit(X, y, sample_weight=1.0 + y)
    # The new network gives bitwise the weights of the network in the pool.
    assert_same_fit(clf.set_params(epochs=2).fit(X, y), expected)
    assert new_pool == {"training": 1, "inference": 1}


@pytest.fixture
def with_weights(tmp_path):
    """A classifier with pretrained weights, from a file."""
    import keras

    path = tmp_path / "mobile.weights.h5"
    keras.applications.MobileNet(
        include_top=False, weights=None, input_shape=(32, 32, 3), pooling="avg"
    ).save_weights(path)
    return PatchCNNClassifier(
        architecture=KerasApplication("MobileNet", weights=path, trainable="head"),
        epochs=1,
        augment=None,
        random_state=0,
    )


MESSAGE = (
    r"X contains numbers from 0 to 2\d\d, but a pretrained network needs pixels "
    r"of dtype uint8 or uint16, or numbers in \[0, 1\]\. .*X\.astype\(np\.uint8\)"
)


@pytest.mark.filterwarnings("error:X contains")
def test_numbers_outside_of_0_to_1_are_an_error_with_pretrained_weights(
    with_weights, patches
):
    X, y = patches
    numbers = X.astype(np.float32)
    clf = with_weights
    for data in (numbers, PatchArray(Source(numbers))):
        with pytest.raises(ValueError, match=MESSAGE):
            clf.fit(data, y)
        assert not hasattr(clf, "weights_")
    with pytest.raises(ValueError, match=MESSAGE):
        clone(clf).fit(X / 255, y, X_val=numbers, y_val=y)
    clf.fit(X / 255, y)
    assert clf.needs_pixels_
    # Predictions do not depend on what the parameter is now.
    clf.set_params(architecture="reference")
    for method in (clf.predict, clf.predict_proba, clf.decision_function):
        with pytest.raises(ValueError, match=MESSAGE):
            method(numbers)
    with pytest.raises(ValueError, match=re.escape("from -0.5 to")):
        clf.predict(X / 255 - 0.5)
    assert clf.predict(X / 255).shape == (24,)
