import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image
from sklearn.base import clone
from sklearn.ensemble import BaggingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.utils.estimator_checks import estimator_checks_generator

from skhisto import (
    CenterCrop,
    CompactCNN,
    PatchArray,
    PatchCNNClassifier,
    PatchEmbedder,
    PatchLoader,
)
from skhisto.architectures import Architecture


class ConstantWeights(Architecture):
    """A small network whose weights do not depend on the seed, except for the logits."""

    def __init__(self, *, value=0.5, weights=None):
        self.value = value
        self.weights = weights

    def build(self, patch_shape, n_outputs):
        from keras import Sequential, layers

        return Sequential(
            [
                layers.Conv2D(5, 3, kernel_initializer="ones"),
                layers.BatchNormalization(),
                layers.GlobalAveragePooling2D(),
                layers.Dense(
                    6,
                    kernel_initializer={
                        "class_name": "Constant",
                        "config": {"value": self.value},
                    },
                ),
                layers.Dropout(0.5),
                layers.Dense(n_outputs),
            ]
        )


def colours(patches):
    """Means and standard deviations of the channels."""
    pixels = patches / 255
    return np.hstack([pixels.mean(axis=(1, 2)), pixels.std(axis=(1, 2))])


def test_features_of_a_classifier_are_what_its_logits_are_computed_from(
    trained, bright_or_dark
):
    X, _, _ = bright_or_dark
    features = PatchEmbedder(trained).fit_transform(X)
    kernel, bias = list(trained.weights_.values())[-2:]
    assert features.shape == (60, 8)
    assert features.dtype == np.float32
    assert_allclose(
        (features @ kernel + bias).ravel(), trained.decision_function(X), atol=1e-5
    )


def test_features_of_an_architecture_are_those_of_the_keras_network(bright_or_dark):
    X, _, _ = bright_or_dark
    features = PatchEmbedder(ConstantWeights()).fit_transform(X)
    network = ConstantWeights()((12, 12, 3), 1)
    inner = (X / 255.0).astype(np.float32)
    for layer in network.layers[:-1]:
        inner = layer(inner, training=False)
    assert_allclose(features, inner, rtol=1e-5)


def test_views_are_averaged_and_a_rotated_patch_has_the_same_features_bitwise(
    trained, bright_or_dark
):
    X, _, _ = bright_or_dark
    embedder = PatchEmbedder(trained, views="d4").fit(X)
    one_view = PatchEmbedder(trained).fit(X)
    views = [
        one_view.transform(np.rot90(flipped, k, axes=(1, 2)))
        for flipped in (X, X[:, :, ::-1])
        for k in range(4)
    ]
    features = embedder.transform(X)
    assert_allclose(features, np.mean(views, axis=0), atol=1e-5)
    assert_array_equal(embedder.transform(np.rot90(X, axes=(1, 2))), features)


def test_views_need_square_patches(trained):
    X = np.zeros((2, 8, 12, 3), np.uint8)
    embedder = PatchEmbedder(colours, views="d4").fit(X)
    with pytest.raises(ValueError, match=r"views='d4' rotates patches .* 8x12 pixels"):
        embedder.transform(X)


def test_features_do_not_depend_on_the_other_patches(trained, bright_or_dark):
    X, _, _ = bright_or_dark
    embedder = PatchEmbedder(trained).fit(X)
    features = embedder.transform(X)
    for rows in ([3], [5, 5, 59], range(59, -1, -1)):
        assert_array_equal(embedder.transform(X[list(rows)]), features[list(rows)])


def test_pixels_of_16_bits_and_numbers_from_0_to_1_mean_the_same(bright_or_dark):
    X, _, _ = bright_or_dark
    embedder = PatchEmbedder(ConstantWeights())
    expected = embedder.fit_transform(X)
    for same in (X.astype(np.uint16) * 257, X / 255):
        assert_allclose(embedder.fit_transform(same), expected, atol=1e-5)


