"""The reference network: its layers, parameters, padding and errors."""

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhisto import ReferenceCNN
from skhisto.architectures._reference import choose_padding


def build(patch_shape=(96, 96, 3), n_outputs=1, **parameters):
    network = ReferenceCNN(**parameters)(patch_shape, n_outputs)
    network.build((None, *patch_shape))
    return network


def n_parameters(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


def test_the_default_network_has_the_documented_number_of_parameters():
    network = build()
    assert network.count_params() == 2_386_817
    assert n_parameters(network.trainable_variables) == 2_385_409


def test_the_default_network_has_the_documented_layers():
    network = build()
    names = [layer.name for layer in network.layers]
    assert names[:7] == [
        "block1_conv1",
        "block1_conv1_norm",
        "block1_conv1_relu",
        "block1_conv2",
        "block1_conv2_norm",
        "block1_pool",
        "block1_conv2_relu",
    ]
    with_bias = [
        layer.name for layer in network.layers if getattr(layer, "use_bias", False)
    ]
    assert with_bias == ["block1_conv1", "logits"]
    norms = [layer for layer in network.layers if layer.name.endswith("norm")]
    assert {norm.momentum for norm in norms} == {0.9}
    dropout = {
        layer.name: layer.rate
        for layer in network.layers
        if isinstance(layer, keras.layers.Dropout)
    }
    assert dropout == {
        "block1_dropout": 0.3,
        "block2_dropout": 0.3,
        "block3_dropout": 0.3,
        "dense_dropout": 0.5,
    }
    assert network.get_layer("flatten").output.shape == (None, 8 * 8 * 128)


def test_the_network_has_one_logit_for_each_output():
    assert build((32, 32, 3), n_outputs=5).output_shape == (None, 5)


def test_each_parameter_reaches_its_layers():
    network = build(
        (6, 6, 3),
        filters=(3, 5),
        kernel_size=5,
        dense_units=7,
        conv_dropout=0.1,
        dense_dropout=0.2,
        padding="same",
        batch_norm_momentum=0.8,
    )
    layers = {layer.name: layer for layer in network.layers}
    assert layers["block1_conv2"].filters == 3
    assert layers["block2_conv1"].filters == 5
    assert layers["block1_conv1"].kernel_size == (5, 5)
    assert layers["block1_conv1"].padding == "same"
    assert layers["dense"].units == 7
    assert layers["block1_dropout"].rate == 0.1
    assert layers["dense_dropout"].rate == 0.2
    for norm in ("block1_conv1_norm", "block2_conv2_norm", "dense_norm"):
        assert layers[norm].momentum == 0.8


def test_numpy_numbers_build_the_network_of_equal_python_numbers():
    of_numpy = ReferenceCNN(
        filters=np.array([2, 3]),
        kernel_size=np.int64(3),
        dense_units=np.int32(4),
        conv_dropout=np.float32(0.25),
        dense_dropout=np.float64(0.5),
        batch_norm_momentum=np.float64(0.75),
    )
    of_python = ReferenceCNN(
        filters=(2, 3),
        kernel_size=3,
        dense_units=4,
        conv_dropout=0.25,
        dense_dropout=0.5,
        batch_norm_momentum=0.75,
    )
    configurations = [
        architecture((12, 12, 3), 1).get_config()
        for architecture in (of_numpy, of_python)
    ]
    assert configurations[0] == configurations[1]


@pytest.mark.parametrize(("size", "expected"), [(36, "valid"), (35, "same")])
def test_auto_padding_is_same_for_patches_below_36_pixels(size, expected):
    network = build((size, 96, 3), filters=(2, 2, 2), dense_units=2)
    assert network.get_layer("block1_conv1").padding == expected
    assert network.get_layer("block3_pool").padding == expected


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_a_given_padding_is_used_for_convolutions_and_pooling(padding):
    network = build((48, 48, 3), filters=(2, 2), dense_units=2, padding=padding)
    assert network.get_layer("block2_conv2").padding == padding
    assert network.get_layer("block2_pool").padding == padding


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    n_blocks=st.integers(1, 4),
    kernel_size=st.integers(1, 5),
)
def test_auto_padding_is_valid_exactly_if_a_pixel_remains(
    height, width, n_blocks, kernel_size
):
    sides = [height, width]
    for _ in range(n_blocks):
        for _ in range(2):
            sides = [side - (kernel_size - 1) for side in sides]
        sides = [side // 2 for side in sides]
    chosen = choose_padding((height, width, 3), n_blocks, kernel_size)
    assert (chosen == "valid") == (min(sides) >= 1)


def test_valid_padding_for_patches_that_are_too_small_is_an_error():
    message = (
        r"Patches of 32x35 pixels are too small for 3 blocks with padding='valid'\. "
        r"Use padding='auto' or 'same', or fewer blocks\."
    )
    with pytest.raises(ValueError, match=message):
        ReferenceCNN(padding="valid")((32, 35, 3), 1)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"filters": 8}, "an array-like"),
        ({"kernel_size": 0}, "an int in the range [1, inf)"),
        ({"kernel_size": 2.5}, "an int in the range [1, inf)"),
        ({"dense_units": 0}, "an int in the range [1, inf)"),
        ({"conv_dropout": 1}, "a float in the range [0.0, 1.0)"),
        ({"dense_dropout": -0.1}, "a float in the range [0.0, 1.0)"),
        ({"padding": "full"}, "a str among"),
        ({"batch_norm_momentum": 1.0}, "a float in the range [0.0, 1.0)"),
    ],
    ids=str,
)
def test_an_invalid_parameter_is_an_error_when_the_network_is_built(
    parameters, expected
):
    architecture = ReferenceCNN(**parameters)
    ((name, value),) = parameters.items()
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        architecture((48, 48, 3), 1)
    message = str(caught.value)
    assert message.startswith(f"The '{name}' parameter of ReferenceCNN must be ")
    assert expected in message
    assert message.endswith(f"Got {value!r} instead.")


@pytest.mark.parametrize("filters", [(), (0,), (-1, 4), (2.5,), ("a",)])
def test_filters_that_are_not_positive_integers_are_an_error(filters):
    with pytest.raises(
        ValueError, match=r"filters must contain .* positive integers; got"
    ) as caught:
        ReferenceCNN(filters=filters)((48, 48, 3), 1)
    assert str(caught.value).endswith(f"got {filters!r}.")
