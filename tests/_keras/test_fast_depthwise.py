import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from skhisto._keras.fast_depthwise import FastDepthwiseConv2D, FastSeparableConv2D
from skhisto._keras.fast_layers import layers_of, use_faster_layers

N_CHANNELS = 3
BFLOAT16_EPSILON = 2**-8
STOCK = {
    FastDepthwiseConv2D: layers.DepthwiseConv2D,
    FastSeparableConv2D: layers.SeparableConv2D,
}


def shape_of_images(layer, n, size):
    if layer.data_format == "channels_first":
        return n, N_CHANNELS, size, size
    return n, size, size, N_CHANNELS


def make(cls, dtype, **params):
    """Build a layer. Layers of the same shape get the same weights."""
    if issubclass(cls, layers.SeparableConv2D):
        params["filters"] = 4
    layer = cls(dtype=dtype, **params)
    layer.build(shape_of_images(layer, None, None))
    rng = np.random.default_rng(1)
    layer.set_weights([rounded(rng.normal(size=w.shape)) for w in layer.weights])
    return layer


def rounded(values):
    """Round to bfloat16, so that all precisions start from the same numbers."""
    return tf.cast(tf.cast(values, "bfloat16"), "float32").numpy()


def run(layer, images):
    """Return the outputs, and the gradients of the inputs and the variables."""
    inputs = tf.constant(images, layer.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
    upstream = np.random.default_rng(2).normal(size=outputs.shape)
    gradients = tape.gradient(
        outputs,
        [inputs, *(variable.value for variable in layer.trainable_variables)],
        output_gradients=tf.cast(rounded(upstream), outputs.dtype),
    )
    return [tf.cast(value, "float32").numpy() for value in (outputs, *gradients)]


@st.composite
def convolutions(draw):
    """Draw an image size and the parameters of a convolution that fits in it."""
    stride = draw(st.integers(1, 3))
    dilation = draw(st.integers(1, 3)) if stride == 1 else 1
    params = {
        "kernel_size": draw(st.tuples(st.integers(1, 5), st.integers(1, 5))),
        "strides": stride,
        "dilation_rate": dilation,
        "padding": draw(st.sampled_from(["valid", "same"])),
        "depth_multiplier": draw(st.integers(1, 2)),
        "use_bias": draw(st.booleans()),
        "activation": draw(st.sampled_from([None, "relu"])),
    }
    extent = [(k - 1) * dilation + 1 for k in params["kernel_size"]]
    size = [draw(st.integers(smallest, smallest + 6)) for smallest in extent]
    images = np.random.default_rng(0).normal(size=(2, *size, N_CHANNELS))
    return rounded(images), params


@settings(max_examples=40, deadline=None, derandomize=True)
@given(convolutions())
def test_gradients_in_bfloat16_are_at_least_as_exact_as_those_of_keras(convolution):
    images, params = convolution
    ours = run(make(FastDepthwiseConv2D, "mixed_bfloat16", **params), images)
    stock = run(make(layers.DepthwiseConv2D, "mixed_bfloat16", **params), images)
    np.testing.assert_array_equal(ours[0], stock[0])
    if params["activation"] is not None:
        return  # in float32 it may be active in other places
    exact = run(make(layers.DepthwiseConv2D, "float32", **params), images)
    for mine, theirs, best in zip(ours[1:], stock[1:], exact[1:], strict=True):
        slack = 1e-5 * np.abs(best).max()
        assert np.all(np.abs(mine - best) <= np.abs(theirs - best) + slack)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(convolutions())
def test_a_separable_convolution_gives_the_numbers_of_keras(convolution):
    images, params = convolution
    ours = run(make(FastSeparableConv2D, "mixed_bfloat16", **params), images)
    stock = run(make(layers.SeparableConv2D, "mixed_bfloat16", **params), images)
    np.testing.assert_array_equal(ours[0], stock[0])
    for mine, theirs in zip(ours[1:], stock[1:], strict=True):
        tolerance = 4 * BFLOAT16_EPSILON * np.abs(theirs).max()
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=tolerance)


