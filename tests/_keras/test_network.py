import random
import threading

import keras
import numpy as np
import pytest
from keras import layers

from skhisto._keras.network import Ends, initial_network, with_probabilities
from skhisto.architectures import ReferenceCNN


def built(builder, patch_shape, n_outputs, pixel_dtype, seed=0):
    """Describe a network, and build it again from its description."""
    ends = Ends(patch_shape, n_outputs, pixel_dtype)
    initial = initial_network(builder, ends, "float32", seed)
    network = initial.spec.build()
    network.set_weights(list(initial.weights.values()))
    return network


def dense_model(patch_shape, n_outputs):
    return keras.Sequential([layers.Flatten(), layers.Dense(n_outputs)])


def flattened(patch_shape, n_outputs):
    return keras.Sequential([layers.Flatten()])


@pytest.mark.parametrize(("dtype", "maximum"), [("uint8", 255), ("uint16", 65535)])
def test_integer_pixels_are_divided_by_the_maximum_of_their_dtype(dtype, maximum):
    network = built(flattened, (1, 1, 1), 1, dtype)
    pixels = np.array([0, maximum], dtype).reshape(2, 1, 1, 1)
    np.testing.assert_allclose(network(pixels), [[0.0], [1.0]])


def test_other_numbers_are_taken_as_they_are():
    assert (
        built(flattened, (1, 1, 1), 1, "float32")(np.full((1, 1, 1, 1), 300.0))[0, 0]
        == 300
    )


def test_probabilities_come_out_of_the_extended_network():
    network = built(ReferenceCNN(filters=(2,), dense_units=2), (8, 8, 3), 3, "uint8")
    probabilities = with_probabilities(network)(np.zeros((2, 8, 8, 3), np.uint8))
    np.testing.assert_allclose(np.sum(probabilities, axis=1), 1, rtol=1e-6)


