import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    matthews_corrcoef,
    mean_absolute_error,
    roc_auc_score,
)

from benchmarks.intervals import SETTINGS, count_pairs, coverage, simulate
from skhisto.metrics import bootstrap_interval
from skhisto.metrics._intervals import draw_groups, interval_from

MIXED, _, STRONG, ONE_CLASS, *_ = SETTINGS


def simulated(setting=MIXED, n_slides=12):
    return simulate(setting, n_slides, np.random.default_rng(0))


@pytest.mark.parametrize("setting", [MIXED, ONE_CLASS], ids=lambda s: s.name)
def test_the_true_auc_is_covered_as_often_as_promised(setting):
    hits, _, _ = coverage(setting, 10, repetitions=100)
    # 0.92 to 0.98 with many repetitions, see python -m benchmarks.intervals. Here, two
    # standard errors of 100 repetitions are added.
    assert hits["skhisto"] >= 0.88
    assert hits["percentiles"] < hits["skhisto"]


def test_the_true_auc_of_the_simulation_is_that_of_many_slides():
    y_true, y_score, _ = simulate(STRONG, 3000, np.random.default_rng(0))
    assert roc_auc_score(y_true, y_score) == pytest.approx(STRONG.auc, abs=0.005)


def test_pairs_of_slides_give_the_auc_of_resamples():
    y_true, y_score, slides = simulated()
    pairs = count_pairs(y_true, y_score, slides)
    draws = draw_groups(12, 5, 0)
    for draw, auc in zip(draws, pairs.auc(draws), strict=True):
        rows = np.concatenate([np.flatnonzero(slides == slide) for slide in draw])
        assert roc_auc_score(y_true[rows], y_score[rows]) == pytest.approx(auc)


def test_whole_groups_are_resampled():
    y_true, y_score, slides = simulated()
    found = bootstrap_interval(
        roc_auc_score, y_true, y_score, slides, n_resamples=100, random_state=3
    )
    pairs = count_pairs(y_true, y_score, slides)
    expected = interval_from(
        found.estimate, pairs.auc(draw_groups(12, 100, 3)), 12, 0.95, (0, 1)
    )
    assert (found.low, found.high) == pytest.approx(expected[:2])
    assert found.estimate == roc_auc_score(y_true, y_score)
    assert (found.n_groups, found.n_dropped, found.method) == (12, 0, "logit t")


def test_names_and_order_of_groups_do_not_matter():
    y_true, y_score, slides = simulated()
    order = np.random.default_rng(0).permutation(len(slides))
    names = np.array([f"slide {number:02}" for number in slides])
    arguments = {"n_resamples": 100, "random_state": 0}
    one = bootstrap_interval(accuracy_score, y_true, y_score > 1, slides, **arguments)
    other = bootstrap_interval(
        accuracy_score, y_true[order], y_score[order] > 1, names[order], **arguments
    )
    assert one == other


def test_without_groups_each_sample_is_one():
    y_true = np.arange(400) % 2
    right = np.random.default_rng(0).random(400) < 0.8
    found = bootstrap_interval(
        accuracy_score, y_true, np.where(right, y_true, 1 - y_true), random_state=0
    )
    wilson = stats.binomtest(int(right.sum()), 400).proportion_ci(method="wilson")
    assert found.n_groups == 400
    assert (found.low, found.high) == pytest.approx(tuple(wilson), abs=0.008)


def test_resamples_of_a_single_class_are_dropped_and_counted():
    y_true = np.repeat([0, 1], [90, 10])
    slides = np.repeat(np.arange(10), 10)  # only the last one is positive
    y_score = y_true + np.random.default_rng(0).normal(size=100)
    found = bootstrap_interval(
        roc_auc_score, y_true, y_score, slides, n_resamples=1000, random_state=0
    )
    assert found.n_dropped == pytest.approx(1000 * 0.9**10, abs=50)


