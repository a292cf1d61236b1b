"""OpenVINO computes what TensorFlow does, and keeps to its threads."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from skhisto import CompactCNN, EfficientNetLite, ReferenceCNN
from skhisto._keras import engines
from skhisto._keras.features import FeatureExtractor
from skhisto._keras.inference import BATCH_SIZES, predict_logits
from skhisto._keras.network import Ends, initial_network
from skhisto._keras.pool import POOL

pytest.importorskip("openvino")

RNG = np.random.default_rng(0)
SHAPE = (32, 32, 3)
COLOURS = RNG.integers(0, 200, (100, 1, 1, 3))
X = (RNG.integers(0, 50, (100, *SHAPE)) + COLOURS).astype(np.uint8)


def network_of(architecture, precision="float32", n_outputs=1):
    return initial_network(
        architecture, Ends(SHAPE, n_outputs, "uint8"), precision, seed=0
    )


def logits_of(initial, engine, patches=X, weights=None, **settings):
    weights = weights or initial.weights
    return predict_logits(initial.spec, weights, patches, engine=engine, **settings)


def small_network(patch_shape, n_outputs):
    return keras.Sequential(
        [
            keras.layers.Conv2D(4, 3, strides=2),
            keras.layers.BatchNormalization(),
            keras.layers.ReLU(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(n_outputs, dtype="float32"),
        ]
    )


@pytest.mark.parametrize("architecture", [ReferenceCNN(filters=(8, 16)), CompactCNN()])
def test_float32_logits_agree_to_1e_4_of_their_range(architecture):
    initial = network_of(architecture)
    expected = logits_of(initial, "keras")
    difference = abs(logits_of(initial, "openvino") - expected).max()
    assert 0 < difference < 1e-4 * np.ptp(expected)


def test_features_of_efficientnet_lite_agree_to_1e_4():
    initial = network_of(EfficientNetLite())
    features = [
        FeatureExtractor(initial.spec, initial.weights, "avg", engine=engine)
        .features(X[:24], views=(0,))
        .ravel()
        for engine in ("keras", "openvino")
    ]
    assert 0 < abs(features[0] - features[1]).max() < 1e-4


def test_bfloat16_logits_agree_as_keras_does_with_float32():
    architecture = ReferenceCNN(filters=(8, 16))
    exact = logits_of(network_of(architecture), "keras")
    initial = network_of(architecture, "bfloat16")
    errors = {
        engine: abs(logits_of(initial, engine) - exact).max()
        for engine in ("keras", "openvino")
    }
    assert errors["openvino"] < 3 * errors["keras"]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("architecture", [ReferenceCNN(filters=(8,)), CompactCNN()])
def test_a_patch_has_the_same_logits_bitwise_in_every_place_of_a_batch(
    architecture, precision
):
    initial = network_of(architecture, precision)
    n = BATCH_SIZES[precision]
    logits = logits_of(initial, "openvino", np.repeat(X[:1], n, axis=0))
    np.testing.assert_array_equal(logits, logits[:1].repeat(n, axis=0))
    logits = logits_of(initial, "openvino")
    np.testing.assert_array_equal(
        logits_of(initial, "openvino", X[[70, 3]]), logits[[70, 3]]
    )


def test_the_precision_of_the_network_is_that_of_openvino(monkeypatch):
    asked = []

    def compile_model(model, precision, n_threads):
        asked.append(precision)
        return original(model, precision, n_threads)

    original = engines.compile_model
    monkeypatch.setattr(engines, "compile_model", compile_model)
    POOL._idle.clear()
    for precision in ("float32", "bfloat16"):
        logits_of(network_of(small_network, precision), "openvino")
    assert asked == ["float32", "bfloat16"]


def test_networks_are_converted_once_for_each_of_the_last_weights(monkeypatch):
    n_converted = []

    def compile_model(*args):
        n_converted.append(1)
        return original(*args)

    original = engines.compile_model
    monkeypatch.setattr(engines, "compile_model", compile_model)
    monkeypatch.setattr(engines, "_MAX_COMPILED", 2)
    POOL._idle.clear()
    initial = network_of(small_network)
    fits = [
        {name: value + shift for name, value in initial.weights.items()}
        for shift in (0.0, 0.1, 0.2)
    ]
    expected = [logits_of(initial, "keras", weights=weights) for weights in fits]
    for position, n in ((0, 1), (1, 2), (0, 2), (2, 3), (0, 3), (1, 4)):
        logits = logits_of(initial, "openvino", weights=fits[position])
        np.testing.assert_allclose(logits, expected[position], rtol=1e-4, atol=1e-5)
        assert len(n_converted) == n


def test_without_openvino_the_error_says_how_to_install_it(monkeypatch):
    initial = network_of(small_network, n_outputs=5)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(ImportError, match=r'pip install "skhisto\[openvino\]"'):
        logits_of(initial, "openvino")


# As a script, since TensorFlow's number of threads cannot be changed in a process.
SCRIPT = """
import os
import sys
if sys.argv[1] == "environment":
    os.environ["TF_NUM_INTRAOP_THREADS"] = "1"
else:
    import tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(1)
from skhisto._keras._threads import n_threads
print(n_threads())
"""


@pytest.mark.parametrize("how", ["environment", "function"])
def test_openvino_uses_as_many_threads_as_tensorflow_may(how):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, how], check=True, capture_output=True, text=True
    )
    assert done.stdout == "1\n"


def test_the_number_of_threads_reaches_openvino(monkeypatch):
    asked = []

    def compile_model(model, precision, n_threads):
        asked.append(n_threads)
        return original(model, precision, n_threads)

    original = engines.compile_model
    monkeypatch.setattr(engines, "compile_model", compile_model)
    monkeypatch.setattr(engines, "n_threads", lambda: 1)
    POOL._idle.clear()
    logits_of(network_of(small_network), "openvino")
    assert asked == [1]
