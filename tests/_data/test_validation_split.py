from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skhisto._data.validation_split import validation_split


@given(n=st.integers(20, 200), fraction=st.floats(0.1, 0.5), seed=st.integers(0, 99))
def test_without_groups_the_split_is_stratified(n, fraction, seed):
    target = np.arange(n) % 2
    train, validation = validation_split(target, None, fraction, seed)
    assert sorted([*train, *validation]) == list(range(n))
    assert len(validation) == pytest.approx(n * fraction, abs=1)
    assert target[validation].mean() == pytest.approx(0.5, abs=1 / len(validation))


@given(
    group_sizes=st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=6
    ),
    fraction=st.floats(0.05, 0.6),
    seed=st.integers(0, 99),
)
def test_the_groups_nearest_to_the_fraction_are_set_aside_whole(
    group_sizes, fraction, seed
):
    target = np.concatenate([np.repeat([0, 1], sizes) for sizes in group_sizes])
    groups = np.concatenate([np.repeat(i, sum(s)) for i, s in enumerate(group_sizes)])
    counts = np.array([s for s in group_sizes if sum(s)])
    assume(len(counts) and counts.sum(axis=0).all())
    distances = [
        abs(aside.sum() - fraction * len(target))
        for size in range(1, len(counts))
        for subset in combinations(range(len(counts)), size)
        for aside in [counts[list(subset)].sum(axis=0)]
        if aside.all() and (counts.sum(axis=0) - aside).all()
    ]
    if not distances:
        with pytest.raises(ValueError, match="cannot hold out whole groups"):
            validation_split(target, groups, fraction, seed)
        return
    train, validation = validation_split(target, groups, fraction, seed)
    assert not set(groups[train]) & set(groups[validation])
    assert set(target[train]) == set(target[validation]) == {0, 1}
    assert abs(len(validation) - fraction * len(target)) == pytest.approx(
        min(distances)
    )


@pytest.mark.parametrize("seed", range(5))
def test_of_up_to_12_groups_every_choice_is_tried(seed):
    sizes = 2 * 2 ** np.arange(12)
    groups = np.repeat(np.arange(12), sizes)
    wanted = sizes[[0, 3, 4, 6, 9, 10]].sum()  # no other groups have this size
    _, validation = validation_split(
        np.arange(len(groups)) % 2, groups, wanted / len(groups), seed
    )
    assert set(groups[validation]) == {0, 3, 4, 6, 9, 10}


def test_many_groups_are_split_near_the_fraction_too():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(60), rng.integers(5, 40, 60))
    target = rng.integers(0, 2, len(groups))
    train, validation = validation_split(target, groups, 0.2, 0)
    assert not set(groups[train]) & set(groups[validation])
    assert len(validation) == pytest.approx(0.2 * len(groups), abs=2)


def test_the_split_depends_on_the_seed_only():
    target, groups = np.arange(40) % 2, np.arange(40) // 4
    for g in (None, groups):
        one, again, other = (
            validation_split(target, g, 0.2, seed)[1] for seed in (0, 0, 1)
        )
        np.testing.assert_array_equal(one, again)
        assert list(one) != list(other)


def test_too_few_samples_of_a_class_are_an_error():
    with pytest.raises(ValueError, match=r"validation_fraction=0.1 of 3 samples"):
        validation_split(np.array([0, 0, 1]), None, 0.1, 0)