def test_resamples_that_hardly_ever_contain_all_classes_are_an_error():
    y_true = np.repeat(np.arange(12), 2)
    with pytest.raises(ValueError, match="Of 100 resamples, only 0 contain all cl"):
        bootstrap_interval(
            accuracy_score, y_true, y_true, y_true, n_resamples=100, random_state=0
        )


def test_no_resample_of_numbers_is_dropped():
    y_true = np.linspace(0.1, 1.5, 40)
    found = bootstrap_interval(
        mean_absolute_error, y_true, y_true**2, bounds=None, n_resamples=100
    )
    assert found.n_dropped == 0
    assert found.low < found.estimate < found.high


@pytest.mark.parametrize(("sign", "estimate"), [(1, 1), (-1, 0)])
def test_a_perfect_score_gets_the_interval_of_a_proportion(sign, estimate):
    y_true = np.arange(40) % 2
    slides = np.repeat(np.arange(10), 4)
    found = bootstrap_interval(
        roc_auc_score, y_true, sign * y_true, slides, n_resamples=100
    )
    ends = stats.binomtest(10 * estimate, 10).proportion_ci()
    assert found.estimate == estimate
    assert (found.low, found.high) == pytest.approx((ends.low, ends.high))
    assert found.method == "Clopper-Pearson"


def test_resamples_with_a_perfect_score_keep_the_interval_finite():
    replicates = np.array([0.97] * 30 + [0.99] * 68 + [1.0] * 2)
    low, high, _ = interval_from(0.987, replicates, 10, 0.95, (0, 1))
    assert 0.9 < low < 0.987 < high < 1


def test_other_bounds_scale_the_interval():
    replicates = np.random.default_rng(0).uniform(0.7, 0.9, 100)
    low, high, _ = interval_from(0.8, replicates, 10, 0.95, (0, 1))
    low2, high2, _ = interval_from(0.6, 2 * replicates - 1, 10, 0.95, (-1, 1))
    assert (low2, high2) == pytest.approx((2 * low - 1, 2 * high - 1))


def test_metrics_without_bounds_get_a_symmetric_interval():
    y_true, y_score, slides = simulated()
    proba = 1 / (1 + np.exp(-3 * y_score))
    found = bootstrap_interval(
        log_loss, y_true, proba, slides, bounds=None, n_resamples=100, random_state=0
    )
    assert found.method == "t"
    assert found.high - found.estimate == pytest.approx(found.estimate - found.low)


def test_a_metric_outside_its_bounds_is_an_error():
    y_true = np.arange(40) % 2
    with pytest.raises(
        ValueError, match=r"metric is -1.0, which is outside bounds=\(0, 1\)"
    ):
        bootstrap_interval(matthews_corrcoef, y_true, 1 - y_true)
    with pytest.raises(ValueError, match="must return a finite number; got nan"):
        bootstrap_interval(lambda *_: np.nan, y_true, y_true)


@pytest.mark.parametrize("bounds", [(1, 0), (0,), ("a", 1), (0, np.inf), (0, np.nan)])
def test_bounds_are_two_ascending_numbers(bounds):
    with pytest.raises(ValueError, match="bounds must be the lowest and the highest"):
        bootstrap_interval(accuracy_score, [0, 1], [0, 1], bounds=bounds)


def test_few_groups_are_a_warning_and_one_is_an_error():
    y_true, y_score, slides = simulated(n_slides=4)
    with pytest.warns(UserWarning, match="from 4 groups"):
        bootstrap_interval(roc_auc_score, y_true, y_score, slides, n_resamples=100)
    with pytest.raises(ValueError, match="at least 2 groups; got 1"):
        bootstrap_interval(roc_auc_score, y_true, y_score, np.zeros(len(slides)))


def test_the_result_reads_as_a_sentence():
    y_true = np.arange(40) % 2
    found = bootstrap_interval(accuracy_score, y_true, y_true, n_resamples=100)
    assert str(found) == "1.000 (95 % interval 0.912 to 1.000, 40 groups)"
