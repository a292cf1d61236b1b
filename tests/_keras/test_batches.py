import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhisto._data.samples import Samples
from skhisto._keras.batches import TrainingBatches

# Here every row has a label of its own, to be told apart.
pytestmark = pytest.mark.filterwarnings("ignore:The number of unique classes")


def numbered(n, batch_size, weight=None):
    X = np.arange(n, dtype=np.uint16).reshape(n, 1, 1, 1)
    samples = Samples.from_arrays(X, np.arange(n), sample_weight=weight)
    return TrainingBatches(samples, batch_size=batch_size, pixel_dtype="uint16")


@given(n=st.integers(1, 50), batch_size=st.integers(1, 20), seed=st.integers(0, 99))
def test_an_epoch_goes_through_every_row_once_in_batches_of_one_size(
    n, batch_size, seed
):
    batches = numbered(n, batch_size)
    epoch = list(batches.epoch([seed]))
    assert len(epoch) == len(batches)
    size = min(n, batch_size)
    seen = []
    for batch in epoch:
        assert batch.patches.shape == (size, 1, 1, 1)
        np.testing.assert_array_equal(batch.patches.ravel(), batch.target)
        assert (batch.weight[: batch.n_rows] > 0).all()
        assert (batch.weight[batch.n_rows :] == 0).all()
        seen += list(batch.target[: batch.n_rows])
    assert sorted(seen) == list(range(n))


def test_rows_that_fill_a_batch_are_training_rows_that_are_not_in_it():
    *_, last = numbered(10, 4).epoch([0])
    assert last.n_rows == 2
    assert len(set(last.target)) == 4


@given(n=st.integers(1, 30), batch_size=st.integers(1, 8))
def test_the_mean_over_a_batch_is_the_mean_over_its_rows(n, batch_size):
    weight = np.linspace(1, 2, n)
    for batch in numbered(n, batch_size, weight).epoch([0]):
        rows = batch.target[: batch.n_rows]
        losses = np.sqrt(np.arange(n))
        over_batch = np.mean(losses[batch.target] * batch.weight)
        assert over_batch == pytest.approx(
            np.mean(losses[rows] * weight[rows]), rel=1e-5
        )
        assert batch.total_weight == pytest.approx(weight[rows].sum())


def test_the_order_depends_on_the_generator_only():
    def order(seed):
        epoch = numbered(20, 5).epoch([seed])
        return [list(batch.target) for batch in epoch]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_only_rows_of_the_samples_are_in_batches():
    X = np.arange(10, dtype=np.uint16).reshape(10, 1, 1, 1)
    samples = Samples.from_arrays(X, np.arange(10))[np.array([1, 4, 7, 9])]
    batches = TrainingBatches(samples, batch_size=3, pixel_dtype="uint16")
    for batch in batches.epoch([0]):
        np.testing.assert_array_equal(batch.patches.ravel(), batch.target)
        assert set(batch.target) <= {1, 4, 7, 9}


@given(n=st.integers(1, 1300))
def test_a_sample_is_of_plain_patches_each_once_in_batches_of_about_a_size(n):
    batches = numbered(n, batch_size=4)
    batches.augment = lambda patches, rng: patches * 0
    sample = list(batches.sample(0))
    sizes = [len(patches) for patches in sample]
    assert max(sizes) <= 64
    assert max(sizes) - min(sizes) <= 1
    rows = np.concatenate(sample).ravel()
    assert len(np.unique(rows)) == len(rows) == min(n, 1024)


def test_batches_are_augmented_by_draws_of_their_own():
    drawn = []
    batches = numbered(10, 4)
    batches.augment = lambda patches, rng: (drawn.append(rng.random()), patches + 1)[1]
    for seed in ([0, 0], [0, 1], [0, 0]):
        for batch in batches.epoch(seed):
            np.testing.assert_array_equal(batch.patches.ravel(), batch.target + 1)
    assert len(set(drawn[:6])) == 6
    assert drawn[6:] == drawn[:3]
