import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skhisto._data.samples import Samples, with_both_classes


def samples(y, **kwargs):
    X = np.arange(len(y), dtype=np.uint16).reshape(len(y), 1, 1, 1)
    return Samples.from_arrays(X, y, **kwargs)


LABELS = st.one_of(
    st.lists(st.text(st.characters(exclude_characters="\0"), max_size=5), min_size=1),
    st.lists(st.integers(-(2**62), 2**62), min_size=1),
    st.lists(st.booleans(), min_size=1),
    st.lists(st.integers(-1000, 1000).map(float), min_size=1),
)


@given(LABELS, st.booleans())
def test_labels_of_any_type_come_back_from_their_positions(labels, as_objects):
    as_objects = as_objects and isinstance(labels[0], str)
    y = np.array(labels, dtype=object if as_objects else None)
    checked = samples(y)
    assert list(checked.classes) == sorted(set(labels))
    assert list(checked.classes[checked.target]) == labels


def test_labels_that_are_none_of_the_known_classes_are_named():
    with pytest.raises(ValueError, match=r"not in the classes \['a' 'b'\]: \['c'\]"):
        samples(["a", "c"], classes=np.array(["a", "b"]))


def test_rows_are_taken_from_all_arrays_alike():
    checked = samples([0, 1, 0], sample_weight=[1, 2, 3], groups=["s", "t", "u"])
    taken = checked[np.array([2, 0])]
    assert list(taken.y) == [0, 0]
    assert list(taken.weight) == list(taken.sample_weight) == [3, 1]
    assert list(taken.groups) == ["u", "s"]
    assert taken.patches.ravel().tolist() == [2, 0]
    assert checked[np.array([2, 1, 0])].patches.ravel().tolist() == [2, 1, 0]
    assert taken.X is checked.X


def test_patches_are_not_copied():
    X = np.zeros((3, 2, 2, 1))
    weighted = Samples.from_arrays(X, [0, 1, 0], sample_weight=[1, 2, 3])
    assert weighted.patches is X
    dropped = Samples.from_arrays(X, [0, 1, 0], sample_weight=[1, 0, 3])
    assert dropped.X is X
    assert list(dropped.rows) == [0, 2]


def test_a_dict_may_leave_classes_out():
    checked = samples(["a", "b", "c"])
    assert list(checked.class_weight({"b": 2})) == [1, 2, 1]


@pytest.mark.parametrize("weight", [-1, np.nan, np.inf, "x", None])
def test_class_weights_that_are_no_weights_are_named(weight):
    with pytest.raises(ValueError, match=f"the weight of 'a' is {weight!r}"):
        samples(["a", "b"]).class_weight({"a": weight})


def test_class_weights_multiply_sample_weights():
    checked = samples(["a", "b", "b"], sample_weight=[1, 2, 3])
    class_weight = checked.class_weight({"a": 10, "b": 1})
    assert list(checked.weighted(class_weight).weight) == [10, 2, 3]


def test_balanced_class_weights_take_sample_weights_for_repetitions():
    weighted = samples([0, 1, 1], sample_weight=[3, 1, 1]).class_weight("balanced")
    repeated = samples([0, 0, 0, 1, 1]).class_weight("balanced")
    np.testing.assert_allclose(weighted, repeated)


def test_classes_of_weight_zero_are_dropped():
    checked = samples([0, 1, 2])
    assert list(checked.weighted(checked.class_weight({1: 0.0})).y) == [0, 2]


@given(st.integers(1, 5), st.integers(0, 99))
def test_loss_and_accuracy_are_weighted_means(n_outputs, seed):
    rng = np.random.default_rng(seed)
    n_classes = max(n_outputs, 2)
    y = rng.integers(0, n_classes, 12)
    assume(len(np.unique(y)) == n_classes)
    logits = rng.normal(size=(12, n_outputs)).astype(np.float32)
    weight = rng.uniform(0.1, 1, 12)
    loss, accuracy = samples(y, sample_weight=weight).loss_and_accuracy(logits)
    exp = np.exp(with_both_classes(logits))
    proba = exp / exp.sum(axis=1, keepdims=True)
    losses = -np.log(proba[np.arange(12), y])
    assert loss == pytest.approx(np.average(losses, weights=weight), rel=1e-4)
    hits = proba.argmax(axis=1) == y
    assert accuracy == pytest.approx(np.average(hits, weights=weight))
