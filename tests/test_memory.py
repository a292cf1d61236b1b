"""What repeated fits leave behind."""

import gc
import tracemalloc

import numpy as np
from sklearn.base import clone
from tensorflow.python.framework.func_graph import FuncGraph

from skhisto import PatchArray, PatchEmbedder


def live_graphs():
    gc.collect()
    return sum(isinstance(thing, FuncGraph) for thing in gc.get_objects())


def test_repeated_fits_leave_no_graph_behind(tiny_cnn, bright_or_dark):
    X, y, groups = bright_or_dark
    tiny_cnn.set_params(epochs=1, early_stopping=True)
    counts = []
    for seed, learning_rate in enumerate([0.1, 0.01, 0.001, 0.0001]):
        tiny_cnn.set_params(random_state=seed, learning_rate=learning_rate)
        clone(tiny_cnn).fit(X, y, groups=groups).predict(X)
        counts.append(live_graphs())
    assert counts == counts[:1] * 4


class CountingSource:
    """Patches of one colour, with a record of how many were decoded at a time."""

    dtype = np.dtype(np.uint8)

    def __init__(self, n):
        self.shape = (n, 12, 12, 3)
        self.asked = []

    def read(self, rows, window):
        self.asked.append(len(rows))
        return np.repeat(rows % 251, 12 * 12 * 3).reshape(-1, 12, 12, 3).astype("uint8")


def test_no_more_patches_than_a_batch_are_decoded_at_a_time(tiny_cnn):
    source = CountingSource(300)
    X, y = PatchArray(source), np.arange(300) % 2
    tiny_cnn.set_params(epochs=1, early_stopping=True).fit(X, y).predict(X)
    # To train and predict on, and to measure statistics on.
    assert max(source.asked) <= 64
    assert sum(source.asked) < 3 * 300


def test_patches_read_lazily_give_the_same_weights_as_those_in_memory(tiny_cnn):
    X, y = PatchArray(CountingSource(50)), np.arange(50) % 2
    tiny_cnn.set_params(epochs=2)
    lazy, in_memory = clone(tiny_cnn).fit(X, y), clone(tiny_cnn).fit(np.asarray(X), y)
    for weight, other in zip(
        lazy.weights_.values(), in_memory.weights_.values(), strict=True
    ):
        np.testing.assert_array_equal(weight, other)
    np.testing.assert_array_equal(lazy.predict_proba(X), in_memory.predict_proba(X))


def test_embedding_holds_a_few_patches_at_a_time():
    source = LargePatches(6_000)
    tracemalloc.start()
    features = PatchEmbedder(top_left).fit_transform(PatchArray(source))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # All patches have 110 MB.
    assert peak < 55e6
    np.testing.assert_array_equal(features[:, 0], np.arange(6_000) % 251)
    assert sum(source.asked) == 6_000 + 1  # the function is tried on one patch


def top_left(patches):
    return patches[:, 0, 0]


class LargePatches(CountingSource):
    """Patches of 96x96 pixels."""

    def __init__(self, n):
        super().__init__(n)
        self.shape = (n, 96, 96, 2)

    def read(self, rows, window):
        self.asked.append(len(rows))
        colours = (rows % 251).astype(np.uint8)
        return np.broadcast_to(
            colours[:, None, None, None], (len(rows), 96, 96, 2)
        ).copy()
