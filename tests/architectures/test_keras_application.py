"""Classifiers of keras.applications: their scaling, weights and blocks."""

import importlib
import warnings
from functools import cache

import keras
import numpy as np
import pytest
from keras.src.utils import file_utils

from skhisto import KerasApplication, PatchCNNClassifier
from skhisto._keras.fast_layers import layers_of
from skhisto._keras.network import Ends, initial_network
from skhisto.architectures import _keras_application

SHAPE = (32, 32, 3)
NAMES = [name for name in dir(keras.applications) if name[0].isupper()]
# These applications scale pixels themselves: their preprocess_input does nothing.
WITH_LAYERS = {
    "ConvNeXtTiny": "convnext_tiny_stem",
    "EfficientNetV2B0": "stem_conv",
    "EfficientNetV2S": "stem_conv",
    "MobileNetV3Small": "conv",
}


@cache
def application(name, weights=None):
    build = getattr(keras.applications, name)
    return build(include_top=False, weights=weights, input_shape=SHAPE, pooling="avg")


def pixels(n=2):
    """Patches with values in [0, 255], float32."""
    x = np.random.default_rng(0).integers(0, 256, (n, *SHAPE)).astype(np.float32)
    x[0, 0, 0] = 0
    x[0, 0, 1] = 255
    return x


def family_of(name):
    return getattr(keras.applications, name).__module__


def preprocessed(name, x):
    return importlib.import_module(family_of(name)).preprocess_input(x.copy())


def scaled(name, x):
    family = family_of(name).rpartition(".")[2]
    scaling = _keras_application._scaling_of(name, family)
    inputs = keras.Input(SHAPE)
    return keras.Model(inputs, _keras_application._scale(inputs, scaling))(x).numpy()


def features(network, x):
    """What the head of a network is applied to."""
    to_features = keras.Model(network.input, network.get_layer("dropout").input)
    return to_features(x, training=False).numpy()


def randomise(network):
    """Give a network weights other than those of another one built alike."""
    rng = np.random.default_rng(0)
    weights = [w + rng.uniform(0, 0.1, w.shape) for w in network.get_weights()]
    network.set_weights(weights)
    return network


@pytest.fixture
def weight_file(tmp_path):
    """A function that writes a file with random weights of an application."""

    def write(name):
        path = tmp_path / f"{name}.weights.h5"
        randomise(keras.models.clone_model(application(name))).save_weights(path)
        return path

    return write


@pytest.mark.parametrize(
    "name",
    [name for name in NAMES if not name.startswith(("ConvNeXt", "Eff", "MobileNetV3"))],
)
def test_pixels_are_scaled_as_preprocess_input_does(name):
    x = pixels()
    np.testing.assert_allclose(
        scaled(name, x / 255), preprocessed(name, x), rtol=1e-5, atol=5e-5
    )


@pytest.mark.parametrize("name", WITH_LAYERS)
def test_pixels_are_scaled_as_the_layers_of_an_application_do(name):
    network = application(name)
    first = network.get_layer(WITH_LAYERS[name])
    x = pixels()
    expected = keras.Model(network.input, first.input)(preprocessed(name, x)).numpy()
    np.testing.assert_allclose(scaled(name, x / 255), expected, rtol=1e-5, atol=1e-5)


def test_every_application_of_keras_is_supported():
    for name in NAMES:
        _keras_application._application(name)
    assert len(NAMES) >= 38


@pytest.mark.parametrize("name", ["MobileNet", "VGG16", "MobileNetV3Small"])
def test_features_are_those_of_keras_with_the_same_weights(name, weight_file):
    path = weight_file(name)
    reference = keras.models.clone_model(application(name))
    reference.load_weights(path)
    x = pixels()
    expected = reference(preprocessed(name, x), training=False).numpy()
    for weights in (path, str(path)):
        network = KerasApplication(name, weights=weights)(SHAPE, 1)
        np.testing.assert_allclose(
            features(network, x / 255), expected, rtol=1e-3, atol=1e-5
        )


@pytest.fixture
def no_internet(monkeypatch, tmp_path):
    """Replace Keras' download; returns the list of names that were asked for."""
    asked = []

    def get_file(fname, origin, **kwargs):
        asked.append(fname)
        return str(tmp_path / "downloaded.weights.h5")

    monkeypatch.setattr(file_utils, "get_file", get_file)
    return asked


def test_imagenet_weights_of_efficientnet_are_scaled_as_in_keras(no_internet, tmp_path):
    network = keras.models.clone_model(application("EfficientNetB0"))
    # As in the file of Keras, the variance is the standard deviation.
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    statistics = [np.float32(mean), np.float32(std), np.int64(0)]
    randomise(network).get_layer(index=2).set_weights(statistics)
    network.save_weights(tmp_path / "downloaded.weights.h5")
    x = pixels()
    keras_network = application("EfficientNetB0", weights="imagenet")
    expected = keras_network(x, training=False).numpy()
    for weights in ("imagenet", tmp_path / "downloaded.weights.h5"):
        network = KerasApplication("EfficientNetB0", weights=weights)(SHAPE, 1)
        np.testing.assert_allclose(features(network, x / 255), expected, rtol=1e-3)
    assert no_internet == ["efficientnetb0_notop.h5"] * 2


