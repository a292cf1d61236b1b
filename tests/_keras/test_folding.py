import keras
import numpy as np
import pytest
from keras import layers
from scipy.special import expit, softmax

from skhisto._keras.folding import prepare_folding
from skhisto._keras.inference import InferenceNetwork, live_model, predict_logits
from skhisto._keras.network import Ends, initial_network
from skhisto.architectures import ReferenceCNN

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (20, 12, 12, 3), dtype=np.uint8)


def sequential(*stack):
    return lambda patch_shape, n_outputs: keras.Sequential(
        [
            *(cls(*args, **params) for cls, args, params in stack),
            layers.Flatten(),
            layers.Dense(n_outputs),
        ]
    )


def layer(cls, *args, **params):
    return cls, args, params


def shared_convolution(patch_shape, n_outputs):
    """One convolution, whose output goes into two batch norms."""
    inputs = keras.Input(patch_shape)
    x = layers.Conv2D(4, 3)(inputs)
    x = layers.Concatenate()([layers.BatchNormalization()(x) for _ in range(2)])
    return keras.Model(inputs, layers.Dense(n_outputs)(layers.Flatten()(x)))


def residual(patch_shape, n_outputs):
    """A convolution that goes past its batch norm, and one that does not."""
    inputs = keras.Input(patch_shape)
    x = layers.Conv2D(4, 3)(inputs)
    x = layers.Add()([x, layers.BatchNormalization()(x)])
    x = layers.BatchNormalization()(layers.Conv2D(4, 3)(x))
    return keras.Model(inputs, layers.Dense(n_outputs)(layers.Flatten()(x)))


def shared_batch_norm(patch_shape, n_outputs):
    """One batch norm behind two convolutions."""
    inputs = keras.Input(patch_shape)
    norm = layers.BatchNormalization()
    x = layers.Add()([norm(layers.Conv2D(4, 3)(inputs)) for _ in range(2)])
    return keras.Model(inputs, layers.Dense(n_outputs)(layers.Flatten()(x)))


def nested(patch_shape, n_outputs):
    inner = keras.Sequential(
        [keras.Input(patch_shape), layers.Conv2D(4, 3), layers.BatchNormalization()]
    )
    inputs = keras.Input(patch_shape)
    return keras.Model(inputs, layers.Dense(n_outputs)(layers.Flatten()(inner(inputs))))


def overlapping_networks(patch_shape, n_outputs):
    """The same layers in two networks within the network."""
    first = keras.Input(patch_shape)
    normalised = layers.BatchNormalization()(layers.Conv2D(4, 3)(first))
    part = keras.Model(first, normalised)
    whole = keras.Model(first, layers.ReLU()(normalised))
    inputs = keras.Input(patch_shape)
    x = layers.Add()([part(inputs), whole(inputs)])
    return keras.Model(inputs, layers.Dense(n_outputs)(layers.Flatten()(x)))


def two_outputs(patch_shape, n_outputs):
    """A network within the network gives the convolution as well."""
    first = keras.Input(patch_shape)
    x = layers.Conv2D(4, 3)(first)
    backbone = keras.Model(first, [x, layers.BatchNormalization()(x)])
    inputs = keras.Input(patch_shape)
    x = layers.Add()(backbone(inputs))
    return keras.Model(inputs, layers.Dense(n_outputs)(layers.Flatten()(x)))


