import copy

import keras
import numpy as np
import pytest
from PIL import Image
from scipy.stats import spearmanr
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skhisto import (
    CenterCrop,
    PatchCNNClassifier,
    PatchLoader,
    ReferenceCNN,
    center_crop,
    class_activation_map,
)
from skhisto._classifier.fitting import fitted_spec
from skhisto._keras.last_image import Activations

METHODS = ["hires_cam", "grad_cam"]


def brightness(*images):
    """A builder of networks whose logit is the mean brightness of their last image."""

    def builder(patch_shape, n_outputs):
        return keras.Sequential(
            [
                keras.Input(patch_shape),
                *(layer(**arguments) for layer, arguments in images),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(n_outputs),
            ]
        )

    return builder


def with_weights(classifier, value):
    """Set all weights of a fitted classifier to a number."""
    for name, weight in classifier.weights_.items():
        classifier.weights_[name] = np.full_like(weight, value)
    return classifier


def conv(filters=1, size=3, **arguments):
    return keras.layers.Conv2D, {"filters": filters, "kernel_size": size} | arguments


def pool():
    return keras.layers.MaxPooling2D, {}


def nested(patch_shape, n_outputs):
    trunk = keras.Sequential([keras.layers.Conv2D(4, 3, 2, padding="same")])
    inner = keras.Sequential([trunk, keras.layers.ReLU()])
    inputs = keras.Input(patch_shape)
    x = keras.layers.GlobalMaxPooling2D()(inner(inputs))
    return keras.Model(inputs, keras.layers.Dense(n_outputs)(x))


class Subclassed(keras.Model):
    def __init__(self, n_outputs):
        super().__init__()
        self.conv = keras.layers.Conv2D(4, 3, 2, activation="relu")
        self.flatten = keras.layers.Flatten()
        self.dense = keras.layers.Dense(n_outputs)

    def call(self, inputs):
        return self.dense(self.flatten(self.conv(inputs)))


@pytest.mark.filterwarnings("ignore:The network cannot be stored")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "architecture",
    [
        ReferenceCNN(filters=(4,), dense_units=8),
        brightness(conv()),
        nested,
        lambda shape, n_outputs: Subclassed(n_outputs),
    ],
    ids=["reference", "sequential", "nested", "subclassed"],
)
def test_maps_of_any_network_have_the_size_of_the_patches(
    tiny_cnn, bright_or_dark, architecture, method
):
    X, y, _ = bright_or_dark
    classifier = tiny_cnn.set_params(architecture=architecture, epochs=2).fit(X, y)
    maps = class_activation_map(classifier, X, method=method)
    assert maps.shape == (60, 12, 12)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert maps.min() >= 0
    assert maps.max() > 0


