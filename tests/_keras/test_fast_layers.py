import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from skhisto._keras.fast_layers import (
    FusedBatchNormalization,
    ShortDropout,
    layers_of,
    use_faster_layers,
)

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(2, 3, (6, 5, 4, 3)).astype(np.float32)
ROWS = RNG.normal(2, 3, (6, 3)).astype(np.float32)


def with_random_weights(layer, inputs):
    """Build a layer; the same shapes get the same weights."""
    layer(inputs)
    rng = np.random.default_rng(1)
    layer.set_weights([rng.uniform(0.5, 2, w.shape) for w in layer.weights])
    return layer


def run(layer, inputs, training):
    """Outputs, gradients and running statistics of one call."""
    inputs = tf.constant(inputs, layer.compute_dtype)
    upstream = tf.reshape(tf.range(tf.size(inputs)) % 7, inputs.shape)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=training)
        loss = tf.reduce_sum(tf.cast(outputs, "float32") * tf.cast(upstream, "float32"))
    gradients = tape.gradient(
        loss, [inputs, *(variable.value for variable in layer.trainable_variables)]
    )
    values = [outputs, *gradients, *layer.weights]
    return [tf.cast(tf.convert_to_tensor(value), "float32").numpy() for value in values]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("inputs", [IMAGES, ROWS, IMAGES[:1, :1, :1]])
@pytest.mark.parametrize(
    "params",
    [
        {},
        {"momentum": 0.5, "epsilon": 0.1},
        {"center": False},
        {"scale": False},
        {"trainable": False},
    ],
)
def test_fused_batch_norm_gives_the_numbers_of_keras(inputs, training, params):
    stock = with_random_weights(layers.BatchNormalization(**params), inputs)
    fused = with_random_weights(FusedBatchNormalization(**params), inputs)
    for ours, theirs in zip(
        run(fused, inputs, training), run(stock, inputs, training), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("mixed_bfloat16", 2**-7), ("mixed_float16", 2**-10)]
)
def test_fused_batch_norm_in_few_bits_keeps_its_statistics_in_float32(dtype, tolerance):
    stock = with_random_weights(layers.BatchNormalization(), IMAGES)
    fused = with_random_weights(FusedBatchNormalization(dtype=dtype), IMAGES)
    # Statistics of the same, rounded, inputs.
    rounded = tf.cast(tf.cast(IMAGES, fused.compute_dtype), "float32").numpy()
    expected = stock(rounded, training=True)
    outputs = fused(IMAGES, training=True)
    assert outputs.dtype.name == fused.compute_dtype
    np.testing.assert_allclose(
        tf.cast(outputs, "float32"), expected, rtol=tolerance, atol=tolerance
    )
    for ours, theirs in zip(fused.weights, stock.weights, strict=True):
        assert ours.dtype == "float32"
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


@pytest.mark.parametrize(
    ("inputs", "params"),
    [
        (IMAGES, {"axis": 1}),
        (IMAGES[0], {}),
        (IMAGES, {"epsilon": 1e-6}),
        (IMAGES, {"dtype": "float64"}),
    ],
)
def test_what_the_operation_cannot_do_is_left_to_keras(inputs, params):
    stock = with_random_weights(layers.BatchNormalization(**params), inputs)
    fused = with_random_weights(FusedBatchNormalization(**params), inputs)
    for ours, theirs in zip(
        run(fused, inputs, True), run(stock, inputs, True), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)


def test_a_masked_input_is_left_to_keras():
    mask = tf.constant(RNG.random(IMAGES.shape[:3]) < 0.5)
    stock = with_random_weights(layers.BatchNormalization(), IMAGES)
    fused = with_random_weights(FusedBatchNormalization(), IMAGES)
    for layer in (stock, fused):
        layer(IMAGES, training=True, mask=mask)
    np.testing.assert_array_equal(fused.moving_mean, stock.moving_mean)


