"""Fitted estimators to export. Conversions take seconds: each is made once."""

import warnings
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from skhisto import CenterCrop, PatchCNNClassifier, PatchLoader, ReferenceCNN, Resize


class Case(NamedTuple):
    """An estimator after the step that loads files, and patches for it."""

    estimator: object
    X: np.ndarray

    @property
    def expected(self):
        return self.estimator.predict_proba(self.X)


def with_a_lambda_layer(patch_shape, n_outputs):
    """A network that cannot be stored with the classifier."""
    from keras import Sequential, layers

    return Sequential(
        [
            layers.Conv2D(3, 3, activation="relu"),
            layers.Lambda(lambda x: x * x, output_shape=lambda shape: shape),
            layers.GlobalMaxPooling2D(),
            layers.Dense(n_outputs),
        ]
    )


def patches(size, n=40, dtype="uint8"):
    rng = np.random.default_rng(0)
    means = np.linspace(0.2, 0.8, n)[:, None, None, None]
    X = np.clip(rng.normal(means, 0.2, (n, size, size, 3)), 0, 1)
    return X if dtype == "float32" else (X * np.iinfo(dtype).max).astype(dtype)


def small(**parameters):
    architecture = parameters.pop(
        "architecture", ReferenceCNN(filters=(4,), dense_units=8)
    )
    return PatchCNNClassifier(
        architecture=architecture,
        epochs=3,
        learning_rate=0.01,
        random_state=0,
        **parameters,
    )


@pytest.fixture(scope="session")
def cropped():
    """Two classes, a crop and test-time augmentation, computed in bfloat16."""
    X = patches(20)
    y = np.array(["normal", "tumour"])[np.arange(40) // 20]
    classifier = small(tta="d4", precision="bfloat16")
    pipeline = make_pipeline(PatchLoader(), CenterCrop(15), classifier)
    pipeline[1:].fit(X, y)
    # Exports are float32, and are compared with float32.
    classifier.set_params(precision="float32")
    return pipeline, Case(pipeline[1:], X)


@pytest.fixture(scope="session")
def three_classes():
    """Three classes, pixels of 16 bits, and a network that cannot be stored."""
    X = patches(14, dtype="uint16")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classifier = small(architecture=with_a_lambda_layer, tta="c4")
        classifier.fit(X, np.arange(40) // 14)
    return Case(classifier, X)


@pytest.fixture(scope="session")
def resized():
    """Patches that are cropped and resized by all filters."""
    steps = [
        CenterCrop((31, 30)),
        Resize((20, 30)),
        Resize(24, interpolation="bicubic"),
        Resize(17, interpolation="lanczos"),
        small(),
    ]
    X = patches(33)
    return Case(make_pipeline(*steps).fit(X, np.arange(40) // 20), X)


@pytest.fixture(scope="session")
def numbers():
    """Numbers that are not pixels."""
    X = patches(12, dtype="float32")
    return Case(small(augment="d4").fit(X, np.arange(40) // 20), X)