@pytest.mark.parametrize("method", METHODS)
def test_the_map_of_a_mean_over_places_adds_up_to_the_logit(
    tiny_cnn, bright_or_dark, method
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(architecture=brightness(conv(2, padding="same")), epochs=1)
    classifier = with_weights(tiny_cnn.fit(X, y), 0.5)
    maps = class_activation_map(classifier, X, method=method)
    bias = 0.5
    np.testing.assert_allclose(
        maps.sum(axis=(1, 2)), classifier.decision_function(X) - bias, rtol=1e-5
    )


def test_gradients_place_by_place_see_what_their_mean_does_not(
    tiny_cnn, bright_or_dark
):
    X, y, _ = bright_or_dark

    def one_weight_a_place(patch_shape, n_outputs):
        layers = [keras.layers.Conv2D(1, 1), keras.layers.Flatten()]
        return keras.Sequential([*layers, keras.layers.Dense(n_outputs)])

    classifier = with_weights(
        tiny_cnn.set_params(architecture=one_weight_a_place).fit(X, y), 1
    )
    *_, kernel, _ = classifier.weights_.values()
    kernel.reshape(12, 12)[:, 6:] = 0
    hires, grad = (class_activation_map(classifier, X, method=m) for m in METHODS)
    assert hires[:, :, :6].min() > 0
    assert hires[:, :, 6:].max() == 0
    assert grad[:, :, 6:].min() > 0


@pytest.mark.parametrize(
    "images",
    [
        [conv(), pool(), conv(), pool()],
        [conv(strides=4, padding="same")],
        [conv(), (keras.layers.Cropping2D, {"cropping": 8}), pool()],
        [
            (keras.layers.AveragePooling2D, {"pool_size": 2}),
            (keras.layers.Resizing, {"height": 12, "width": 12}),
        ],
        [conv(strides=4, padding="same"), (keras.layers.UpSampling2D, {"size": 4})],
    ],
    ids=["valid", "same", "cropped", "resized", "upsampled"],
)
@pytest.mark.parametrize("place", [(14, 30), (24, 24), (31, 17)])
def test_maps_lie_over_what_they_explain(images, place):
    X = np.zeros((2, 48, 48, 1), np.uint8)
    row, column = place
    X[1, row - 2 : row + 3, column - 2 : column + 3] = 255
    classifier = PatchCNNClassifier(
        architecture=brightness(*images), epochs=1, batch_size=2
    )
    classifier.set_params(augment=None).fit(X, [0, 1])
    (found,) = class_activation_map(with_weights(classifier, 1), X[1:])
    found = found - found[0, 0]  # that of what is black, where there is a bias
    centroid = [np.average(np.arange(48), weights=found.sum(axis=i)) for i in (1, 0)]
    np.testing.assert_allclose(centroid, place, atol=2)


def test_of_two_classes_the_second_is_explained_unless_told_otherwise(
    fitted, bright_or_dark
):
    X, _, _ = bright_or_dark
    maps = class_activation_map(fitted, X)
    np.testing.assert_array_equal(class_activation_map(fitted, X, target=1), maps)
    other = class_activation_map(fitted, X, target=0)
    # No place speaks for both.
    assert (np.minimum(maps, other) < 1e-3 * maps.max()).mean() > 0.5
    assert other.max() > 0


def test_of_more_classes_the_predicted_one_is_explained(tiny_cnn, bright_or_dark):
    X, _, _ = bright_or_dark
    y = np.array(["a", "b", "c"])[np.arange(60) % 3]
    classifier = tiny_cnn.set_params(epochs=1).fit(X, y)
    maps = class_activation_map(classifier, X)
    predicted = classifier.predict(X)
    for label in np.unique(predicted):
        rows = predicted == label
        of_label = class_activation_map(classifier, X, target=label)[rows]
        np.testing.assert_allclose(maps[rows], of_label, atol=1e-6)


def test_behind_a_crop_the_map_is_that_of_the_crop(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    pipeline = make_pipeline(CenterCrop(8), tiny_cnn).fit(X, y)
    maps = class_activation_map(pipeline, X)
    assert maps.shape == (60, 8, 8)
    cropped = class_activation_map(pipeline[-1], center_crop(X, 8))
    np.testing.assert_array_equal(maps, cropped)


def test_a_pipeline_may_load_the_patches(tiny_cnn, bright_or_dark, tmp_path):
    X, y, _ = bright_or_dark
    paths = [tmp_path / f"{i}.png" for i in range(60)]
    for path, patch in zip(paths, X, strict=True):
        Image.fromarray(patch).save(path)
    pipeline = make_pipeline(PatchLoader(lazy=True), tiny_cnn).fit(paths, y)
    maps = class_activation_map(pipeline, paths[:3])
    in_memory = class_activation_map(pipeline[-1], X[:3])
    np.testing.assert_allclose(maps, in_memory, atol=1e-6)


def test_random_weights_give_another_map(fitted, bright_or_dark):
    """The sanity check of Adebayo et al., 2018: maps depend on what was learned."""
    X, _, _ = bright_or_dark
    maps = class_activation_map(fitted, X)
    rng = np.random.default_rng(0)
    randomised = copy.copy(fitted)
    randomised.weights_ = {
        name: rng.permutation(weight.ravel()).reshape(weight.shape)
        for name, weight in fitted.weights_.items()
    }
    other = class_activation_map(randomised, X)
    of_places = [
        spearmanr(a.ravel(), b.ravel()).statistic
        for a, b in zip(maps, other, strict=True)
        if a.std() > 0 and b.std() > 0
    ]
    assert abs(np.mean(of_places)) < 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 2}, r"target must be one of the classes \[0, 1\], got 2"),
        ({"method": "smooth"}, "'method' parameter of class_activation_map must be"),
    ],
)
def test_unknown_targets_and_methods_are_an_error(
    fitted, bright_or_dark, arguments, message
):
    with pytest.raises(ValueError, match=message):
        class_activation_map(fitted, bright_or_dark[0], **arguments)


@pytest.mark.filterwarnings("ignore:X contains values from")
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_network_without_images_is_an_error(tiny_cnn, bright_or_dark, dtype):
    X, y, _ = bright_or_dark

    def flat(patch_shape, n_outputs):
        layers = [keras.layers.Flatten(), keras.layers.Dense(n_outputs)]
        return keras.Sequential(layers)

    X = X.astype(dtype)
    tiny_cnn.set_params(architecture=flat, augment=None, epochs=1)
    classifier = tiny_cnn.fit(X, y)
    with pytest.raises(ValueError, match="none of its layers returns an image"):
        class_activation_map(classifier, X)


def test_what_is_inside_of_attention_is_no_image(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark

    def transformer(patch_shape, n_outputs):
        inputs = keras.Input(patch_shape)
        x = keras.layers.Conv2D(4, 4, 4, name="embedding")(inputs)
        x = keras.layers.Reshape((-1, 4))(x)
        x = keras.layers.MultiHeadAttention(2, 3)(x, x)
        x = keras.layers.GlobalAveragePooling1D()(x)
        return keras.Model(inputs, keras.layers.Dense(n_outputs)(x))

    classifier = tiny_cnn.set_params(architecture=transformer, epochs=1).fit(X, y)
    activations = Activations(fitted_spec(classifier), classifier.weights_)
    assert activations._layer.name == "embedding"
    assert activations.strides == (4, 4)


def test_other_estimators_are_an_error(tiny_cnn, bright_or_dark):
    X, _, _ = bright_or_dark
    with pytest.raises(NotFittedError):
        class_activation_map(tiny_cnn, X)
    pipeline = make_pipeline(CenterCrop(8), LogisticRegression())
    with pytest.raises(TypeError, match="a Pipeline that ends in one, got Pipel"):
        class_activation_map(pipeline, X)
