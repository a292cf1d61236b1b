"""The parameter `engine` of the classifier."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone

pytest.importorskip("openvino")


@pytest.fixture(scope="module")
def data(bright_or_dark):
    X, y, _ = bright_or_dark
    return X, y


@pytest.fixture
def fitted(tiny_cnn, data):
    return clone(tiny_cnn).set_params(random_state=0, epochs=2).fit(*data)


def test_the_engine_may_be_changed_after_fit(fitted, data):
    X, _ = data
    expected = fitted.predict_proba(X)
    fitted.set_params(engine="openvino", tta="d4")
    rotated = np.rot90(X, axes=(1, 2))
    assert_array_equal(fitted.predict_proba(rotated), fitted.predict_proba(X))
    fitted.set_params(tta=None)
    assert_allclose(fitted.predict_proba(X), expected, atol=1e-5)
    assert not np.array_equal(fitted.predict_proba(X), expected)
    fitted.set_params(engine="keras")
    assert_array_equal(fitted.predict_proba(X), expected)


def test_training_and_validation_keep_to_keras(fitted, data):
    X, y = data
    other = clone(fitted).set_params(engine="openvino", early_stopping=True)
    same = clone(fitted).set_params(early_stopping=True)
    other.fit(X, y)
    assert other.history_ == same.fit(X, y).history_
    for weight, expected in zip(
        other.weights_.values(), same.weights_.values(), strict=True
    ):
        assert_array_equal(weight, expected)


def test_a_classifier_that_has_predicted_with_an_engine_is_plain_data(fitted, data):
    X, _ = data
    before = set(vars(fitted))
    fitted.set_params(engine="openvino")
    expected = fitted.predict_proba(X)
    assert set(vars(fitted)) == before
    loaded = pickle.loads(pickle.dumps(fitted))
    assert loaded.engine == clone(fitted).engine == "openvino"
    assert_array_equal(loaded.predict_proba(X), expected)
    skops = pytest.importorskip("skops.io")
    assert_array_equal(
        skops.loads(
            skops.dumps(fitted),
            trusted=["skhisto.PatchCNNClassifier", "skhisto.ReferenceCNN"],
        ).predict_proba(X),
        expected,
    )


def test_an_unknown_engine_is_an_error(fitted, data):
    with pytest.raises(ValueError, match="The 'engine' parameter"):
        fitted.set_params(engine="torch").predict(data[0])
