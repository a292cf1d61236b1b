"""Initial weights and names depend on the seed alone."""

import random
import threading

import keras
import numpy as np
import pytest
from keras import layers

from skhisto._keras.isolated_build import isolated_build
from skhisto._keras.network import Ends, initial_network

ENDS = Ends((8, 8, 3), 1, "uint8")


class UnseededNormal(keras.initializers.Initializer):
    """An initializer that draws from Keras' global generator."""

    def __call__(self, shape, dtype=None):
        return keras.random.normal(shape, dtype=dtype)


def unseeded(patch_shape, n_outputs):
    return keras.Sequential(
        [
            layers.Conv2D(2, 3, kernel_initializer=UnseededNormal()),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(n_outputs, kernel_initializer=UnseededNormal()),
        ]
    )


def plain(patch_shape, n_outputs):
    return keras.Sequential(
        [layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(n_outputs)]
    )


def application(patch_shape, n_outputs):
    backbone = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(32, 32, 3), pooling="avg"
    )
    return keras.Sequential(
        [layers.Resizing(32, 32), backbone, layers.Dense(n_outputs)]
    )


@pytest.fixture
def other_thread_draws():
    """A thread that draws from Python's global generator all the time."""
    done = threading.Event()

    def draw():
        while not done.is_set():
            random.random()

    thread = threading.Thread(target=draw)
    thread.start()
    yield
    done.set()
    thread.join()


def weights_of(builder, seed):
    return initial_network(builder, ENDS, "float32", seed).weights


@pytest.mark.filterwarnings("ignore:The network cannot be stored")
@pytest.mark.parametrize("builder", [plain, unseeded, application])
def test_weights_depend_on_the_seed_alone_beside_a_thread_that_draws(builder, request):
    expected = weights_of(builder, seed=3)
    request.getfixturevalue("other_thread_draws")
    for _ in range(3):
        weights = weights_of(builder, seed=3)
        for name, value in expected.items():
            np.testing.assert_array_equal(weights[name], value)
    other = weights_of(builder, seed=4)
    assert any(not np.array_equal(other[name], expected[name]) for name in expected)


def test_names_do_not_depend_on_what_was_built_before():
    names = list(weights_of(plain, seed=0))
    keras.layers.Dense(3)
    assert (
        list(weights_of(plain, seed=1))
        == names
        == [
            "conv2d/kernel",
            "conv2d/bias",
            "dense/kernel",
            "dense/bias",
        ]
    )


def test_names_outside_continue_where_they_were():
    keras.layers.Dense(1)
    number = int(keras.layers.Dense(1).name.removeprefix("dense_"))
    with isolated_build(0, "float32"):
        assert keras.layers.Dense(1).name == "dense"
    assert keras.layers.Dense(1).name == f"dense_{number + 1}"


def test_seeds_outside_are_drawn_from_pythons_generator_as_ever():
    def drawn():
        return keras.initializers.RandomNormal().seed

    random.seed(5)
    expected = drawn()
    random.seed(5)
    with isolated_build(7, "float32"):
        inside = drawn()
    assert drawn() == expected != inside


def test_a_build_inside_a_build_does_not_change_it():
    with isolated_build(1, "float32"):
        first = [keras.initializers.RandomNormal().seed for _ in range(2)]
    with isolated_build(1, "float32"):
        again = [keras.initializers.RandomNormal().seed]
        with isolated_build(2, "float32"):
            keras.initializers.RandomNormal()
        again.append(keras.initializers.RandomNormal().seed)
    assert again == first


def test_state_is_restored_after_an_exception():
    policy = keras.config.dtype_policy().name
    with pytest.raises(KeyError), isolated_build(0, "mixed_bfloat16"):
        raise KeyError
    assert keras.config.dtype_policy().name == policy
    assert keras.src.random.seed_generator.python_random is random