def test_random_weights_of_efficientnet_leave_pixels_in_0_to_1():
    network = KerasApplication("EfficientNetB0")(SHAPE, 1)
    x = pixels() / 255
    to_scaled = keras.Model(network.input, network.get_layer("preprocessing").output)
    np.testing.assert_allclose(to_scaled(x).numpy(), x)


def test_imagenet_weights_are_downloaded_for_the_default_size(
    no_internet, tmp_path, weight_file
):
    weight_file("MobileNet").rename(tmp_path / "downloaded.weights.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of Keras, for a size without weights
        pretrained = KerasApplication("MobileNet", weights="imagenet")(SHAPE, 1)
    assert no_internet == ["mobilenet_1_0_224_tf_no_top.h5"]
    from_file = KerasApplication(
        "MobileNet", weights=tmp_path / "downloaded.weights.h5"
    )(SHAPE, 1)
    x = pixels() / 255
    np.testing.assert_array_equal(features(pretrained, x), features(from_file, x))


@pytest.mark.parametrize("name", ["MobileNet", "VGG16", "EfficientNetB0"])
def test_a_network_is_stored_and_scales_pixels_in_float32(name):
    ends = Ends(SHAPE, 1, "uint8")
    architecture = KerasApplication(name, input_size=40)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of networks that cannot be stored
        spec = initial_network(architecture, ends, "bfloat16", seed=0).spec
    assert spec.config is not None
    network = spec.build()
    layers = {layer.name: layer for layer in layers_of(network)}
    assert layers["preprocessing"].compute_dtype == "float32"
    assert layers["logits"].compute_dtype == "float32"
    convolutions = [layer for layer in layers.values() if hasattr(layer, "kernel")]
    assert convolutions[0].compute_dtype == "bfloat16"


def trained_layers(network):
    return [
        layer.name
        for layer in layers_of(network)
        if not hasattr(layer, "layers") and layer.trainable_weights
    ]


@pytest.mark.parametrize(
    ("name", "trainable", "first"),
    [
        ("VGG16", "all", "block1_conv1"),
        ("VGG16", 5, "block1_conv1"),
        ("VGG16", np.int64(1), "block5_conv1"),
        ("VGG16", "head", "logits"),
        ("MobileNet", 1, "conv_dw_12"),
        # With squeeze-and-excitation, whose images have one pixel.
        ("MobileNetV3Small", 1, "expanded_conv_8_depthwise"),
    ],
)
def test_the_head_and_the_blocks_at_the_end_are_trained(name, trainable, first):
    network = KerasApplication(name, trainable=trainable)(SHAPE, 1)
    trained = trained_layers(network)
    assert trained[0] == first
    everything = trained_layers(KerasApplication(name)(SHAPE, 1))
    assert trained == everything[-len(trained) :]


def test_a_classifier_is_fitted_with_frozen_blocks(weight_file):
    X = pixels(8).astype(np.uint8)
    path = weight_file("MobileNet")
    clf = PatchCNNClassifier(
        architecture=KerasApplication("MobileNet", weights=path, trainable=1),
        epochs=1,
        augment=None,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.fit(X, np.arange(8) % 2)
    reference = keras.models.clone_model(application("MobileNet"))
    reference.load_weights(path)
    path.unlink()  # predictions do not need it
    assert np.isfinite(clf.predict_proba(X)).all()
    pretrained = {weight.path: weight.numpy() for weight in reference.weights}
    changed = {
        path
        for path, value in pretrained.items()
        if not np.array_equal(clf.weights_[path], value)
    }
    assert {path.split("/")[0] for path in changed} == {
        f"conv_{kind}_{number}{suffix}"
        for kind in ("dw", "pw")
        for number in (12, 13)
        for suffix in ("", "_bn")
    }


@pytest.mark.parametrize(
    ("params", "patch_shape", "message"),
    [
        ({"name": "ResNet18"}, SHAPE, r"'ResNet18' is not a .* ResNet101.* VGG16"),
        ({"name": "vgg16"}, SHAPE, "'vgg16' is not a supported classifier"),
        ({"name": "VGG16"}, (32, 32, 1), "VGG16 needs RGB patches.* have 1 channel. "),
        ({"name": "VGG16"}, (32, 31, 3), "at least 32x32 pixels, but .* 32x31 pixels"),
        ({"name": "Xception"}, (70, 80, 3), "at least 71x71.* Set input_size to 71"),
        ({"name": "InceptionV3", "input_size": 74}, SHAPE, "at least 75x75"),
        (
            {"name": "VGG16", "trainable": 6},
            SHAPE,
            "trainable=6 is greater than the number of blocks, 5",
        ),
        ({"name": "VGG16", "trainable": 0}, SHAPE, "The 'trainable' parameter"),
    ],
)
def test_parameters_and_patches_that_are_not_possible_are_errors(
    params, patch_shape, message
):
    with pytest.raises(ValueError, match=message):
        KerasApplication(**params)(patch_shape, 1)


def test_a_file_that_does_not_exist_is_an_error():
    with pytest.raises(FileNotFoundError, match=r"'a\.h5' is neither 'imagenet' nor"):
        KerasApplication("VGG16", weights="a.h5")(SHAPE, 1)


def test_the_weights_of_another_network_are_an_error(weight_file):
    path = weight_file("MobileNet")
    message = "cannot be loaded. It must be a Keras file with the weights of VGG16"
    with pytest.raises(ValueError, match=message):
        KerasApplication("VGG16", weights=path)(SHAPE, 1)
