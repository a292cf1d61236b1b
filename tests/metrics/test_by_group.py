import pickle

import numpy as np
import pandas as pd
import pytest

from skhisto.metrics import aggregate_by_group, share_above, top_k

PROBA = [0.1, 0.3, 0.9, 0.7, 0.2]
GROUPS = ["b", "b", "a", "a", "a"]


@pytest.mark.parametrize(
    ("method", "a", "b"),
    [
        ("mean", 0.6, 0.2),
        ("max", 0.9, 0.3),
        (top_k(2), 0.8, 0.2),
        (top_k(100), 0.6, 0.2),
        (share_above(0.7), 2 / 3, 0),
        (np.median, 0.7, 0.2),
    ],
)
def test_each_group_gets_one_row_in_sorted_order(method, a, b):
    scores = aggregate_by_group(PROBA, GROUPS, method)
    assert scores.index.tolist() == ["a", "b"]
    assert scores.index.name == "group"
    assert scores["score"].tolist() == pytest.approx([a, b])


def test_each_class_gets_a_column():
    proba = np.column_stack([1 - np.array(PROBA), PROBA])
    scores = aggregate_by_group(proba, GROUPS)
    assert scores.columns.tolist() == [0, 1]
    np.testing.assert_allclose(scores, [[0.4, 0.6], [0.8, 0.2]])


def test_rows_of_a_group_need_not_be_adjacent():
    rng = np.random.default_rng(0)
    proba, groups = rng.random(50), rng.integers(7, size=50)
    expected = pd.Series(proba).groupby(groups).mean()
    scores = aggregate_by_group(proba, groups)["score"]
    np.testing.assert_allclose(scores, expected)
    assert scores.index.tolist() == expected.index.tolist()


@pytest.mark.parametrize("method", [top_k(3), share_above(0.5)])
def test_methods_can_be_pickled(method):
    copy = pickle.loads(pickle.dumps(method))
    assert copy(np.array(PROBA)) == method(np.array(PROBA))


def test_rows_must_agree_and_be_complete():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        aggregate_by_group(PROBA, GROUPS[:-1])
    with pytest.raises(ValueError, match="contains NaN"):
        aggregate_by_group([0.1, np.nan], ["a", "b"])
    with pytest.raises(ValueError, match="groups contains missing values"):
        aggregate_by_group([0.1, 0.2], np.array(["a", None], object))


def test_a_method_must_return_a_number():
    with pytest.raises(TypeError, match=r"method must return one number .* got array"):
        aggregate_by_group(PROBA, GROUPS, method=np.sort)
    with pytest.raises(ValueError, match="'method' parameter"):
        aggregate_by_group(PROBA, GROUPS, method="sum")
    with pytest.raises(ValueError, match="'k' parameter"):
        top_k(0)
