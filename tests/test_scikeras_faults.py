"""Known faults of scikeras 0.13, none of which may reach a user of skhisto.

Those about callbacks, determinism, and its patches of Keras' classes are tested where
those subjects are: in test_callbacks, test_reproducibility and _keras/test_compiling.
"""

import numpy as np
import pytest
from sklearn.base import is_classifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import StratifiedKFold, check_cv


def test_it_is_recognised_as_a_classifier(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    assert is_classifier(tiny_cnn)
    folds = check_cv(3, y, classifier=is_classifier(tiny_cnn))
    assert isinstance(folds, StratifiedKFold)
    tiny_cnn.set_params(epochs=1).fit(X, y)
    assert 0 <= get_scorer("roc_auc")(tiny_cnn, X, y) <= 1


def test_one_patch_has_a_row_of_probabilities(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(epochs=1).fit(X, y)
    assert tiny_cnn.predict_proba(X[:1]).shape == (1, 2)
    assert tiny_cnn.predict(X[:1]).shape == (1,)


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int64, bool])
def test_other_dtypes_of_numbers_are_accepted_after_float32(
    tiny_cnn, bright_or_dark, dtype
):
    X, y, _ = bright_or_dark
    X = (X > 100).astype(np.float32)
    tiny_cnn.set_params(epochs=1, augment=None).fit(X, y)
    expected = tiny_cnn.predict_proba(X)
    np.testing.assert_array_equal(tiny_cnn.predict_proba(X.astype(dtype)), expected)


def test_a_warm_start_keeps_the_classes(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    y = np.array(["normal", "tumour"])[y]
    tiny_cnn.set_params(epochs=1, warm_start=True).fit(X, y).fit(X, y)
    assert list(tiny_cnn.classes_) == ["normal", "tumour"]
    assert set(tiny_cnn.predict(X)) <= {"normal", "tumour"}


def test_weights_and_class_weights_leave_the_callers_arrays_alone(
    tiny_cnn, bright_or_dark
):
    X, y, _ = bright_or_dark
    weight = np.ones(60)
    weight.flags.writeable = False
    tiny_cnn.set_params(epochs=1, class_weight={0: 1.0, 1: 3.0})
    tiny_cnn.fit(X, y, sample_weight=weight)
    np.testing.assert_array_equal(weight, 1)
