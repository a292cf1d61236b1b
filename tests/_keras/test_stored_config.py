"""Networks as configurations: which can be stored, and what is built from them."""

import json
import random

import keras
import numpy as np
import pytest
from keras import layers

from skhisto._keras.isolated_build import isolated_build
from skhisto._keras.network import Ends, initial_network
from skhisto._keras.stored_config import (
    NotStorableError,
    build_from_config,
    config_of,
)
from skhisto.architectures import CompactCNN, ReferenceCNN

SHAPE = (32, 32, 3)


def ops(patch_shape, n_outputs):
    inputs = keras.Input(patch_shape)
    x = keras.ops.relu(layers.Conv2D(4, 3)(inputs) * 2 + 1)
    x = keras.ops.mean(x, axis=(1, 2))
    return keras.Model(inputs, layers.Dense(n_outputs)(x))


def inner_stack(patch_shape, n_outputs):
    """A stack that is built inside another network, on its tensors."""
    inputs = keras.Input(patch_shape)
    x = keras.Sequential([layers.Conv2D(3, 3), layers.ReLU()])(layers.ReLU()(inputs))
    x = x + keras.ops.cast(keras.ops.mean(x, axis=(1, 2), keepdims=True), x.dtype)
    return keras.Model(inputs, layers.Dense(n_outputs)(layers.Flatten()(x)))


def random_layers(patch_shape, n_outputs):
    return keras.Sequential(
        [
            layers.RandomFlip(),
            layers.Dropout(0.5),
            layers.Flatten(),
            layers.Dense(n_outputs),
        ]
    )


def random_crop(patch_shape, n_outputs):
    """A layer that stores the seed it has drawn."""
    stack = [layers.RandomCrop(24, 24), layers.Flatten(), layers.Dense(n_outputs)]
    return keras.Sequential(stack)


def shared_layer(patch_shape, n_outputs):
    inputs = keras.Input(patch_shape)
    shared = layers.Conv2D(3, 3, padding="same")
    x = layers.Add()([shared(inputs), shared(shared(inputs))])
    return keras.Model(inputs, layers.Dense(n_outputs)(layers.Flatten()(x)))


def application(name):
    def build(patch_shape, n_outputs):
        backbone = getattr(keras.applications, name)(
            weights=None, include_top=False, input_shape=patch_shape, pooling="avg"
        )
        backbone.trainable = False
        return keras.Sequential([backbone, layers.Dense(n_outputs)])

    return build


STORED = {
    "reference": ReferenceCNN(filters=(2, 4), dense_units=4),
    "compact": CompactCNN(),
    "operations": ops,
    "inner stack": inner_stack,
    "random layers": random_layers,
    "shared layer": shared_layer,
    "MobileNetV2": application("MobileNetV2"),
    "EfficientNetB0": application("EfficientNetB0"),
    "ConvNeXtTiny": application("ConvNeXtTiny"),
}


@pytest.mark.parametrize("name", STORED)
def test_a_network_of_kerass_own_layers_is_built_again_from_its_configuration(name):
    ends = Ends(SHAPE, 3, "uint8")
    with isolated_build(0, "float32"):
        body = STORED[name](SHAPE, 3)
    initial = initial_network(STORED[name], ends, "float32", seed=0)
    network = initial.spec.build()
    network.set_weights(list(initial.weights.values()))
    patches = np.random.default_rng(0).integers(0, 256, (2, *SHAPE), dtype=np.uint8)
    expected = body(patches.astype("f4") / 255, training=False)
    assert len(network.trainable_weights) == len(body.trainable_weights)
    np.testing.assert_allclose(
        network(patches, training=False), expected, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("builder", [*STORED.values(), random_crop])
def test_the_configuration_depends_neither_on_the_seed_nor_on_earlier_builds(builder):
    ends = Ends(SHAPE, 3, "uint8")
    first = initial_network(builder, ends, "float32", seed=0).spec
    layers.Dense(1)
    assert initial_network(builder, ends, "float32", seed=1).spec == first
    json.loads(first.config)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_layers_that_are_float32_on_purpose_stay_so_in_every_precision(precision):
    ends = Ends(SHAPE, 1, "uint8")
    spec = initial_network(STORED["reference"], ends, precision, seed=0).spec
    network = spec.build()
    assert network.get_layer("block1_conv1").compute_dtype == precision
    assert network.get_layer("logits").compute_dtype == "float32"
    assert network.output.dtype == "float32"


def test_frozen_layers_and_single_weights_are_frozen_in_what_is_built():
    def frozen(patch_shape, n_outputs):
        body = ReferenceCNN(filters=(2,), dense_units=2).build(patch_shape, n_outputs)
        body.get_layer("block1_conv1").trainable = False
        return body

    spec = initial_network(frozen, Ends(SHAPE, 1, "uint8"), "float32", seed=0).spec
    assert not spec.build().get_layer("block1_conv1").trainable
    assert spec.build().get_layer("block1_conv2").trainable


class Doubled(layers.Layer):
    def call(self, inputs):
        return inputs * 2


@keras.saving.register_keras_serializable(package="tests")
class Registered(Doubled):
    pass


class OwnInitializer(keras.initializers.Zeros):
    pass


def with_layer(layer):
    return keras.Sequential([keras.Input((4,)), layer, layers.Dense(1)])


def with_replaced_call():
    network = with_layer(layers.ReLU())
    network.layers[0].call = lambda inputs: inputs
    return network


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(1)

    def call(self, inputs):
        return self.dense(inputs)


def with_frozen_bias():
    network = with_layer(layers.ReLU())
    network.layers[-1].bias.trainable = False
    return network


NOT_STORED = {
    "Lambda": lambda: with_layer(layers.Lambda(lambda x: x * 2)),
    "Doubled": lambda: with_layer(Doubled()),
    "Registered": lambda: with_layer(Registered()),
    "it contains a function": lambda: with_layer(layers.Activation(lambda x: x * 2)),
    "cannot serialise it": lambda: with_layer(layers.Dense(1, activation=np.square)),
    "OwnInitializer": lambda: with_layer(
        layers.Dense(1, kernel_initializer=OwnInitializer())
    ),
    "replaced method call": with_replaced_call,
    "Subclassed": Subclassed,
    "single weights of a layer are frozen": with_frozen_bias,
}


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
@pytest.mark.parametrize("reason", NOT_STORED)
def test_networks_with_code_of_users_are_not_stored_and_the_reason_is_named(reason):
    with isolated_build(0, "mixed_bfloat16"):
        network = NOT_STORED[reason]()
    with pytest.raises(NotStorableError, match=reason):
        config_of(network)


def test_no_code_runs_when_a_network_is_built_from_a_manipulated_configuration():
    with isolated_build(0, "mixed_bfloat16"):
        config = config_of(with_layer(layers.ReLU()))
    objects = json.loads(config)
    relu = next(i for i in objects["config"]["layers"] if i["class_name"] == "ReLU")
    relu["class_name"], relu["module"] = "system", "os"
    relu["config"] = {"command": "exit 1"}
    with pytest.raises((TypeError, ValueError)):
        build_from_config(json.dumps(objects), "float32")


def test_building_from_a_configuration_leaves_random_generators_alone():
    with isolated_build(0, "mixed_bfloat16"):
        config = config_of(with_layer(layers.Dropout(0.5)))
    state = random.getstate()
    build_from_config(config, "float32")
    assert random.getstate() == state
