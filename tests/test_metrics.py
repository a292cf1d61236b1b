import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import TunedThresholdClassifierCV

from skhisto.metrics import specificity_at_sensitivity


def test_it_is_the_specificity_where_enough_positives_are_found():
    y_true = [0, 0, 0, 0, 1, 1, 1, 1]
    y_pred = [0, 0, 0, 1, 1, 1, 1, 0]
    assert specificity_at_sensitivity(y_true, y_pred, sensitivity=0.75) == 0.75


def test_it_is_negative_by_what_is_missing_where_too_few_are_found():
    y_true = [0, 0, 1, 1, 1, 1]
    y_pred = [0, 0, 1, 1, 1, 0]
    score = specificity_at_sensitivity(y_true, y_pred, sensitivity=0.95)
    assert score == pytest.approx(-0.2)


def test_labels_may_be_strings_and_samples_weighted():
    y_true = ["normal", "normal", "tumour"]
    y_pred = ["normal", "tumour", "tumour"]
    score = specificity_at_sensitivity(
        y_true, y_pred, pos_label="tumour", sample_weight=[3, 1, 1]
    )
    assert score == 0.75


def test_folds_without_positives_or_negatives_count_as_all_found():
    assert specificity_at_sensitivity([0, 0], [0, 1], sensitivity=1.0) == 0.5
    assert specificity_at_sensitivity([1, 1], [1, 1]) == 1.0


def test_a_threshold_tuned_with_it_finds_the_wanted_share_of_positives():
    X, y = make_classification(2000, flip_y=0.2, random_state=0)
    found = {}
    for sensitivity in (0.8, 0.95):
        scorer = make_scorer(specificity_at_sensitivity, sensitivity=sensitivity)
        tuned = TunedThresholdClassifierCV(LogisticRegression(), scoring=scorer)
        found[sensitivity] = recall_score(y, tuned.fit(X, y).predict(X))
    assert found[0.8] == pytest.approx(0.8, abs=0.05)
    assert found[0.95] == pytest.approx(0.95, abs=0.03)


def test_more_than_two_classes_and_unknown_labels_are_errors():
    with pytest.raises(ValueError, match=r"two classes, but got \[0, 1, 2\]"):
        specificity_at_sensitivity([0, 1, 2], [0, 1, 1])
    with pytest.raises(ValueError, match=r"pos_label=1 is none of the labels"):
        specificity_at_sensitivity(np.array(["a", "b"]), np.array(["a", "b"]))