def test_numbers_that_are_no_pixels_are_an_error_for_pretrained_networks():
    X = np.full((2, 12, 12, 3), 200.0)
    embedder = PatchEmbedder(ConstantWeights()).fit(X)
    message = r"from 200 to 200, but .* in \[0, 1\]\. .* X.astype\(np.uint8\)"
    with pytest.raises(ValueError, match=message):
        embedder.transform(X)


def test_classifiers_and_functions_receive_numbers_as_they_are():
    X = np.random.default_rng(0).normal(size=(40, 8, 8, 1))
    small = CompactCNN(filters=(4,), stem_filters=4)
    classifier = PatchCNNClassifier(architecture=small, epochs=1, random_state=0)
    classifier.fit(X, np.arange(40) % 2)
    assert PatchEmbedder(classifier).fit_transform(X).shape == (40, 4)
    means = PatchEmbedder(lambda p: p.mean(axis=(1, 2))).fit_transform(X)
    assert_allclose(means, X.mean(axis=(1, 2)), atol=1e-6)


def test_a_function_receives_the_patches_in_their_dtype(bright_or_dark):
    X, _, _ = bright_or_dark
    seen = []

    def record(patches):
        seen.append((patches.dtype, patches.shape[1:]))
        return colours(patches)

    features = PatchEmbedder(record).fit_transform(X)
    assert set(seen) == {(np.dtype(np.uint8), (12, 12, 3))}
    assert_allclose(features, colours(X), atol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda patches: patches,
        lambda patches: colours(patches)[:-1],
        lambda patches: np.full((len(patches), 2), "a"),
    ],
)
def test_a_function_must_return_a_table_of_numbers(function, bright_or_dark):
    X, _, _ = bright_or_dark
    with pytest.raises(ValueError, match=r"must return numbers of shape \(1, n_feat"):
        PatchEmbedder(function).fit(X)


def test_patches_are_resized(bright_or_dark):
    X, _, _ = bright_or_dark
    larger = np.asarray(
        [Image.fromarray(x).resize((30, 20), Image.Resampling.BILINEAR) for x in X]
    )
    features = PatchEmbedder(ConstantWeights(), size=(20, 30)).fit_transform(X)
    expected = PatchEmbedder(ConstantWeights()).fit_transform(larger)
    assert_allclose(features, expected, rtol=1e-2)


def test_a_classifier_gets_patches_of_the_size_it_was_fitted_on(
    trained, bright_or_dark
):
    X, _, _ = bright_or_dark
    larger = X.repeat(2, axis=1).repeat(2, axis=2)
    with pytest.raises(ValueError, match=r"\(12, 12, 3\) .* \(24, 24, 3\)"):
        PatchEmbedder(trained).fit(larger)
    assert PatchEmbedder(trained, size=12).fit_transform(larger).shape == (60, 8)


def test_patches_of_another_size_or_kind_than_fitted_are_an_error(
    trained, bright_or_dark
):
    X, _, _ = bright_or_dark
    embedder = PatchEmbedder(trained).fit(X)
    with pytest.raises(ValueError, match=r"\(12, 11, 3\), but .* \(12, 12, 3\)"):
        embedder.transform(X[:, :, :11])
    with pytest.raises(ValueError, match=r"\(12, 12, 1\), but .* \(12, 12, 3\)"):
        embedder.transform(X[..., :1])
    with pytest.raises(
        ValueError, match="this PatchEmbedder was fitted on 8-bit pixels"
    ):
        embedder.transform(X.astype(np.uint16))


def test_nan_features_are_an_error_that_names_the_row(bright_or_dark):
    X, _, _ = bright_or_dark

    def broken(patches):
        means = patches.mean(axis=(1, 2))
        means[(patches == X[41]).all(axis=(1, 2, 3))] = np.nan
        return means

    embedder = PatchEmbedder(broken).fit(X)
    with pytest.raises(
        ValueError, match=r"NaN .* for 1 patches\. The first is in row 41"
    ):
        embedder.transform(X)


