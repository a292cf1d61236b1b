"""The parameter `architecture` of the classifier, and searches over it."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skhisto import CompactCNN, PatchCNNClassifier, ReferenceCNN, StainJitter

SMALL = {"epochs": 1, "augment": None, "random_state": 0}


def test_the_classifier_has_22_parameters():
    assert len(PatchCNNClassifier().get_params(deep=False)) == 22


def test_a_search_over_the_filters_fits_networks_of_different_widths(bright_or_dark):
    X, y, _ = bright_or_dark
    clf = PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(2,), dense_units=2), **SMALL
    )
    grid = {"architecture__filters": [(2,), (3,)]}
    search = GridSearchCV(clf, grid, cv=2, refit=False).fit(X, y)
    assert search.cv_results_["params"] == [
        {"architecture__filters": (2,)},
        {"architecture__filters": (3,)},
    ]
    assert clf.architecture == ReferenceCNN(filters=(2,), dense_units=2)
    for filters in grid["architecture__filters"]:
        fitted = clone(clf).set_params(architecture__filters=filters).fit(X, y)
        assert fitted.weights_["block1_conv1/kernel"].shape[-1] == filters[0]


def test_a_search_over_architectures_and_their_parameters_works(bright_or_dark):
    X, y, _ = bright_or_dark
    clf = PatchCNNClassifier(**SMALL)
    grid = [
        {
            "architecture": [ReferenceCNN(filters=(2,))],
            "architecture__dense_units": [2, 3],
        },
        {"architecture": [CompactCNN(filters=(2,), stem_filters=2)]},
    ]
    search = GridSearchCV(clf, grid, cv=2).fit(X, y)
    assert len(search.cv_results_["params"]) == 3
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "architecture__filters",
            r"architecture='reference' has no parameters.*Refere",
        ),
        ("augment__scale", r"augment='auto' has no parameters.*StainJitter\(\)"),
        ("colour", r"Invalid parameter 'colour' for estimator PatchCNNClassifier"),
        ("epochs__size", r"Invalid parameter 'epochs__size'"),
        ("model", r"Invalid parameter 'model' for estimator PatchCNNClassifier"),
    ],
)
def test_parameters_that_cannot_be_set_are_an_error_that_says_why(name, message):
    with pytest.raises(ValueError, match=message):
        PatchCNNClassifier().set_params(**{name: 1})


def test_objects_and_their_parameters_can_be_set_in_one_call():
    clf = PatchCNNClassifier().set_params(
        augment=StainJitter(), augment__scale=0.1, architecture=CompactCNN()
    )
    assert clf.augment == StainJitter(scale=0.1)
    assert clf.get_params()["architecture__dropout"] == 0.3


def test_unknown_names_and_invalid_parameters_are_an_error_before_training():
    X, y = np.zeros((4, 12, 12, 3), np.uint8), [0, 1, 0, 1]
    with pytest.raises(
        ValueError, match=r"Unknown architecture 'vgg'\. Available names"
    ):
        PatchCNNClassifier(architecture="vgg").fit(X, y)
    with pytest.raises(ValueError, match="'dropout' parameter of CompactCNN must be"):
        PatchCNNClassifier(architecture=CompactCNN(dropout=2)).fit(X, y)


def test_the_batch_size_that_was_used_is_an_attribute(bright_or_dark):
    X, y, _ = bright_or_dark
    architecture = ReferenceCNN(filters=(2,), dense_units=2)
    clf = PatchCNNClassifier(architecture=architecture, **SMALL)
    assert clf.fit(X, y).batch_size_ == 8
    assert clf.set_params(batch_size=17).fit(X, y).batch_size_ == 17


def test_labels_of_the_shape_that_patchcamelyon_stores_are_accepted(bright_or_dark):
    X, y, _ = bright_or_dark
    architecture = ReferenceCNN(filters=(2,), dense_units=2)
    clf = PatchCNNClassifier(architecture=architecture, **SMALL)
    expected = clf.fit(X, y).decision_function(X)
    stored = clone(clf).fit(X, y.reshape(-1, 1, 1, 1))
    np.testing.assert_array_equal(stored.decision_function(X), expected)


def test_probabilities_are_float64_and_sum_to_one(bright_or_dark):
    X, y, _ = bright_or_dark
    architecture = ReferenceCNN(filters=(2,), dense_units=2)
    for labels in (y, np.arange(60) % 3):
        clf = PatchCNNClassifier(architecture=architecture, **SMALL).fit(X, labels)
        probabilities = clf.predict_proba(X)
        assert probabilities.dtype == np.float64
        np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=0, atol=1e-15)