@pytest.mark.parametrize("cls", [FusedBatchNormalization, ShortDropout])
def test_a_layer_is_saved_and_loaded_as_such(cls, tmp_path):
    layer = cls(**({"rate": 0.25} if cls is ShortDropout else {"momentum": 0.7}))
    model = keras.Sequential([keras.Input((5, 4, 3)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[-1]) is cls
    assert loaded.layers[-1].get_config() == layer.get_config()
    np.testing.assert_array_equal(loaded(IMAGES), model(IMAGES))


@pytest.mark.parametrize("rate", [0.3, 0.001, 1 / 3])
def test_dropout_drops_the_share_and_scales_what_is_left(rate):
    layer = ShortDropout(rate, seed=0)
    outputs = layer(np.ones((100, 999), np.float32), training=True).numpy()
    values, counts = np.unique(outputs, return_counts=True)
    assert counts[0] / outputs.size == pytest.approx(
        rate, abs=5 * np.sqrt(rate / outputs.size)
    )
    # Exactly by the rounded rate, so that the expectation stays.
    dropped = round(rate * 2**16) / 2**16
    np.testing.assert_array_equal(values, np.float32([0, 1 / (1 - dropped)]))
    # Independent of the position.
    for axis in (0, 1):
        shares = (outputs == 0).mean(axis=axis)
        error = np.sqrt(rate / outputs.shape[axis])
        assert np.abs(shares - rate).max() < 6 * error + 0.01


def test_dropped_values_get_no_gradient_and_the_others_that_of_the_scale():
    layer = ShortDropout(0.5, seed=0)
    inputs = tf.constant(IMAGES)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs, training=True)
    gradient = tape.gradient(outputs, inputs)
    np.testing.assert_allclose(gradient * inputs, outputs)
    assert {0.0, 2.0} == set(gradient.numpy().ravel())


def test_dropout_depends_on_the_seed_and_on_the_step():
    inputs = np.ones((1, 500), np.float32)
    one, same, other = (ShortDropout(0.5, seed=seed) for seed in (0, 0, 1))
    first = one(inputs, training=True)
    np.testing.assert_array_equal(same(inputs, training=True), first)
    assert np.any(other(inputs, training=True) != first)
    assert np.any(one(inputs, training=True) != first)


def test_dropout_changes_nothing_in_prediction_or_at_rate_zero():
    np.testing.assert_array_equal(ShortDropout(0.5)(IMAGES, training=False), IMAGES)
    np.testing.assert_array_equal(ShortDropout(0.0)(IMAGES, training=True), IMAGES)


def test_dropout_of_whole_channels_is_left_to_keras():
    layer = ShortDropout(0.5, noise_shape=(None, 1, 1, 3), seed=0)
    kept = (layer(IMAGES, training=True) != 0).numpy()
    assert (kept == kept[:, :1, :1]).all()


def nested():
    inner = keras.Sequential([layers.Conv2D(4, 3), layers.BatchNormalization()])
    outer = keras.Sequential([keras.Input((5, 4, 3)), inner, layers.Dropout(0.5)])
    return outer


def test_layers_of_networks_within_a_network_are_faster_too():
    network = nested()
    use_faster_layers(network)
    calls = [layer.call.__func__ for layer in layers_of(network)]
    assert FusedBatchNormalization.call in calls
    assert ShortDropout.call in calls


def test_layers_that_derive_from_those_of_keras_stay_as_they_are():
    class Own(layers.Dropout):
        pass

    network = keras.Sequential([keras.Input((3,)), Own(0.5)])
    use_faster_layers(network)
    assert network.layers[-1].call.__func__ is layers.Dropout.call


def test_a_network_with_faster_layers_is_saved_as_one_of_keras_layers(tmp_path):
    network = nested()
    use_faster_layers(network)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    kinds = {type(layer) for layer in layers_of(loaded)}
    assert layers.BatchNormalization in kinds
    assert not kinds & {FusedBatchNormalization, ShortDropout}
    np.testing.assert_allclose(loaded(IMAGES), network(IMAGES), rtol=1e-6)


def test_a_network_trains_as_one_of_keras_layers_up_to_rounding():
    def network():
        keras.utils.set_random_seed(0)
        stack = [
            keras.Input((8, 8, 3)),
            layers.Conv2D(4, 3),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.ReLU(),
            layers.Flatten(),
            layers.Dense(8, use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.Dense(1),
        ]
        return keras.Sequential(stack)

    X, y = RNG.normal(size=(16, 8, 8, 3)), np.arange(16) % 2
    weights = []
    for faster in (False, True):
        model = network()
        if faster:
            use_faster_layers(model)
        model.compile("sgd", keras.losses.BinaryCrossentropy(from_logits=True))
        model.fit(X, y, epochs=3, batch_size=8, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for stock, ours in zip(*weights, strict=True):
        np.testing.assert_allclose(ours, stock, rtol=1e-4, atol=1e-5)
