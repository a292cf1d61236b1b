import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import make_scorer, recall_score
from sklearn.model_selection import TunedThresholdClassifierCV

from skhisto.metrics import specificity_at_sensitivity


def test_it_is_the_specificity_where_enough_positives_are_found():
    y_true = [0, 0, 0, 0, 1, 1, 1, 1]
    y_pred = [0, 0, 0, 1, 1, 1, 1, 0]
    assert specificity_at_sensitivity(y_true, y_pred, sensitivity=0.75) == 0.75


def test_it_is_far_below_zero_where_too_few_are_found():
    y_true = [0, 0, 1, 1, 1, 1]
    y_pred = [0, 0, 1, 1, 1, 0]
    score = specificity_at_sensitivity(y_true, y_pred, sensitivity=0.95)
    assert score == pytest.approx(-100.2)


@pytest.mark.parametrize("weight", [0.1, 1 / 3, 1 / 7])
def test_a_sensitivity_that_is_just_reached_counts_whatever_the_weights(weight):
    y_true, y_pred = np.ones(200, int), np.r_[np.ones(190, int), np.zeros(10, int)]
    score = specificity_at_sensitivity(
        y_true, y_pred, sample_weight=np.full(200, weight)
    )
    assert score == 1.0


def test_labels_may_be_strings_and_samples_weighted():
    y_true = ["normal", "normal", "tumour"]
    y_pred = ["normal", "tumour", "tumour"]
    score = specificity_at_sensitivity(
        y_true, y_pred, pos_label="tumour", sample_weight=[3, 1, 1]
    )
    assert score == 0.75


def test_folds_without_positives_or_negatives_count_as_all_found():
    assert specificity_at_sensitivity([0, 0], [0, 1], sensitivity=1.0) == 0.5
    assert specificity_at_sensitivity([0, 0], [0, 0], sensitivity=1.0) == 1.0
    assert specificity_at_sensitivity([1, 1], [1, 1]) == 1.0


def test_a_threshold_tuned_with_it_finds_enough_in_every_fold():
    X, y = make_classification(2000, flip_y=0.2, random_state=0)
    X[1500:] -= 1  # another laboratory
    splits = [
        (np.delete(np.arange(2000), rows), rows)
        for rows in np.split(np.arange(2000), 4)
    ]
    for sensitivity in (0.8, 0.95):
        scorer = make_scorer(specificity_at_sensitivity, sensitivity=sensitivity)
        tuned = TunedThresholdClassifierCV(
            LogisticRegression(),
            scoring=scorer,
            cv=splits,
            response_method="decision_function",
            thresholds=300,
        )
        threshold = tuned.fit(X, y).best_threshold_
        found = []
        for train, test in splits:
            fitted = LogisticRegression().fit(X[train], y[train])
            logits = fitted.decision_function(X[test])
            found.append(recall_score(y[test], logits >= threshold))
        assert min(found) == pytest.approx(sensitivity, abs=0.03)


def test_among_logits_a_threshold_is_found_where_classifiers_are_sure():
    rng = np.random.default_rng(0)
    y = np.arange(2000) % 2
    logits = 15 * (rng.normal(size=2000) + 2 * y) - 15
    sure = LogisticRegression(C=np.inf).fit(logits[:, None], logits > 0)
    tuned = TunedThresholdClassifierCV(
        FrozenEstimator(sure),
        scoring=make_scorer(specificity_at_sensitivity, sensitivity=0.98),
        cv="prefit",
        refit=False,
        response_method="decision_function",
        thresholds=1000,
    )
    found = tuned.fit(logits[:, None], y).predict(logits[:, None])
    assert recall_score(y, found) == pytest.approx(0.98, abs=0.005)
    assert recall_score(y, found, pos_label=0) > 0.4


def test_columns_are_labels_too():
    column = np.array([[0], [1], [1]])
    assert specificity_at_sensitivity(column, column) == 1.0


def test_more_than_two_classes_and_unknown_labels_are_errors():
    with pytest.raises(ValueError, match=r"two classes, .*; got \[0, 1, 2\]"):
        specificity_at_sensitivity([0, 1, 2], [0, 1, 1])
    with pytest.raises(ValueError, match=r"pos_label=1 and one other; got"):
        specificity_at_sensitivity(np.array(["a", "b"]), np.array(["a", "b"]))
    with pytest.raises(ValueError, match=r"pos_label=1 and one other; got"):
        specificity_at_sensitivity(["a", "a"], ["a", "a"])


def test_no_labels_are_an_error():
    with pytest.raises(ValueError, match="needs at least one label"):
        specificity_at_sensitivity([], [])


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([0, 0], "at least one non-zero"),
        ([1, -1], "Negative values"),
        ([1, np.nan], "NaN"),
    ],
)
def test_weights_must_weigh(weight, message):
    with pytest.raises(ValueError, match=message):
        specificity_at_sensitivity([0, 1], [0, 1], sample_weight=weight)


@pytest.mark.parametrize("arguments", [([0, 1], [0]), ([0, 1], [0, 1], [1])])
def test_numbers_of_samples_must_agree(arguments):
    y_true, y_pred, *weight = arguments
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        specificity_at_sensitivity(
            y_true, y_pred, sample_weight=weight[0] if weight else None
        )
