"""What `precision` means for a classifier; how "auto" decides is tested below."""

import pickle

import keras
import numpy as np
import pytest
from sklearn.base import clone

from skhisto._keras import precision as precision_module


@pytest.fixture(params=["bfloat16", "float16"])
def few_bits(request, tiny_cnn):
    return tiny_cnn.set_params(precision=request.param, epochs=4)


def test_it_learns_what_is_easy(few_bits, bright_or_dark):
    X, y, _ = bright_or_dark
    assert few_bits.fit(X[:40], y[:40]).score(X[40:], y[40:]) > 0.9


def test_what_it_says_is_what_was_asked_for(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1)
    for precision in ("float32", "bfloat16", "float16"):
        tiny_cnn.set_params(precision=precision).fit(X, y)
        assert tiny_cnn.precision_ == precision


def test_auto_says_what_it_has_taken(tiny_cnn, bright_or_dark, monkeypatch):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1, precision="auto")
    for native in ("float32", "bfloat16"):
        monkeypatch.setattr(
            precision_module, "explain_auto", lambda found=native: (found, "")
        )
        assert tiny_cnn.fit(X, y).precision_ == native


def test_weights_are_float32_and_probabilities_float64(few_bits, bright_or_dark):
    X, y, _ = bright_or_dark
    few_bits.fit(X, y)
    assert {weight.dtype.name for weight in few_bits.weights_.values()} == {"float32"}
    assert few_bits.predict_proba(X).dtype == np.float64
    logits = few_bits.decision_function(X)
    rounded = keras.ops.cast(logits, few_bits.precision)
    # In fewer bits they would tie more than they do.
    assert np.mean(np.asarray(rounded, np.float32) != logits) > 0.5


def test_predictions_are_near_those_of_the_live_model(few_bits, bright_or_dark):
    X, y, _ = bright_or_dark
    few_bits.fit(X, y)
    live = few_bits.model_.predict(X, verbose=0).ravel()
    assert {layer.compute_dtype for layer in few_bits.model_.layers[1:]} == {"float32"}
    np.testing.assert_allclose(few_bits.predict_proba(X)[:, 1], live, atol=0.02)


def test_the_same_seed_gives_the_same_weights(few_bits, bright_or_dark):
    X, y, _ = bright_or_dark
    one, same = (clone(few_bits).fit(X, y) for _ in range(2))
    for weight, other in zip(
        one.weights_.values(), same.weights_.values(), strict=True
    ):
        np.testing.assert_array_equal(weight, other)
    proba = pickle.loads(pickle.dumps(one)).predict_proba(X)
    np.testing.assert_array_equal(proba, same.predict_proba(X))


def test_training_goes_on_as_one_long_fit(few_bits, bright_or_dark):
    X, y, _ = bright_or_dark
    long = clone(few_bits).fit(X, y)
    short = few_bits.set_params(epochs=2, warm_start=True).fit(X, y).fit(X, y)
    for weight, other in zip(
        long.weights_.values(), short.weights_.values(), strict=True
    ):
        np.testing.assert_array_equal(weight, other)


def test_a_fitted_classifier_predicts_in_another_precision(few_bits, bright_or_dark):
    X, y, _ = bright_or_dark
    proba = few_bits.fit(X, y).predict_proba(X)
    in_float32 = few_bits.set_params(precision="float32").predict_proba(X)
    np.testing.assert_allclose(in_float32, proba, atol=0.02)
    assert np.any(in_float32 != proba)


def test_another_precision_is_an_error(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    with pytest.raises(ValueError, match=r"'precision' parameter .* Got 'float64'"):
        tiny_cnn.set_params(precision="float64").fit(X, y)


def test_another_precision_after_fit_is_an_error_too(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1).fit(X, y).set_params(precision="float64")
    with pytest.raises(ValueError, match=r"'precision' parameter .* Got 'float64'"):
        tiny_cnn.predict(X)
