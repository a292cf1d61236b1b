import functools
import random

import keras
import numpy as np
import pytest

from skhisto import PatchCNNClassifier
from skhisto._classifier.fitting import network_spec
from skhisto._keras.network import NetworkSpec, build, with_probabilities


def reference(patch_shape=(96, 96, 3), n_classes=2, pixel_dtype="uint8", **params):
    classifier = PatchCNNClassifier(**params)
    spec = network_spec(classifier, np.arange(n_classes), patch_shape, pixel_dtype)
    return build(spec, seed=0)


def dense_model(patch_shape, n_outputs, **unused):
    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(n_outputs)])


@pytest.mark.parametrize(("dtype", "maximum"), [("uint8", 255), ("uint16", 65535)])
def test_integer_pixels_are_divided_by_the_maximum_of_their_dtype(dtype, maximum):
    spec = NetworkSpec(
        lambda shape, n: keras.Sequential([keras.layers.Flatten()]), (1, 1, 1), 1, dtype
    )
    network = build(spec, seed=0)
    pixels = np.array([0, maximum], dtype).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(network(pixels), [[0.0], [1.0]])


def test_other_numbers_are_taken_as_they_are():
    spec = NetworkSpec(
        lambda shape, n: keras.Sequential([keras.layers.Flatten()]),
        (1, 1, 1),
        1,
        "float32",
    )
    assert build(spec, seed=0)(np.full((1, 1, 1, 1), 300.0))[0, 0] == 300


def test_probabilities_come_out_of_the_extended_network():
    network = reference((8, 8, 3), n_classes=3, filters=(2,), dense_units=2)
    probabilities = with_probabilities(network)(np.zeros((2, 8, 8, 3), np.uint8))
    np.testing.assert_allclose(np.sum(probabilities, axis=1), 1, rtol=1e-6)


def test_the_seed_alone_determines_the_weights():
    spec = NetworkSpec(dense_model, (2, 2, 1), 3, "float32")
    one, again, other = (build(spec, seed).get_weights()[0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_building_leaves_global_settings_as_they_were():
    spec = NetworkSpec(dense_model, (2, 2, 1), 1, "float32")
    policy, state = keras.config.dtype_policy(), random.getstate()
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.config.set_image_data_format("channels_first")
    try:
        network = build(spec, seed=0)
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        assert keras.config.image_data_format() == "channels_first"
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format("channels_last")
    assert network.layers[-1].compute_dtype == "float32"
    assert network.layers[-2].data_format == "channels_last"
    assert random.getstate() == state


def test_equal_partials_describe_the_same_network():
    def spec(units):
        builder = functools.partial(dense_model, units=units)
        return NetworkSpec(builder, (2, 2, 1), 1, "uint8")

    assert spec(3).key == spec(3).key
    assert spec(3).key != spec(4).key


def test_partials_of_long_arrays_are_told_apart():
    def spec(last):
        table = np.zeros(5000)
        table[2500] = last
        return NetworkSpec(
            functools.partial(dense_model, table=table), (2, 2, 1), 1, "uint8"
        )

    assert spec(0).key == spec(0).key
    assert spec(0).key != spec(1).key


def test_partials_that_cannot_be_pickled_are_taken_for_different():
    partials = [functools.partial(dense_model, f=lambda: 0) for _ in range(2)]
    first, second = (NetworkSpec(p, (2, 2, 1), 1, "uint8") for p in partials)
    assert first.key == first.key
    assert first.key != second.key


def test_a_model_in_place_of_a_builder_is_an_error():
    spec = NetworkSpec(dense_model((2, 2, 1), 1), (2, 2, 1), 1, "uint8")
    with pytest.raises(TypeError, match=r"a function that builds a keras.Model, not a"):
        build(spec, seed=0)


def test_a_builder_that_gives_the_same_model_again_is_an_error():
    body = dense_model((2, 2, 1), 1)
    spec = NetworkSpec(lambda shape, n: body, (2, 2, 1), 1, "uint8")
    build(spec, seed=0)
    with pytest.raises(ValueError, match=r"must build a new keras\.Model at each"):
        build(spec, seed=0)


def test_a_model_for_other_patches_is_an_error():
    def other(patch_shape, n_outputs):
        inputs = keras.Input((5, 5, 3))
        x = keras.layers.Flatten()(inputs)
        return keras.Model(inputs, keras.layers.Dense(n_outputs)(x))

    with pytest.raises(
        ValueError, match=r"cannot be applied to patches .* \(2, 2, 1\)"
    ):
        build(NetworkSpec(other, (2, 2, 1), 1, "uint8"), seed=0)


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("nested", [False, True])
def test_a_model_that_ends_in_probabilities_is_an_error(n_outputs, nested):
    activation = "sigmoid" if n_outputs == 1 else "softmax"

    def builder(patch_shape, n_outputs):
        inputs = keras.Input(patch_shape)
        x = keras.layers.Flatten()(inputs)
        x = keras.layers.Dense(n_outputs, activation=activation)(x)
        model = keras.Model(inputs, x)
        return keras.Sequential([model]) if nested else model

    with pytest.raises(ValueError, match="gives probabilities: leave its activation"):
        build(NetworkSpec(builder, (2, 2, 1), n_outputs, "uint8"), seed=0)


def test_a_model_that_ends_in_an_operation_that_gives_probabilities_is_an_error():
    def builder(patch_shape, n_outputs):
        inputs = keras.Input(patch_shape)
        x = keras.layers.Dense(n_outputs)(keras.layers.Flatten()(inputs))
        return keras.Model(inputs, keras.ops.sigmoid(x))

    with pytest.raises(ValueError, match="gives probabilities"):
        build(NetworkSpec(builder, (2, 2, 1), 1, "uint8"), seed=0)


def test_a_builder_that_gives_no_model_is_an_error():
    spec = NetworkSpec(lambda shape, n: None, (2, 2, 1), 1, "uint8")
    with pytest.raises(TypeError, match=r"must return an uncompiled .* NoneType"):
        build(spec, seed=0)


def test_a_model_with_the_wrong_number_of_logits_is_an_error():
    spec = NetworkSpec(lambda shape, n: dense_model(shape, 7), (2, 2, 1), 1, "uint8")
    with pytest.raises(ValueError, match=r"one output of shape \(None, 1\)"):
        build(spec, seed=0)
