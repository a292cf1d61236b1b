"""The parameter `augment` of the classifier."""

import threading

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skhisto import D4, PatchCNNClassifier, StainJitter


class Spy:
    """An augmentation that records its calls and returns the patches unchanged."""

    def __init__(self):
        self.patches, self.draws, self.threads = [], [], set()

    def __call__(self, patches, rng):
        self.patches.append(patches)
        self.draws.append(rng.random())
        self.threads.add(threading.current_thread())
        return patches

    def __deepcopy__(self, memo):
        return self  # clones of the classifier use the same spy


def weights(classifier):
    return np.concatenate([w.ravel() for w in classifier.weights_.values()])


def test_training_batches_are_augmented_as_unscaled_pixels_in_another_thread(
    tiny_cnn, bright_or_dark
):
    X, y, _ = bright_or_dark
    spy = Spy()
    tiny_cnn.set_params(augment=spy, epochs=2, batch_size=20).fit(X, y)
    assert [patches.shape for patches in spy.patches] == [(20, 12, 12, 3)] * 6
    assert {patches.dtype.name for patches in spy.patches} == {"uint8"}
    assert len(set(spy.draws)) == 6
    assert threading.main_thread() not in spy.threads


def test_neither_validation_nor_prediction_is_augmented(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    spy = Spy()
    tiny_cnn.set_params(augment=spy, epochs=1, batch_size=64)
    tiny_cnn.fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    tiny_cnn.predict_proba(X)
    assert [len(patches) for patches in spy.patches] == [30]


def test_the_augmentations_and_their_order_affect_the_weights(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1)
    plain, shown, stained, both, other_way_round = (
        weights(tiny_cnn.set_params(augment=augment).fit(X, y))
        for augment in (None, "d4", "stain", ["d4", "stain"], ["stain", "d4"])
    )
    assert len({w.tobytes() for w in (plain, shown, stained, both)}) == 4
    assert not np.array_equal(both, other_way_round)
    tiny_cnn.set_params(augment=[D4(), StainJitter()])
    np.testing.assert_array_equal(weights(tiny_cnn.fit(X, y)), both)


@pytest.mark.parametrize("augment", ["brightness", ["d4", StainJitter(scale=0.3)]])
def test_the_same_seed_gives_bitwise_equal_weights(tiny_cnn, bright_or_dark, augment):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(augment=augment, epochs=2)
    first = weights(clone(tiny_cnn).fit(X, y))
    np.testing.assert_array_equal(weights(clone(tiny_cnn).fit(X, y)), first)


@pytest.mark.parametrize(
    ("augment", "shape", "dtype", "message"),
    [
        ("d4", (12, 10, 3), "uint8", r"square patches, but they are 12x10 pixels"),
        ("stain", (12, 12, 1), "uint8", r"needs RGB patches of dtype uint8"),
        ("stain", (12, 12, 3), "float32", r"needs RGB patches of dtype uint8"),
        ("brightness", (12, 12, 3), "float32", r"needs patches of dtype uint8 or"),
        ("flip", (12, 12, 3), "uint8", r"Available names: 'd4', 'stain', 'brightness'"),
        (
            StainJitter(scale=2),
            (12, 12, 3),
            "uint8",
            r"'scale' parameter of StainJitter",
        ),
        (lambda X, rng: X[:1], (12, 12, 3), "uint8", r"returned an array of shape"),
    ],
)
def test_errors_are_raised_before_the_classifier_is_fitted(
    tiny_cnn, augment, shape, dtype, message
):
    X, y = np.ones((20, *shape), dtype), np.arange(20) % 2
    with pytest.raises(ValueError, match=message):
        tiny_cnn.set_params(augment=augment).fit(X, y)
    assert not hasattr(tiny_cnn, "weights_")


def test_a_classifier_exposes_and_clones_the_parameters_of_an_augmentation():
    classifier = PatchCNNClassifier(augment=StainJitter(scale=0.1))
    assert classifier.get_params()["augment__scale"] == 0.1
    cloned = clone(classifier).set_params(augment__scale=0.3)
    assert cloned.augment == StainJitter(scale=0.3)
    assert classifier.augment == StainJitter(scale=0.1)
    assert "augment=StainJitter(scale=0.1)" in repr(classifier)


def test_a_search_tries_parameters_of_an_augmentation(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(augment=StainJitter(), epochs=1)
    search = GridSearchCV(tiny_cnn, {"augment__scale": [0, 1]}, cv=2, refit=False)
    search.fit(X, y)
    assert search.cv_results_["param_augment__scale"].tolist() == [0, 1]
    assert tiny_cnn.augment == StainJitter()
    stronger = clone(tiny_cnn).set_params(augment__scale=1)
    assert not np.array_equal(weights(tiny_cnn.fit(X, y)), weights(stronger.fit(X, y)))


def test_the_stains_of_rgba_patches_are_kept_with_a_warning(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    opaque = np.concatenate([X, np.full_like(X[..., :1], 255)], axis=-1)
    tiny_cnn.set_params(epochs=1)
    with pytest.warns(UserWarning, match="have 4 channels .* alpha channel"):
        tiny_cnn.set_params(augment="auto").fit(opaque, y)
    by_auto = weights(tiny_cnn)
    tiny_cnn.set_params(augment="d4").fit(opaque, y)
    np.testing.assert_array_equal(weights(tiny_cnn), by_auto)