def gradient_operations(layer):
    """Return the backpropagation operations of a layer with their number formats."""

    @tf.function(autograph=False)
    def gradients(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = layer(images)
        return tape.gradient(outputs, [images, layer.trainable_variables[0].value])

    images = tf.TensorSpec((None, 12, 12, N_CHANNELS), layer.compute_dtype)
    operations = gradients.get_concrete_function(images).graph.get_operations()
    prefix = "DepthwiseConv2dNativeBackprop"
    return {
        operation.type.removeprefix(prefix): operation.get_attr("T").name
        for operation in operations
        if operation.type.startswith(prefix)
    }


@pytest.mark.parametrize("cls", STOCK)
@pytest.mark.parametrize(
    ("params", "of_inputs", "of_kernel"),
    [
        ({"kernel_size": 3}, "bfloat16", "bfloat16"),
        ({"kernel_size": 3, "strides": 2}, "float32", "bfloat16"),
        ({"kernel_size": 5}, "bfloat16", "float32"),
        ({"kernel_size": 5, "dilation_rate": 2}, "bfloat16", "float32"),
        ({"kernel_size": 5, "strides": 2}, "float32", "float32"),
        ({"kernel_size": 3, "depth_multiplier": 2}, "bfloat16", "float32"),
    ],
)
def test_only_slow_gradients_are_computed_in_float32(cls, params, of_inputs, of_kernel):
    operations = gradient_operations(make(cls, "mixed_bfloat16", **params))
    assert operations == {"Input": of_inputs, "Filter": of_kernel}


@pytest.mark.parametrize("cls", STOCK)
@pytest.mark.parametrize(
    ("dtype", "params", "n_gpus"),
    [
        ("float32", {}, 0),
        ("mixed_float16", {}, 0),
        ("mixed_bfloat16", {}, 1),
        ("mixed_bfloat16", {"data_format": "channels_first"}, 0),
        ("mixed_bfloat16", {"dilation_rate": 2}, 0),
    ],
)
def test_other_cases_are_left_to_keras(monkeypatch, cls, dtype, params, n_gpus):
    gpus = ["GPU"] * n_gpus
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: gpus)
    monkeypatch.setattr(STOCK[cls], "call", lambda layer, inputs: "call of Keras")
    layer = make(cls, dtype, kernel_size=5, strides=2, **params)
    inputs = tf.zeros(shape_of_images(layer, 1, 15), layer.compute_dtype)
    assert layer.call(inputs) == "call of Keras"


def network():
    """Build a network with depthwise convolutions, also in a network within it."""
    keras.utils.set_random_seed(0)
    inner = keras.Sequential(
        [
            layers.DepthwiseConv2D(
                3,
                strides=2,
                depthwise_regularizer="l2",
                depthwise_constraint="non_neg",
                name="constrained",
            ),
            layers.SeparableConv2D(4, 5, padding="same", activation="relu"),
        ]
    )
    stack = [
        keras.Input((12, 12, N_CHANNELS)),
        layers.DepthwiseConv2D(5, padding="same", activation="relu"),
        inner,
        layers.DepthwiseConv2D(5, padding="same", trainable=False, name="frozen"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(1, dtype="float32"),
    ]
    return keras.Sequential(stack)


@pytest.fixture
def policy(request):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


@pytest.mark.parametrize(
    ("policy", "tolerance"),
    [("float32", 0), ("mixed_float16", 0), ("mixed_bfloat16", 0.01)],
    indirect=["policy"],
)
def test_a_network_trains_as_one_of_keras_layers(policy, tolerance):
    rng = np.random.default_rng(0)
    # The last batch is smaller than the others.
    X, y = rng.normal(size=(20, 12, 12, N_CHANNELS)), np.arange(20) % 2
    losses, weights = [], []
    for faster in (False, True):
        model = network()
        if faster:
            use_faster_layers(model)
        start = model.get_weights()
        model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
        history = model.fit(X, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
        weights.append(model.get_weights())
    np.testing.assert_allclose(losses[1], losses[0], rtol=tolerance)
    for stock, ours, first in zip(*weights, start, strict=True):
        scale = np.abs(stock - first).max()
        np.testing.assert_allclose(ours, stock, rtol=0, atol=10 * tolerance * scale)
    named = {layer.name: layer for layer in layers_of(model)}
    calls = {layer.call.__func__ for layer in named.values()}
    assert {FastDepthwiseConv2D.call, FastSeparableConv2D.call} <= calls
    assert named["constrained"].kernel.numpy().min() >= 0
    assert any(np.array_equal(named["frozen"].kernel, first) for first in start)
