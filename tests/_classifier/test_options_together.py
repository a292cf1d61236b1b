"""What a recipe is made of, with everything else that a classifier can do."""

import pickle

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV

from skhisto import D4, PatchLoader, StainJitter

RECIPE = {
    "architecture": "compact",
    "augment": ["d4", StainJitter(scale=0.2)],
    "tta": "d4",
    "learning_rate_schedule": "one_cycle",
}


@pytest.fixture(params=[*RECIPE, "all"])
def classifier(request, tiny_cnn):
    """A fast classifier with one option of the recipe, or with all of them."""
    chosen = RECIPE if request.param == "all" else [request.param]
    options = {name: RECIPE[name] for name in chosen}
    return tiny_cnn.set_params(epochs=2, batch_size=20, **options)


def assert_equal(classifier, other, X):
    """Both have the same weights and predict the same, bitwise."""
    assert classifier.weights_.keys() == other.weights_.keys()
    for name, weight in classifier.weights_.items():
        np.testing.assert_array_equal(weight, other.weights_[name])
    np.testing.assert_array_equal(classifier.predict_proba(X), other.predict_proba(X))


def test_a_class_weight_is_that_weight_of_the_samples(classifier, bright_or_dark):
    X, y, _ = bright_or_dark
    by_sample = clone(classifier).fit(X, y, sample_weight=np.where(y, 3, 1))
    classifier.set_params(class_weight={0: 1, 1: 3}).fit(X, y)
    assert_equal(classifier, by_sample, X)
    unweighted = clone(classifier).set_params(class_weight=None).fit(X, y)
    assert (unweighted.predict_proba(X) != classifier.predict_proba(X)).any()


def test_rows_of_weight_zero_are_as_if_removed(classifier, bright_or_dark):
    X, y, _ = bright_or_dark
    weight = np.arange(60) % 3 > 0
    fewer = clone(classifier).fit(X[weight], y[weight])
    assert_equal(classifier.fit(X, y, sample_weight=weight), fewer, X)


def test_early_stopping_keeps_the_weights_of_the_best_epoch(classifier, bright_or_dark):
    X, y, _ = bright_or_dark
    classifier.set_params(early_stopping=True, n_iter_no_change=1, epochs=6)
    classifier.fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    proba = classifier.set_params(tta=None).predict_proba(X[40:])
    best = min(classifier.history_["val_loss"])
    # Float32 rounds probabilities near 1 to about 1e-7.
    assert log_loss(y[40:], proba) == pytest.approx(best, rel=1e-4, abs=1e-6)


def test_each_of_many_classes_has_its_probability(classifier, bright_or_dark):
    X, _, _ = bright_or_dark
    y = np.array(["a", "b", "c"])[np.arange(60) % 3]
    proba = classifier.fit(X, y).predict_proba(X)
    assert proba.shape == (60, 3)
    np.testing.assert_allclose(proba.sum(axis=1), 1, atol=1e-6)


def test_patches_of_files_give_what_arrays_give(classifier, bright_or_dark, tmp_path):
    X, y, _ = bright_or_dark
    paths = [tmp_path / f"{i:02}.png" for i in range(60)]
    for path, patch in zip(paths, X, strict=True):
        Image.fromarray(patch).save(path)
    lazy = PatchLoader(lazy=True).transform(paths)
    in_memory = clone(classifier).fit(X, y)
    classifier.fit(lazy, y)
    assert_equal(classifier, in_memory, X)
    np.testing.assert_array_equal(
        classifier.predict_proba(lazy), classifier.predict_proba(X)
    )


def test_a_pickle_predicts_and_learns_as_before(classifier, bright_or_dark):
    X, y, _ = bright_or_dark
    loaded = pickle.loads(pickle.dumps(classifier.fit(X, y)))
    assert loaded.get_params() == classifier.get_params()
    assert_equal(loaded, classifier, X)
    assert_equal(clone(loaded).fit(X, y), classifier, X)


def test_training_goes_on_where_it_ended(classifier, bright_or_dark):
    X, y, _ = bright_or_dark
    classifier.set_params(warm_start=True).fit(X, y)
    first = classifier.predict_proba(X)
    loaded = pickle.loads(pickle.dumps(classifier))
    classifier.fit(X, y)
    assert classifier.n_iter_ == 4
    assert (classifier.predict_proba(X) != first).any()
    assert_equal(loaded.fit(X, y), classifier, X)


@pytest.mark.parametrize("classifier", ["all"], indirect=True)
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_it_is_bitwise_reproducible_in_few_bits(classifier, bright_or_dark, precision):
    X, y, _ = bright_or_dark
    classifier.set_params(precision=precision).fit(X, y)
    assert classifier.precision_ == precision
    assert np.isfinite(classifier.decision_function(X)).all()
    assert_equal(clone(classifier).fit(X, y), classifier, X)


def test_a_grid_search_tries_each(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    grid = [
        {"architecture": ["reference", "compact"], "augment": [None]},
        {"augment": ["auto", [D4()]], "tta": [None, "c4"]},
        {"learning_rate_schedule": ["constant", "cosine", "one_cycle"]},
    ]
    search = GridSearchCV(tiny_cnn.set_params(epochs=1), grid, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 9
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
