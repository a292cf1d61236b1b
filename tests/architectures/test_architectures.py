import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skhisto._keras.architectures import choose_padding

from skhisto import PatchCNNClassifier
from skhisto._classifier.fitting import network_spec
from skhisto._keras.network import build


def reference(patch_shape=(96, 96, 3), n_classes=2, pixel_dtype="uint8", **params):
    classifier = PatchCNNClassifier(**params)
    spec = network_spec(classifier, np.arange(n_classes), patch_shape, pixel_dtype)
    return build(spec, seed=0)


def n_parameters(variables):
    return sum(int(np.prod(variable.shape)) for variable in variables)


def test_the_reference_network_has_as_many_parameters_as_the_notebooks():
    network = reference()
    assert network.count_params() == 2_386_817
    assert n_parameters(network.trainable_variables) == 2_385_409


def test_the_reference_network_is_laid_out_as_described():
    network = reference()
    names = [layer.name for layer in network.layers]
    assert names[:9] == [
        "patches",
        "rescaling",
        "block1_conv1",
        "block1_conv1_norm",
        "block1_conv1_relu",
        "block1_conv2",
        "block1_conv2_norm",
        "block1_pool",
        "block1_conv2_relu",
    ]
    with_bias = [
        layer.name for layer in network.layers if getattr(layer, "use_bias", 0)
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


def test_more_than_two_classes_get_a_logit_each():
    assert reference((32, 32, 3), n_classes=5).output_shape == (None, 5)


@pytest.mark.parametrize(("size", "expected"), [(36, "valid"), (35, "same")])
def test_three_blocks_are_padded_only_below_36_pixels(size, expected):
    assert choose_padding((size, 96, 3), n_blocks=3, kernel_size=3) == expected
    network = reference((size, 96, 3), filters=(2, 2, 2), dense_units=2)
    assert network.get_layer("block1_conv1").padding == expected
    assert network.get_layer("block1_pool").padding == expected


@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    n_blocks=st.integers(1, 4),
    kernel_size=st.integers(1, 5),
)
def test_valid_padding_is_chosen_exactly_where_a_pixel_is_left(
    height, width, n_blocks, kernel_size
):
    sides = [height, width]
    for _ in range(n_blocks):
        for _ in range(2):
            sides = [side - (kernel_size - 1) for side in sides]
        sides = [side // 2 for side in sides]
    chosen = choose_padding((height, width, 3), n_blocks, kernel_size)
    assert (chosen == "valid") == (min(sides) >= 1)


def test_padding_that_leaves_no_pixel_is_an_error():
    with pytest.raises(ValueError, match=r"32x32 pixels are too small .* use 'auto'"):
        reference((32, 32, 3), padding="valid")


def test_the_compact_network_has_a_sixth_of_the_parameters():
    network = reference(architecture="compact")
    assert network.count_params() == 398_057
    assert 6 * network.count_params() > 2_386_817 - 3_000


@pytest.mark.parametrize("patch_shape", [(1, 1, 1), (5, 7, 1), (32, 32, 3)])
def test_the_compact_network_takes_patches_of_any_size(patch_shape):
    network = reference(patch_shape, n_classes=4, architecture="compact")
    assert network.output_shape == (None, 4)


def test_the_compact_network_has_the_batch_norm_momentum_that_is_given():
    network = reference(architecture="compact", batch_norm_momentum=0.5)
    norms = [
        x for x in network.layers if isinstance(x, keras.layers.BatchNormalization)
    ]
    assert {norm.momentum for norm in norms} == {0.5}
    assert len(norms) == 5