def test_unknown_and_random_and_impossible_backbones_are_errors(bright_or_dark):
    X, _, _ = bright_or_dark
    with pytest.raises(
        ValueError, match=r"Unknown backbone 'resnet'. .*'efficientnet_"
    ):
        PatchEmbedder("resnet").fit(X)
    with pytest.raises(ValueError, match="does not have pretrained weights"):
        PatchEmbedder("compact").fit(X)
    with pytest.raises(TypeError, match="backbone must be a name"):
        PatchEmbedder(3).fit(X)
    with pytest.raises(TypeError, match="backbone must be a name"):
        PatchEmbedder(ConstantWeights).fit(X)
    with pytest.raises(NotFittedError, match=r"FrozenEstimator\(classifier\)"):
        PatchEmbedder(PatchCNNClassifier()).fit(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"mean": 0.5},
            "mean can only be used if the backbone is an ONNX or Keras file",
        ),
        ({"layout": "NCHW"}, "layout can only be used"),
        ({"precision": "bfloat16"}, "precision='bfloat16' has no effect"),
        ({"memory": "folder"}, "memory cannot be used if the backbone is a function"),
        ({"views": "d8"}, "The 'views' parameter"),
        ({"size": (3, 4, 5)}, "size must be a positive integer or a tuple"),
    ],
)
def test_parameters_without_effect_are_errors(parameters, message, bright_or_dark):
    X, _, _ = bright_or_dark
    with pytest.raises(ValueError, match=message):
        PatchEmbedder(colours, **parameters).fit(X)


def test_an_embedder_that_is_not_fitted_is_an_error(bright_or_dark):
    X, _, _ = bright_or_dark
    with pytest.raises(NotFittedError, match="This PatchEmbedder instance"):
        PatchEmbedder(colours).transform(X)


def test_clones_keep_a_fitted_classifier_but_share_no_other_backbone(
    trained, bright_or_dark
):
    X, _, _ = bright_or_dark
    expected = PatchEmbedder(trained).fit_transform(X)
    for backbone in (trained, FrozenEstimator(trained)):
        embedder = PatchEmbedder(backbone, views="d4")
        cloned = clone(embedder)
        assert cloned.views == "d4"
        assert_array_equal(cloned.set_params(views=None).fit_transform(X), expected)
    architecture = ConstantWeights()
    assert clone(PatchEmbedder(architecture)).backbone is not architecture


def test_a_later_fit_of_the_classifier_does_not_change_the_features(
    trained, bright_or_dark
):
    X, y, _ = bright_or_dark
    classifier = pickle.loads(pickle.dumps(trained)).set_params(epochs=1)
    embedder = PatchEmbedder(classifier).fit(X)
    before = embedder.transform(X)
    classifier.fit(X, y)
    assert_array_equal(embedder.transform(X), before)


def test_pickles_give_the_same_features(trained, bright_or_dark):
    X, _, _ = bright_or_dark
    for backbone in (trained, ConstantWeights(), colours):
        embedder = PatchEmbedder(backbone).fit(X)
        copy = pickle.loads(pickle.dumps(embedder))
        assert_array_equal(copy.transform(X), embedder.transform(X))
        assert copy.fingerprint_ == embedder.fingerprint_


def test_names_and_pandas_output(trained, bright_or_dark):
    X, _, _ = bright_or_dark
    embedder = PatchEmbedder(trained).fit(X)
    names = [f"patchembedder{i}" for i in range(8)]
    assert embedder.get_feature_names_out().tolist() == names
    table = embedder.set_output(transform="pandas").transform(PatchArray(Source(X)))
    assert table.columns.tolist() == names
    assert embedder.n_features_in_ == 12 * 12 * 3


class Source:
    """Patches in memory as a source, with a record of how many are decoded."""

    def __init__(self, X):
        self.X, self.shape, self.dtype = X, X.shape, X.dtype
        self.asked = []

    def read(self, rows, window):
        self.asked.append(len(rows))
        return self.X[rows][:, window[0], window[1]]