class Block(layers.Layer):
    """A layer that is made of layers."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = layers.Conv2D(4, 3), layers.BatchNormalization()

    def call(self, inputs, training=None):
        return self.norm(self.conv(inputs), training=training)


class Subclassed(keras.Model):
    """A network that is no graph of layers."""

    def __init__(self, n_outputs):
        super().__init__()
        self.block, self.flatten = Block(), layers.Flatten()
        self.logits = layers.Dense(n_outputs)

    def call(self, inputs, training=None):
        return self.logits(self.flatten(self.block(inputs, training=training)))


NORM = layer(layers.BatchNormalization)
CASES = {
    "with bias": (sequential(layer(layers.Conv2D, 4, 3), NORM), 1),
    "without bias": (sequential(layer(layers.Conv2D, 4, 3, use_bias=False), NORM), 1),
    "grouped": (sequential(layer(layers.Conv2D, 6, 3, groups=3), NORM), 1),
    "dense": (sequential(layer(layers.Flatten), layer(layers.Dense, 4), NORM), 1),
    "twice": (
        sequential(layer(layers.Conv2D, 4, 3), NORM, layer(layers.Conv2D, 4, 3), NORM),
        2,
    ),
    "no scale": (
        sequential(
            layer(layers.Conv2D, 4, 3), layer(layers.BatchNormalization, scale=False)
        ),
        1,
    ),
    "no offset": (
        sequential(
            layer(layers.Conv2D, 4, 3), layer(layers.BatchNormalization, center=False)
        ),
        0,
    ),
    "other axis": (
        sequential(
            layer(layers.Conv2D, 4, 3), layer(layers.BatchNormalization, axis=1)
        ),
        0,
    ),
    "activation": (sequential(layer(layers.Conv2D, 4, 3, activation="relu"), NORM), 0),
    "relu between": (
        sequential(layer(layers.Conv2D, 4, 3), layer(layers.ReLU), NORM),
        0,
    ),
    "first": (sequential(NORM, layer(layers.Conv2D, 4, 3)), 0),
    "depthwise": (sequential(layer(layers.DepthwiseConv2D, 3), NORM), 0),
    "shared convolution": (shared_convolution, 0),
    "shared batch norm": (shared_batch_norm, 0),
    "residual": (residual, 1),
    "overlapping networks": (overlapping_networks, 1),
    "two outputs": (two_outputs, 0),
    "layer of layers": (sequential(layer(Block)), 0),
    "subclassed": (lambda patch_shape, n_outputs: Subclassed(n_outputs), 0),
    "float64": (
        sequential(
            layer(layers.Conv2D, 4, 3, dtype="float64"),
            layer(layers.BatchNormalization, dtype="float64"),
        ),
        0,
    ),
    "nested": (nested, 1),
}


def described(builder, patch_shape=(12, 12, 3), n_outputs=2):
    return initial_network(builder, Ends(patch_shape, n_outputs, "uint8"), "float32", 0)


def random_weights(initial, seed=0):
    """Weights of a network that has been trained; positive, as variances must be."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.uniform(0.1, 1, weight.shape).astype(np.float32)
        / weight.shape[0] ** 0.5
        if weight.ndim
        else weight  # a counter
        for name, weight in initial.weights.items()
    }


@pytest.mark.filterwarnings("ignore:The network cannot be stored")
@pytest.mark.parametrize("case", CASES)
def test_a_folded_network_gives_the_logits_of_the_network(case):
    builder, n_folded = CASES[case]
    initial = described(builder)
    spec = initial.spec
    assert len(prepare_folding(spec.build())) == n_folded
    weights = random_weights(initial)
    network = spec.build()
    network.set_weights(list(weights.values()))
    np.testing.assert_allclose(
        predict_logits(spec, weights, X), network(X, training=False), rtol=1e-5
    )


@pytest.mark.parametrize("n_classes", [2, 3])
def test_every_batch_norm_of_the_reference_network_is_folded(n_classes):
    architecture = ReferenceCNN(filters=(4, 8), dense_units=8)
    initial = described(architecture, n_outputs=1 if n_classes == 2 else n_classes)
    spec = initial.spec
    assert len(prepare_folding(spec.build())) == 5
    weights = random_weights(initial)
    logits = predict_logits(spec, weights, X)
    live = live_model(spec, weights).predict(X, verbose=0)
    probabilities = expit(logits) if n_classes == 2 else softmax(logits, axis=1)
    np.testing.assert_allclose(probabilities, live, atol=1e-5)


def test_folding_new_weights_leaves_nothing_of_the_previous_ones():
    initial = described(CASES["twice"][0])
    used, new = InferenceNetwork(initial.spec), InferenceNetwork(initial.spec)
    used.load(random_weights(initial, seed=1))
    for network in (used, new):
        network.load(random_weights(initial))
    rows = np.arange(len(X))
    logits, new_logits = (n.outputs(X, rows, [0])[0] for n in (used, new))
    np.testing.assert_array_equal(logits, new_logits)


@pytest.mark.parametrize("name", ["MobileNetV2", "EfficientNetB0"])
def test_networks_of_keras_applications_give_their_logits(name):
    def builder(patch_shape, n_outputs):
        backbone = getattr(keras.applications, name)(
            weights=None, include_top=False, input_shape=patch_shape, pooling="avg"
        )
        inputs = keras.Input(patch_shape)
        return keras.Model(inputs, layers.Dense(n_outputs)(backbone(inputs)))

    initial = described(builder, (32, 32, 3))
    spec = initial.spec
    assert len(prepare_folding(spec.build())) > 20
    weights = random_weights(initial)
    network = spec.build()
    network.set_weights(list(weights.values()))
    patches = RNG.integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    expected = network(patches, training=False).numpy()
    logits = predict_logits(spec, weights, patches)
    np.testing.assert_allclose(logits, expected, rtol=1e-4)
