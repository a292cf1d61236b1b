import keras
import numpy as np
import pytest

from skhisto._keras.inference import BATCH_SIZES, live_model, predict_logits
from skhisto._keras.network import Ends, initial_network
from skhisto.architectures import ReferenceCNN


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
INITIAL = initial_network(conv_network, Ends((8, 8, 3), 2, "uint8"), "float32", seed=0)
SPEC, WEIGHTS = INITIAL.spec, INITIAL.weights
X = np.random.default_rng(0).integers(0, 256, (100, 8, 8, 3), dtype=np.uint8)


def test_logits_equal_those_of_the_keras_model():
    logits = predict_logits(SPEC, WEIGHTS, X)
    network = SPEC.build()
    network.set_weights(list(WEIGHTS.values()))
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
    ends = Ends(patch_shape, 3, "uint8")
    initial = initial_network(ReferenceCNN(), ends, precision, seed=0)
    patch = np.random.default_rng(0).integers(0, 256, (1, *patch_shape), dtype=np.uint8)
    n = BATCH_SIZES[precision]
    patches = np.repeat(patch, n, axis=0)
    logits = predict_logits(initial.spec, initial.weights, patches)
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


NUMBERS = initial_network(
    conv_network, Ends((8, 8, 3), 2, "float32"), "float32", seed=0
)


def test_values_far_outside_the_range_of_the_fit_get_a_warning():
    with pytest.warns(
        UserWarning, match=r"from 0 to 255, but .* from 0 to 1\. Scale X"
    ):
        predict_logits(
            NUMBERS.spec, NUMBERS.weights, X.astype("f4"), fitted_range=(0.0, 1.0)
        )


@pytest.mark.filterwarnings("error")
def test_values_around_the_range_of_the_fit_get_no_warning():
    patches = np.linspace(-0.9, 1.9, 2 * 8 * 8 * 3, dtype="f4").reshape(2, 8, 8, 3)
    predict_logits(NUMBERS.spec, NUMBERS.weights, patches, fitted_range=(0.0, 1.0))
