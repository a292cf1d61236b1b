import re

import keras
import numpy as np
import pytest
from keras import layers

from skhisto._keras.dense import DenseNetwork, check_dense
from skhisto._keras.dense_layers import NotDenseError
from skhisto._keras.inference import predict_logits
from skhisto._keras.network import Ends, initial_network
from skhisto.architectures import CompactCNN, ReferenceCNN
from skhisto.patches._views import SYMMETRIES

PATCH = (18, 18, 3)


def initial(body, precision="float32", patch_shape=PATCH, n_outputs=2):
    """A network with weights in which every variable makes a difference."""

    def builder(patch_shape, n_outputs):
        return keras.Sequential([*body(), layers.Dense(n_outputs, dtype="float32")])

    ends = Ends(patch_shape, n_outputs, "uint8")
    if not callable(body) or isinstance(body, CompactCNN | ReferenceCNN):
        builder = body
    found = initial_network(builder, ends, precision, seed=0)
    rng = np.random.default_rng(0)
    weights = {
        name: (value + rng.uniform(0, 0.3, value.shape)).astype(np.float32)
        for name, value in found.weights.items()
    }
    return found.spec, weights


def windows_of(region, size, stride):
    views = np.lib.stride_tricks.sliding_window_view(region, size, axis=(0, 1))
    return np.moveaxis(views[::stride, ::stride], 2, -1)


def region_of(n_rows, n_columns, stride, patch_shape=PATCH):
    height, width, n_channels = patch_shape
    shape = ((n_rows - 1) * stride + height, (n_columns - 1) * stride + width)
    rng = np.random.default_rng(1)
    return rng.integers(0, 256, (*shape, n_channels), dtype=np.uint8)


def compare(spec, weights, stride, tolerance, views=(0,)):
    region = region_of(3, 5, stride, spec.ends.patch_shape)
    network = DenseNetwork(spec, stride)
    network.load(weights)
    logits = network.logits(region, views)
    windows = windows_of(region, spec.ends.patch_shape[:2], stride)
    patches = windows.reshape(-1, *spec.ends.patch_shape)
    expected = predict_logits(spec, weights, patches, views=views)
    assert np.ptp(expected) > 1e-3
    difference = np.abs(logits.reshape(expected.shape) - expected).max()
    assert difference <= tolerance * max(1, np.abs(expected).max())


def functional():
    inputs = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 3)(inputs)
    return keras.Model(inputs, layers.MaxPooling2D(2)(x))