def test_the_seed_alone_determines_the_weights():
    one, again, other = (
        built(dense_model, (2, 2, 1), 3, "float32", seed).get_weights()[0]
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


def test_building_leaves_global_settings_as_they_were():
    policy, state = keras.config.dtype_policy(), random.getstate()
    keras.config.set_dtype_policy("mixed_bfloat16")
    keras.config.set_image_data_format("channels_first")
    try:
        network = built(dense_model, (2, 2, 1), 1, "float32")
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
        assert keras.config.image_data_format() == "channels_first"
    finally:
        keras.config.set_dtype_policy(policy)
        keras.config.set_image_data_format("channels_last")
    assert network.layers[-1].compute_dtype == "float32"
    assert network.get_layer("flatten").data_format == "channels_last"
    assert random.getstate() == state


def test_a_builder_that_gives_the_same_model_again_is_an_error():
    body = dense_model((2, 2, 1), 1)

    def same(patch_shape, n_outputs):
        return body

    built(same, (2, 2, 1), 1, "uint8")
    with pytest.raises(
        ValueError, match=r"returned the same keras\.Model in two calls"
    ):
        built(same, (2, 2, 1), 1, "uint8")


def test_a_model_for_other_patches_is_an_error():
    def other(patch_shape, n_outputs):
        inputs = keras.Input((5, 5, 3))
        x = keras.layers.Flatten()(inputs)
        return keras.Model(inputs, keras.layers.Dense(n_outputs)(x))

    with pytest.raises(
        ValueError, match=r"cannot be applied to patches .* \(2, 2, 1\)"
    ):
        built(other, (2, 2, 1), 1, "uint8")


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

    with pytest.raises(
        ValueError, match="returns probabilities\\. Remove its activation"
    ):
        built(builder, (2, 2, 1), n_outputs, "uint8")


def test_a_model_that_ends_in_an_operation_that_gives_probabilities_is_an_error():
    def builder(patch_shape, n_outputs):
        inputs = keras.Input(patch_shape)
        x = keras.layers.Dense(n_outputs)(keras.layers.Flatten()(inputs))
        return keras.Model(inputs, keras.ops.sigmoid(x))

    with pytest.raises(ValueError, match="returns probabilities"):
        built(builder, (2, 2, 1), 1, "uint8")


def test_a_builder_that_gives_no_model_is_an_error():
    with pytest.raises(TypeError, match=r"must return an uncompiled .* NoneType"):
        built(lambda shape, n: None, (2, 2, 1), 1, "uint8")


def test_a_model_with_the_wrong_number_of_logits_is_an_error():
    with pytest.raises(ValueError, match=r"one output of shape \(None, 1\)"):
        built(lambda shape, n: dense_model(shape, 7), (2, 2, 1), 1, "uint8")


@pytest.mark.parametrize("stack", [[], [layers.Flatten], [layers.Dropout, 0.5]])
def test_probabilities_behind_layers_that_rearrange_values_are_an_error(stack):
    def builder(patch_shape, n_outputs):
        behind = [stack[0](*stack[1:])] if stack else []
        dense = layers.Dense(n_outputs, activation="sigmoid")
        linear = layers.Activation("linear")
        return keras.Sequential([layers.Flatten(), dense, *behind, linear])

    with pytest.raises(ValueError, match="'dense' returns probabilities"):
        built(builder, (2, 2, 1), 1, "uint8")


def test_users_may_name_and_scale_layers_as_they_like():
    def builder(patch_shape, n_outputs):
        return keras.Sequential(
            [
                keras.Input(patch_shape, name="patches"),
                layers.Rescaling(2.0, name="rescaling"),
                layers.Flatten(name="probabilities"),
                layers.Dense(n_outputs, name="float32_logits"),
            ]
        )

    network = built(builder, (2, 2, 1), 1, "uint8")
    assert with_probabilities(network)(np.zeros((1, 2, 2, 1), np.uint8)).shape == (1, 1)


def own_step(patch_shape, n_outputs):
    class OwnStep(keras.Sequential):
        def train_step(self, data):
            return {}

    return OwnStep([layers.Flatten(), layers.Dense(n_outputs)])


def replaced_step(patch_shape, n_outputs):
    network = dense_model(patch_shape, n_outputs)
    network.train_step = lambda data: {}
    return network


def compiled(patch_shape, n_outputs):
    network = dense_model(patch_shape, n_outputs)
    network.compile("sgd", "hinge")
    return network


def integer_input(patch_shape, n_outputs):
    inputs = keras.Input(patch_shape, dtype="uint8")
    x = layers.Flatten()(layers.Rescaling(1 / 255)(inputs))
    return keras.Model(inputs, layers.Dense(n_outputs)(x))


def reserved_name(patch_shape, n_outputs):
    dense = layers.Dense(n_outputs, name="skhisto_patches")
    return keras.Sequential([layers.Flatten(), dense])


@pytest.mark.parametrize(
    ("builder", "message"),
    [
        (
            own_step,
            "defines the method train_step, which PatchCNNClassifier does not use",
        ),
        (replaced_step, "defines the method train_step"),
        (compiled, r"is compiled.*compile=False.*optimizer, learning_rate"),
        (integer_input, r"input of dtype uint8.*Remove the dtype"),
        (
            reserved_name,
            r"'skhisto_patches'\. Names that start with 'skhisto_' are res",
        ),
    ],
)
def test_parts_of_a_network_that_would_be_ignored_are_an_error(builder, message):
    with pytest.raises(ValueError, match=message):
        built(builder, (2, 2, 1), 1, "uint8")


def test_other_errors_of_a_builder_are_raised_and_not_taken_for_a_precision():
    calls = []

    def fails_once(patch_shape, n_outputs):
        calls.append(1)
        if len(calls) == 1:
            raise OSError("download failed")
        return dense_model(patch_shape, n_outputs)

    with pytest.raises(OSError, match="download failed"):
        built(fails_once, (2, 2, 1), 1, "uint8")


class Unused(keras.Model):
    def __init__(self, n_outputs):
        super().__init__()
        self.flatten, self.dense = layers.Flatten(), layers.Dense(n_outputs)
        self.unused = layers.Dense(3)

    def call(self, inputs):
        return self.dense(self.flatten(inputs))


@pytest.mark.filterwarnings("ignore:The network cannot be stored")
@pytest.mark.filterwarnings(r"ignore:`build\(\)` was called on layer 'unused'")
def test_a_layer_that_is_never_called_counts_no_parameters():
    ends = Ends((2, 2, 1), 1, "uint8")
    initial = initial_network(lambda shape, n: Unused(n), ends, "float32", 0)
    assert sum(layer["n_parameters"] for layer in initial.layers) == 4 + 1


def test_a_network_that_computes_in_float32_only_says_so():
    def loaded(patch_shape, n_outputs):
        dense = layers.Dense(n_outputs, dtype="float32")
        return keras.Sequential([layers.Flatten(), dense])

    ends = Ends((2, 2, 1), 1, "uint8")
    assert initial_network(loaded, ends, "bfloat16", 0).spec.precision == "float32"
    assert (
        initial_network(dense_model, ends, "bfloat16", 0).spec.precision == "bfloat16"
    )


def test_code_of_users_that_fails_in_16_bits_works_in_float32():
    class Float32Only(layers.Layer):
        def call(self, inputs):
            assert inputs.dtype == "float32"
            return inputs

    def builder(patch_shape, n_outputs):
        return keras.Sequential(
            [Float32Only(), layers.Flatten(), layers.Dense(n_outputs)]
        )

    with pytest.warns(UserWarning, match=r"cannot be stored.*in mixed precision"):
        built(builder, (2, 2, 1), 1, "uint8")


def test_threads_build_the_networks_that_they_build_alone():
    def first_weights(seed):
        return built(dense_model, (2, 2, 1), 3, "float32", seed).get_weights()[0]

    expected = [first_weights(seed) for seed in range(4)]
    found = {}
    threads = [
        threading.Thread(target=lambda s=s: found.update({s: first_weights(s)}))
        for s in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed, weights in enumerate(expected):
        np.testing.assert_array_equal(found[seed], weights)
