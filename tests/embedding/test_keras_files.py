import pickle

import keras
import numpy as np
import pytest
from keras import layers
from numpy.testing import assert_allclose, assert_array_equal

from skhisto import PatchEmbedder

X = np.random.default_rng(0).integers(0, 256, (30, 8, 8, 3), dtype=np.uint8)


def save(folder, *stack, shape=(8, 8, 3), dtype="float32"):
    network = keras.Sequential([keras.Input(shape, dtype=dtype), *stack])
    path = folder / "network.keras"
    network.save(path)
    return path, network


def test_features_are_the_output_for_normalised_pixels(tmp_path):
    path, network = save(
        tmp_path,
        layers.Conv2D(4, 3),
        layers.BatchNormalization(),
        layers.GlobalAveragePooling2D(),
    )
    embedder = PatchEmbedder(path, mean=0.5, std=0.25).fit(X)
    expected = network((X / 255 - 0.5) / 0.25, training=False)
    assert_allclose(embedder.transform(X), expected, atol=1e-5)
    stored = pickle.dumps(embedder)
    path.unlink()
    assert_array_equal(pickle.loads(stored).transform(X), embedder.transform(X))


def test_a_network_that_takes_pixels_receives_them(tmp_path):
    path, network = save(
        tmp_path,
        layers.Rescaling(1 / 128, offset=-1),
        layers.GlobalAveragePooling2D(),
        dtype="uint8",
    )
    assert_allclose(PatchEmbedder(path).fit_transform(X), network(X), atol=1e-5)
    with pytest.raises(ValueError, match="takes unchanged pixels of dtype uint8"):
        PatchEmbedder(path, mean=0.5).fit(X)
    with pytest.raises(ValueError, match="takes unchanged pixels of dtype uint8"):
        PatchEmbedder(path).fit(X / 255)


@pytest.mark.parametrize(("pooling", "pool"), [("avg", np.mean), ("max", np.max)])
def test_images_are_pooled(pooling, pool, tmp_path):
    path, network = save(tmp_path, layers.Conv2D(4, 3))
    features = PatchEmbedder(path, pooling=pooling).fit_transform(X)
    images = network((X / 255).astype(np.float32)).numpy()
    assert_allclose(features, pool(images, axis=(1, 2)), atol=1e-5)


def test_the_first_token_is_the_class_token(tmp_path):
    path, network = save(tmp_path, layers.Reshape((64, 3)), layers.Dense(4))
    features = PatchEmbedder(path, pooling="cls").fit_transform(X)
    tokens = network((X / 255).astype(np.float32)).numpy()
    assert_allclose(features, tokens[:, 0], atol=1e-5)


def test_class_tokens_of_images_are_an_error(tmp_path):
    path, _ = save(tmp_path, layers.Conv2D(4, 3))
    with pytest.raises(ValueError, match="pooling='cls' needs features of shape"):
        PatchEmbedder(path, pooling="cls").fit(X)


def test_another_input_shape_is_an_error(tmp_path):
    path, _ = save(tmp_path, layers.Flatten(), layers.Dense(4), shape=(16, 16, 3))
    with pytest.raises(ValueError, match=r"\(16, 16, 3\), but .* \(8, 8, 3\)"):
        PatchEmbedder(path).fit(X)
    assert PatchEmbedder(path, size=16).fit_transform(X).shape == (30, 4)


def test_several_outputs_are_an_error(tmp_path):
    inputs = keras.Input((8, 8, 3))
    x = layers.Flatten()(inputs)
    keras.Model(inputs, [x, layers.Dense(3)(x)]).save(tmp_path / "two.keras")
    with pytest.raises(ValueError, match="has 1 inputs and 2 outputs, but it must"):
        PatchEmbedder(tmp_path / "two.keras").fit(X)


def test_files_with_code_are_not_loaded(tmp_path):
    path, _ = save(tmp_path, layers.Lambda(lambda x: x + 1), layers.Flatten())
    with pytest.raises(ValueError, match="cannot be read as a Keras file"):
        PatchEmbedder(path).fit(X)


def test_files_that_are_missing_or_no_keras_files_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.keras' does not exist"):
        PatchEmbedder(tmp_path / "no.keras").fit(X)
    (tmp_path / "text.keras").write_text("text")
    with pytest.raises(ValueError, match="cannot be read as a Keras file"):
        PatchEmbedder(tmp_path / "text.keras").fit(X)


def test_a_layout_has_no_effect_and_is_an_error(tmp_path):
    path, _ = save(tmp_path, layers.Flatten())
    with pytest.raises(
        ValueError, match="layout='NCHW' can only be used with ONNX files"
    ):
        PatchEmbedder(path, layout="NCHW").fit(X)