def test_a_patch_array_is_decoded_once_and_in_parts():
    X = np.random.default_rng(0).integers(0, 256, (700, 64, 64, 3), dtype=np.uint8)
    source = Source(X)
    features = PatchEmbedder(ConstantWeights(), views="d4").fit_transform(
        PatchArray(source)
    )
    assert sum(source.asked) == 700
    assert max(source.asked) < 700
    expected = PatchEmbedder(ConstantWeights(), views="d4").fit_transform(X)
    assert_array_equal(features, expected)


def test_names_of_files_become_features_in_a_pipeline(tmp_path, bright_or_dark):
    X, y, _ = bright_or_dark
    names = [f"{i}.png" for i in range(len(X))]
    for name, patch in zip(names, X, strict=True):
        Image.fromarray(patch).save(tmp_path / name)
    pipeline = make_pipeline(
        PatchLoader(root=tmp_path, lazy=True),
        CenterCrop(8),
        PatchEmbedder(colours),
        StandardScaler(),
        LogisticRegression(),
    )
    scores = cross_val_score(pipeline, names, y, cv=3)
    assert scores.mean() > 0.9


@pytest.mark.parametrize(
    "head",
    [
        LogisticRegression(),
        KNeighborsClassifier(3),
        BaggingClassifier(n_estimators=3, random_state=0),
        SelfTrainingClassifier(LogisticRegression()),
    ],
    ids=lambda head: type(head).__name__,
)
def test_the_classifiers_of_scikit_learn_work_behind_it(head, trained, bright_or_dark):
    X, y, _ = bright_or_dark
    labels = y.copy()
    if isinstance(head, SelfTrainingClassifier):
        labels[20:] = -1
    pipeline = make_pipeline(PatchEmbedder(trained), head).fit(X, labels)
    assert pipeline.score(X, y) > 0.9


def mean_of_rows(patches):
    flat = patches.reshape(len(patches), -1)
    return np.hstack([flat.mean(axis=1, keepdims=True), flat[:, :1]])


@pytest.mark.parametrize(
    ("estimator", "check"),
    list(estimator_checks_generator(PatchEmbedder(mean_of_rows))),
    ids=lambda value: getattr(getattr(value, "func", None), "__name__", ""),
)
def test_scikit_learn_checks_of_estimators(estimator, check):
    check(estimator)


def test_progress_is_printed_only_if_asked_for(bright_or_dark, capsys):
    X, _, _ = bright_or_dark
    PatchEmbedder(colours).fit_transform(X)
    assert capsys.readouterr().out == ""
    PatchEmbedder(colours, verbose=True).fit_transform(X)
    assert capsys.readouterr().out == "[PatchEmbedder] 60 of 60 patches\n"


def test_importing_and_functions_need_no_tensorflow():
    code = (
        "import numpy as np, sys\n"
        "from skhisto import PatchEmbedder\n"
        "X = np.zeros((3, 8, 8, 3), np.uint8)\n"
        "PatchEmbedder(lambda p: p.mean(axis=(1, 2))).fit_transform(X)\n"
        "repr(PatchEmbedder())\n"
        "print('tensorflow' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert result.stdout == "False\n"


def test_openvino_gives_other_bits_under_another_identity(
    trained, bright_or_dark, tmp_path
):
    pytest.importorskip("openvino")
    X, _, _ = bright_or_dark
    by_engine = {
        engine: PatchEmbedder(trained, engine=engine, memory=tmp_path).fit_transform(X)
        for engine in (None, "openvino")
    }
    assert_allclose(by_engine["openvino"], by_engine[None], atol=1e-5)
    assert len(list(tmp_path.iterdir())) == 2
    loaded = pickle.loads(
        pickle.dumps(PatchEmbedder(trained, engine="openvino").fit(X))
    )
    assert_array_equal(loaded.transform(X), by_engine["openvino"])


def test_a_function_has_no_engine(bright_or_dark):
    X, _, _ = bright_or_dark
    with pytest.raises(ValueError, match="engine='openvino' has no effect if the back"):
        PatchEmbedder(colours, engine="openvino").fit(X)
