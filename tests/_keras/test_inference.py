import keras
import numpy as np
import pytest

from skhisto import PatchCNNClassifier
from skhisto._classifier.fitting import network_spec
from skhisto._keras.inference import BATCH_SIZES, live_model, predict_logits
from skhisto._keras.network import NetworkSpec, build, by_name


def conv_network(patch_shape, n_outputs):
    return keras.Sequential(
        [
            keras.layers.Conv2D(4, 3),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Flatten(),
            keras.layers.Dense(n_outputs),
        ]
    )


BATCH_SIZE = BATCH_SIZES["float32"]
SPEC = NetworkSpec(conv_network, (8, 8, 3), 2, "uint8")
WEIGHTS = by_name(build(SPEC, seed=0).weights)
X = np.random.default_rng(0).integers(0, 256, (100, 8, 8, 3), dtype=np.uint8)


def test_logits_equal_those_of_the_keras_model():
    logits = predict_logits(SPEC, WEIGHTS, X)
    network = build(SPEC, seed=0)
    np.testing.assert_allclose(logits, network(X, training=False), atol=1e-5)
    assert logits.dtype == np.float32


@pytest.mark.parametrize("rows", [[3], range(25), range(99, -1, -1), [5, 5, 90]])
def test_a_patch_has_the_same_logits_bitwise_whatever_else_is_predicted(rows):
    rows = list(rows)
    expected = predict_logits(SPEC, WEIGHTS, X)[rows]
    np.testing.assert_array_equal(predict_logits(SPEC, WEIGHTS, X[rows]), expected)


@pytest.mark.parametrize(
    "patch_shape", [(1, 2, 1), (5, 7, 1), (12, 12, 3), (96, 96, 3)]
)
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_patch_has_the_same_logits_bitwise_in_every_place_of_a_batch(
    patch_shape, precision
):
    classifier = PatchCNNClassifier(precision=precision)
    spec = network_spec(classifier, np.arange(3), patch_shape, "uint8")
    weights = by_name(build(spec, seed=0).weights)
    patch = np.random.default_rng(0).integers(0, 256, (1, *patch_shape), dtype=np.uint8)
    n = BATCH_SIZES[precision]
    logits = predict_logits(spec, weights, np.repeat(patch, n, axis=0))
    np.testing.assert_array_equal(logits, logits[:1].repeat(n, axis=0))


def test_numbers_of_patches_around_the_batch_size_work():
    for n in (1, BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 1):
        assert predict_logits(SPEC, WEIGHTS, X[:n]).shape == (n, 2)


def test_predicting_changes_no_weight():
    before = {name: value.copy() for name, value in WEIGHTS.items()}
    predict_logits(SPEC, WEIGHTS, X)
    for name, value in WEIGHTS.items():
        np.testing.assert_array_equal(value, before[name])


def test_the_live_model_gives_probabilities():
    probabilities = live_model(SPEC, WEIGHTS).predict(X, verbose=0)
    logits = predict_logits(SPEC, WEIGHTS, X).astype(float)
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities, expected, atol=1e-6)


def test_weights_of_another_network_are_an_error():
    other = NetworkSpec(conv_network, (8, 8, 3), 3, "uint8")
    with pytest.raises(ValueError, match=r"weights do not suit .* changed since fit"):
        predict_logits(other, WEIGHTS, X)