NETWORKS = {
    "flattening": (
        lambda: [
            layers.Conv2D(4, 3, activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Conv2D(5, 3, use_bias=False),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(6, activation="relu"),
            layers.BatchNormalization(),
        ],
        2,
    ),
    "a mean of all positions": (
        lambda: [
            layers.Rescaling(2.0, offset=-1.0),
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.AveragePooling2D(3, strides=2),
            layers.SeparableConv2D(6, 2),
            layers.LeakyReLU(),
            layers.GlobalAveragePooling2D(),
        ],
        2,
    ),
    "a maximum of all positions": (
        lambda: [
            layers.Conv2D(4, 3, strides=2),
            layers.Activation("gelu"),
            layers.SpatialDropout2D(0.5),
            layers.Conv2D(4, 2, dilation_rate=2),
            layers.GlobalMaxPooling2D(),
            layers.Dense(4, activation="relu"),
            layers.LayerNormalization(),
        ],
        2,
    ),
    "flattening of one position": (
        lambda: [
            layers.Conv2D(4, 3, strides=3),
            layers.Conv2D(4, 6),
            layers.Flatten(),
            layers.PReLU(),
        ],
        3,
    ),
    "pooling that drops the last row": (
        lambda: [
            layers.Conv2D(4, 2),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(3),
        ],
        2,
    ),
    "padding that pads nothing": (
        lambda: [
            layers.Conv2D(4, 1, padding="same"),
            layers.MaxPooling2D(2, padding="same"),
            layers.Conv2D(4, 1, strides=2, padding="same"),
            layers.GlobalAveragePooling2D(),
        ],
        4,
    ),
    "a network in the network": (
        lambda: [functional(), layers.Conv2D(3, 3), layers.GlobalAveragePooling2D()],
        2,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_gives_the_same_logits_over_a_region(name):
    body, stride = NETWORKS[name]
    spec, weights = initial(body)
    assert check_dense(spec, stride).stride == (stride, stride)
    compare(spec, weights, stride, 1e-5)


@pytest.mark.parametrize("name", ["flattening", "a mean of all positions"])
def test_the_numbers_agree_in_bfloat16_to_its_rounding(name):
    body, stride = NETWORKS[name]
    spec, weights = initial(body, "bfloat16")
    compare(spec, weights, stride, 0.03)


@pytest.mark.parametrize("name", ["flattening", "a mean of all positions"])
def test_windows_may_be_several_strides_of_the_network_apart(name):
    body, stride = NETWORKS[name]
    spec, weights = initial(body)
    compare(spec, weights, 3 * stride, 1e-5)


@pytest.mark.parametrize("patch_shape", [(24, 24, 3), (20, 30, 1)])
@pytest.mark.parametrize("n_outputs", [1, 4])
def test_the_reference_network_gives_the_same_logits(patch_shape, n_outputs):
    architecture = ReferenceCNN(filters=(4, 8), dense_units=8)
    spec, weights = initial(architecture, "float32", patch_shape, n_outputs)
    compare(spec, weights, 4, 1e-5)


@pytest.mark.parametrize("group", ["c4", "d4"])
def test_views_of_windows_are_windows_of_viewed_regions(group):
    body, stride = NETWORKS["flattening"]
    spec, weights = initial(body)
    compare(spec, weights, stride, 1e-5, SYMMETRIES[group])


@pytest.mark.parametrize(
    ("body", "stride", "reason"),
    [
        (
            lambda: [layers.Conv2D(2, 3, padding="same", name="a"), layers.Flatten()],
            1,
            "The layer 'a' has padding='same'",
        ),
        (
            lambda: [
                layers.MaxPooling2D(4, padding="same", name="a"),
                layers.Flatten(),
            ],
            4,
            "The layer 'a' has padding='same'",
        ),
        (
            lambda: [layers.ZeroPadding2D(name="a"), layers.GlobalMaxPooling2D()],
            1,
            "The layer 'a' (ZeroPadding2D) may not treat all positions",
        ),
        (
            lambda: [layers.PReLU(name="a"), layers.GlobalMaxPooling2D()],
            1,
            "The layer 'a' (PReLU) may not treat",
        ),
        (
            lambda: [
                layers.BatchNormalization(axis=1, name="a"),
                layers.GlobalMaxPooling2D(),
            ],
            1,
            "The layer 'a' does not normalise channels.",
        ),
        (
            lambda: [
                layers.GlobalMaxPooling2D(keepdims=True, name="a"),
                layers.Flatten(),
            ],
            1,
            "The layer 'a' does not return one vector for each window.",
        ),
        (NETWORKS["flattening"][0], 3, "stride=3 is not a multiple of 2 pixels"),
        (CompactCNN(filters=(2, 2)), 4, "The layer 'stem_conv' has padding='same'"),
    ],
)
def test_other_networks_are_not_dense_and_the_reason_names_the_layer(
    body, stride, reason
):
    spec, _ = initial(body)
    with pytest.raises(NotDenseError, match=re.escape(reason)):
        check_dense(spec, stride)


def branches(patch_shape, n_outputs):
    inputs = keras.Input(patch_shape)
    x = layers.Conv2D(3, 1)(inputs)
    x = layers.Add(name="sum")([x, inputs])
    outputs = layers.Dense(n_outputs)(layers.GlobalMaxPooling2D()(x))
    return keras.Model(inputs, outputs)


def test_a_network_with_branches_is_not_dense():
    found = initial_network(branches, Ends(PATCH, 1, "uint8"), "float32", seed=0)
    with pytest.raises(NotDenseError, match="The layer 'sum' joins several branches"):
        check_dense(found.spec, 1)


def lambdas(patch_shape, n_outputs):
    stack = [layers.Lambda(lambda x: x - 0.5), layers.Flatten(), layers.Dense(1)]
    return keras.Sequential(stack)


@pytest.mark.filterwarnings("ignore:The network cannot be stored")
def test_a_network_that_cannot_be_stored_is_not_dense():
    found = initial_network(lambdas, Ends(PATCH, 1, "uint8"), "float32", seed=0)
    with pytest.raises(NotDenseError, match="cannot be stored"):
        check_dense(found.spec, 1)
