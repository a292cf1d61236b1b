"""The compact network: its layers, parameters and errors."""

import keras
import pytest

from skhisto import CompactCNN


def build(patch_shape=(96, 96, 3), n_outputs=1, **parameters):
    network = CompactCNN(**parameters)(patch_shape, n_outputs)
    network.build((None, *patch_shape))
    return network


def layers_of_type(network, layer_type):
    return [layer for layer in network.layers if isinstance(layer, layer_type)]


def test_the_default_network_has_a_sixth_of_the_parameters_of_the_reference_network():
    n_parameters = build().count_params()
    assert n_parameters == 398_057
    assert 2_386_817 / n_parameters == pytest.approx(6, rel=0.01)


@pytest.mark.parametrize("size", [1, 17, 200])
def test_the_number_of_parameters_does_not_depend_on_the_size_of_patches(size):
    assert build((size, size, 3)).count_params() == 398_057


@pytest.mark.parametrize("patch_shape", [(1, 1, 1), (5, 7, 1), (32, 32, 3)])
def test_the_network_accepts_patches_of_any_size(patch_shape):
    assert build(patch_shape, n_outputs=4).output_shape == (None, 4)


def test_the_width_of_each_convolution_is_a_parameter():
    network = build(stem_filters=3, filters=[5, 7])
    convolutions = layers_of_type(network, keras.layers.Conv2D)
    assert [layer.filters for layer in convolutions] == [3, 5, 7]
    assert [layer.kernel_size for layer in convolutions] == [(5, 5), (3, 3), (3, 3)]
    assert [layer.strides for layer in convolutions] == [(2, 2), (1, 1), (1, 1)]


@pytest.mark.parametrize("n_blocks", [1, 2, 4])
def test_each_convolution_after_the_stem_but_the_last_is_pooled(n_blocks):
    network = build(filters=(4,) * n_blocks)
    pools = layers_of_type(network, keras.layers.MaxPooling2D)
    assert [layer.name for layer in pools] == [
        f"block{block}_pool" for block in range(1, n_blocks)
    ]


def test_dropout_precedes_the_logits():
    network = build(dropout=0.1)
    dropout, logits = network.layers[-2:]
    assert isinstance(dropout, keras.layers.Dropout)
    assert dropout.rate == 0.1
    assert logits.name == "logits"
    assert layers_of_type(build(), keras.layers.Dropout)[0].rate == 0.3


def test_batch_norm_momentum_reaches_each_batch_normalisation():
    norms = layers_of_type(
        build(batch_norm_momentum=0.5), keras.layers.BatchNormalization
    )
    assert [norm.momentum for norm in norms] == [0.5] * 5


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"stem_filters": 0}, "an int in the range [1, inf)"),
        ({"filters": 8}, "an array-like"),
        ({"dropout": 1.0}, "a float in the range [0.0, 1.0)"),
        ({"batch_norm_momentum": -0.5}, "a float in the range [0.0, 1.0)"),
    ],
    ids=str,
)
def test_an_invalid_parameter_is_an_error_when_the_network_is_built(
    parameters, expected
):
    architecture = CompactCNN(**parameters)
    ((name, value),) = parameters.items()
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        architecture((48, 48, 3), 1)
    message = str(caught.value)
    assert message.startswith(f"The '{name}' parameter of CompactCNN must be ")
    assert expected in message
    assert message.endswith(f"Got {value!r} instead.")


def test_filters_that_are_not_positive_integers_are_an_error():
    with pytest.raises(
        ValueError, match=r"filters must contain .* positive integers; got \(8, 0\)\."
    ):
        CompactCNN(filters=(8, 0))((48, 48, 3), 1)
