"""Users may write sources of patches, and PatchArray checks them."""

import doctest
import pickle

import joblib
import numpy as np
import pytest

from skhisto import CenterCrop, StainNormalizer
from skhisto.patches import PatchArray, PatchSource


class Gradients:
    """Computed patches. A pixel is (row number + y + x) times 1, 2 or 3."""

    def __init__(self, n_patches=5):
        self.shape = (n_patches, 30, 20, 3)
        self.dtype = np.dtype("uint8")

    def read(self, rows, window):
        y, x = np.indices(self.shape[1:3], sparse=True)
        patches = rows[:, None, None, None] + (y + x)[window][..., None]
        return (patches * [1, 2, 3]).astype(self.dtype)


class Incomplete:
    def __init__(self, **attributes):
        vars(self).update(attributes)


def read_all(patches):
    return np.asarray(patches)


def test_the_example_runs():
    (test,) = (t for t in doctest.DocTestFinder(recurse=False).find(PatchSource))
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


def test_patches_of_a_custom_source_are_selected_cropped_and_decoded():
    X = PatchArray(Gradients())
    assert (X.shape, X.dtype) == ((5, 30, 20, 3), np.uint8)
    assert X[4][29, 19, 2] == 3 * (4 + 29 + 19)
    cropped = np.asarray(CenterCrop(10).fit_transform(X[[3, 3, 1]]))
    assert cropped.shape == (3, 10, 10, 3)
    assert cropped[:, 0, 0, 0].tolist() == [3 + 10 + 5, 3 + 10 + 5, 1 + 10 + 5]
    assert np.asarray(X[:0]).shape == (0, 30, 20, 3)


def test_transformers_accept_a_custom_source():
    X = PatchArray(Gradients())
    normalizer = StainNormalizer().fit(X)
    np.testing.assert_array_equal(
        np.asarray(normalizer.transform(X)), normalizer.transform(np.asarray(X))
    )


def test_a_custom_source_survives_pickle_and_is_read_in_threads():
    X = PatchArray(Gradients())
    parts = [X[:2], X[2:]]
    pickled = pickle.loads(pickle.dumps(parts))
    in_threads = joblib.Parallel(2, backend="threading")(
        joblib.delayed(read_all)(part) for part in pickled
    )
    np.testing.assert_array_equal(np.concatenate(in_threads), np.asarray(X))


def test_the_protocol_is_public():
    assert PatchSource.__module__ == "skhisto.patches"
    source: PatchSource = Gradients()
    assert PatchArray(source).shape == source.shape


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (
            np.zeros((2, 4, 4, 3)),
            TypeError,
            r"read\(rows, window\).* ndarray has no method read",
        ),
        (None, TypeError, "but NoneType has no shape"),
        (
            Incomplete(shape=(1, 2, 2, 3), read=print),
            TypeError,
            "Incomplete has no dtype",
        ),
        (
            Incomplete(shape=(1, 2, 2, 3), dtype=np.dtype("uint8"), read=3),
            TypeError,
            "Incomplete has no method read",
        ),
        (
            Incomplete(shape=(1, 2, 2, 3), dtype=np.uint8, read=print),
            TypeError,
            r"must be a NumPy dtype, such as np\.dtype\('uint8'\), got <class",
        ),
        (
            Incomplete(shape=(1, 2, 2), dtype=np.dtype("uint8"), read=print),
            ValueError,
            r"tuple of four non-negative integers .* got \(1, 2, 2\)",
        ),
        (
            Incomplete(shape=(1, 2.0, 2, 3), dtype=np.dtype("uint8"), read=print),
            ValueError,
            r"got \(1, 2\.0, 2, 3\)",
        ),
        (
            Incomplete(shape=(-1, 2, 2, 3), dtype=np.dtype("uint8"), read=print),
            ValueError,
            r"got \(-1, 2, 2, 3\)",
        ),
        (
            Incomplete(shape=4, dtype=np.dtype("uint8"), read=print),
            ValueError,
            "got 4",
        ),
    ],
)
def test_an_incomplete_source_is_an_error(source, error, message):
    with pytest.raises(error, match=message):
        PatchArray(source)


class Disobedient(Gradients):
    """A source that returns other patches than it announces."""

    def __init__(self, change):
        super().__init__()
        self.change = change

    def read(self, rows, window):
        return self.change(super().read(rows, window))


@pytest.mark.parametrize(
    "change",
    [lambda X: X / 255, lambda X: X[:, :-1], lambda X: X[:1], lambda X: X[..., 0]],
)
def test_a_source_that_returns_other_patches_than_it_announces_is_an_error(change):
    patches = PatchArray(Disobedient(change))
    with pytest.raises(
        ValueError, match=r"returned patches of shape .* Expected shape"
    ):
        np.asarray(patches)
