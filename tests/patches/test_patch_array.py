"""A PatchArray is indexed as a NumPy array is, and decodes only what is asked for."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_predict, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import _safe_indexing, indexable
from sklearn.utils.validation import _num_samples

from skhisto.patches._patch_array import PatchArray, as_height_width, center_window

seeded = settings(derandomize=True, deadline=None)


class ArraySource:
    """Patches of an array in memory, and a note of every row that was read."""

    def __init__(self, array):
        self.array = array
        self.read_rows = []

    def __repr__(self):
        return "ArraySource()"

    @property
    def shape(self):
        return self.array.shape

    @property
    def dtype(self):
        return self.array.dtype

    def read(self, rows, window):
        self.read_rows += rows.tolist()
        return self.array[rows][(slice(None), *window)]


def make_patches(n=10, height=7, width=6, channels=3):
    shape = (n, height, width, channels)
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    source = ArraySource(array)
    return PatchArray(source), array, source


def assert_same(patches, array):
    assert patches.shape == array.shape
    assert patches.dtype == array.dtype
    np.testing.assert_array_equal(np.asarray(patches), array)


# What it looks like


def test_it_describes_itself_as_an_array_does():
    X, array, _ = make_patches()
    for name in ("shape", "dtype", "ndim", "size", "nbytes"):
        assert getattr(X, name) == getattr(array, name)
    assert len(X) == len(array) == _num_samples(X)
    assert (
        repr(X) == "PatchArray(shape=(10, 7, 6, 3), dtype=uint8, source=ArraySource())"
    )


def test_looking_selecting_and_cropping_decode_nothing():
    X, _, source = make_patches()
    taken = X[::2][[3, 1]][np.array([True, False])].center_crop(3)
    _ = (taken.shape, taken.dtype, taken.size, taken.nbytes, len(taken), repr(taken))
    np.shape(taken), np.ndim(taken), np.size(taken)
    assert source.read_rows == []


def test_only_the_rows_asked_for_are_decoded():
    X, _, source = make_patches()
    np.asarray(X[5:8][[2, 0]])
    X[-1]
    assert source.read_rows == [7, 5, 9]


# Indexing


@pytest.mark.parametrize(
    "key",
    [
        slice(2, 5),
        slice(None, None, -1),
        slice(20, 30),
        [4, 0, 0, -1],
        [],
        np.array([4, 0], dtype=np.uint8),
        np.arange(10) % 3 == 0,
        [True, False] * 5,
        np.zeros(10, dtype=bool),
        range(3),
    ],
    ids=str,
)
@pytest.mark.parametrize("with_ellipsis", [False, True])
def test_slices_masks_and_index_arrays_give_a_patch_array(key, with_ellipsis):
    X, array, _ = make_patches()
    taken = X[key, ...] if with_ellipsis else X[key]
    assert isinstance(taken, PatchArray)
    assert_same(taken, array[key])


def test_an_ellipsis_alone_takes_all():
    X, array, _ = make_patches()
    assert_same(X[...], array)


@pytest.mark.parametrize("key", [0, 9, -1, -10, np.int64(3), np.uint8(3), np.array(3)])
@pytest.mark.parametrize("with_ellipsis", [False, True])
def test_an_integer_gives_one_decoded_patch(key, with_ellipsis):
    X, array, _ = make_patches()
    patch = X[key, ...] if with_ellipsis else X[key]
    assert isinstance(patch, np.ndarray)
    np.testing.assert_array_equal(patch, array[key])


@st.composite
def keys(draw, n):
    """A key that a stack of n patches takes, with or without a trailing Ellipsis."""
    rows = st.integers(-n, n - 1)
    key = draw(
        st.slices(n)
        | st.lists(st.booleans(), min_size=n, max_size=n).map(
            lambda mask: np.array(mask, dtype=bool)
        )
        | (st.lists(rows, max_size=2 * n) if n else st.just([]))
    )
    return draw(st.sampled_from([key, (key, ...), (key,)]))


@seeded
@given(st.data())
def test_chains_of_keys_and_crops_equal_numpy(data):
    X, array, _ = make_patches(data.draw(st.integers(0, 8)))
    for _ in range(data.draw(st.integers(0, 4))):
        if data.draw(st.booleans()):
            key = data.draw(keys(len(array)))
            X, array = X[key], array[key]
        else:
            size = tuple(data.draw(st.integers(1, side)) for side in array.shape[1:3])
            rows, columns = center_window(*array.shape[1:3], size)
            X, array = X.center_crop(size), array[:, rows, columns]
        assert isinstance(X, PatchArray)
    assert_same(X, array)
    for index in range(-len(array), len(array)):
        np.testing.assert_array_equal(X[index], array[index])


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (10, "index 10 is out of bounds for axis 0 with size 10"),
        (-11, "index -11 is out of bounds"),
        ([3, 10], "index 10 is out of bounds"),
        (np.ones(9, dtype=bool), "boolean index did not match"),
        (np.array([0.0, 1.0]), "must be of integer"),
        (1.0, "only integers, slices"),
        ("a", "only integers, slices"),
        (None, r"would give 5 dimensions.*np\.asarray\(X\)"),
        (True, "would give 5 dimensions"),
        (np.zeros((2, 2), dtype=int), "would give 5 dimensions"),
        (np.ones((10, 7), dtype=bool), "too many indices"),
        ((slice(None), 0), r"too many indices .* got 2.*np\.asarray\(X\)"),
        ((0, 0, 0, 0), "too many indices .* got 4"),
        ((0, 0, 0, 0, 0), "too many indices .* got 5"),
        ((..., 0), "too many indices"),
        ((), "got 0"),
    ],
)
def test_keys_that_do_not_select_rows_are_index_errors(key, message):
    X, _, source = make_patches()
    with pytest.raises(IndexError, match=message):
        X[key]
    assert source.read_rows == []


def test_iterating_decodes_one_patch_at_a_time():
    X, array, source = make_patches()
    patches = iter(X[3:])
    np.testing.assert_array_equal(next(patches), array[3])
    assert source.read_rows == [3]
    np.testing.assert_array_equal(np.stack(list(patches)), array[4:])


# Decoding


def test_asarray_decodes_all_in_the_dtype_asked_for():
    X, array, _ = make_patches()
    assert np.asarray(X).dtype == np.uint8
    as_float = np.asarray(X, dtype=np.float32)
    assert as_float.dtype == np.float32
    np.testing.assert_array_equal(as_float, array)
    assert X.__array__(np.dtype(np.float32)).dtype == np.float32
    np.testing.assert_array_equal(np.array(X, copy=True), array)


def test_an_array_without_a_copy_is_impossible():
    X, _, source = make_patches()
    with pytest.raises(
        ValueError, match="cannot be converted to an array without a copy"
    ):
        np.array(X, copy=False)
    assert source.read_rows == []


# Cropping


sides = st.integers(1, 12)


@seeded
@given(sides, sides, st.data())
def test_the_centre_lies_where_keras_puts_it(height, width, data):
    crop = (data.draw(st.integers(1, height)), data.draw(st.integers(1, width)))
    rows, columns = center_window(height, width, crop)
    # keras.layers.CenterCrop: int((height - crop_height) / 2)
    assert rows.start == int((height - crop[0]) / 2)
    assert columns.start == int((width - crop[1]) / 2)
    assert (rows.stop - rows.start, columns.stop - columns.start) == crop


@seeded
@given(st.integers(1, 7), st.integers(1, 6))
def test_a_crop_is_the_same_part_of_every_patch(height, width):
    X, array, _ = make_patches()
    top, left = (7 - height) // 2, (6 - width) // 2
    assert_same(
        X.center_crop((height, width)),
        array[:, top : top + height, left : left + width],
    )


def test_cropping_twice_crops_the_crop():
    X, array, _ = make_patches()
    assert_same(X.center_crop((6, 5)).center_crop(2), array[:, 2:4, 1:3])
    assert_same(X.center_crop(6).center_crop((3, 3)), array[:, 1:4, 1:4])


def test_cropping_leaves_the_original_as_it_was():
    X, array, _ = make_patches()
    X.center_crop(2)
    X[:3]
    assert_same(X, array)


@pytest.mark.parametrize(
    ("size", "named"), [(8, "8x8"), ((7, 7), "7x7"), ((8, 1), "8x1")]
)
def test_a_crop_larger_than_the_patch_names_both_sizes(size, named):
    X, _, _ = make_patches()
    with pytest.raises(ValueError, match=f"crop of {named} pixels .* patches of 7x6"):
        X.center_crop(size)


@pytest.mark.parametrize(
    "size", [0, -1, 2.0, "3", None, (3,), (1, 2, 3), (0, 2), (2, 1.5), [3, 3]]
)
def test_a_size_is_one_or_two_positive_integers(size):
    with pytest.raises(ValueError, match=r"size must be a positive integer or a tuple"):
        as_height_width(size)


# Groups and coordinates


def with_groups(n=10):
    _X, _array, source = make_patches(n)
    groups = np.array([f"slide {row % 3}" for row in range(n)])
    coords = np.stack([np.arange(n), np.arange(n) ** 2], axis=1)
    return PatchArray(source, groups=groups, coords=coords), groups, coords


def test_without_groups_and_coordinates_there_are_none():
    X, _, _ = make_patches()
    assert X.groups is None
    assert X.coords is None
    assert X[2:4].groups is None


@seeded
@given(st.data())
def test_groups_and_coordinates_are_selected_with_the_patches(data):
    X, groups, coords = with_groups(data.draw(st.integers(1, 8)))
    for _ in range(data.draw(st.integers(0, 3))):
        key = data.draw(keys(len(groups)))
        X, groups, coords = X[key], groups[key], coords[key]
        X = X.center_crop(5)
    assert X.groups.tolist() == groups.tolist()
    assert X.coords.tolist() == coords.tolist()


def test_groups_follow_splits_crops_copies_and_pickles():
    X, groups, coords = with_groups()
    for rows, _ in StratifiedKFold(2).split(X, np.arange(10) % 2):
        taken = _safe_indexing(X, rows).center_crop(2)
        for same in (taken, copy.deepcopy(taken), pickle.loads(pickle.dumps(taken))):
            assert same.groups.tolist() == groups[rows].tolist()
            assert same.coords.tolist() == coords[rows].tolist()


def test_groups_come_from_the_source_unless_they_are_given():
    _, _, source = make_patches(3)
    source.groups, source.coords = [1, 1, 2], np.zeros((3, 2))
    assert PatchArray(source).groups.tolist() == [1, 1, 2]
    assert PatchArray(source).coords.tolist() == [[0, 0]] * 3
    assert PatchArray(source, groups=[7, 8, 9]).groups.tolist() == [7, 8, 9]


def test_changing_groups_afterwards_does_not_change_the_array():
    _, _, source = make_patches(3)
    groups = np.array([1, 1, 2])
    X = PatchArray(source, groups=groups)
    groups[:] = 0
    X.groups[:] = 0
    assert X.groups.tolist() == [1, 1, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": [1, 2]}, r"here \(3,\), got \(2,\)"),
        ({"groups": [[1], [2], [3]]}, r"got \(3, 1\)"),
        (
            {"groups": [1, None, 3]},
            "1 of 3 groups are None or NaN\. The first is in row 1",
        ),
        ({"groups": [1, np.nan, np.nan]}, "2 of 3 groups"),
        ({"coords": [1, 2, 3]}, r"here \(3, 2\), with the columns x and y"),
        ({"coords": [["1", "2"]] * 3}, "coords must be finite numbers"),
        ({"coords": [[1, np.inf]] * 3}, "coords must be finite numbers"),
    ],
)
def test_groups_and_coordinates_of_another_shape_are_errors(arguments, message):
    _, _, source = make_patches(3)
    with pytest.raises(ValueError, match=message):
        PatchArray(source, **arguments)


# With others


def test_pickling_and_copying_keep_rows_and_window():
    X, array, _ = make_patches()
    taken = X[2:8:2].center_crop(3)
    for same in (
        pickle.loads(pickle.dumps(taken)),
        copy.copy(taken),
        copy.deepcopy(taken),
    ):
        assert_same(same, array[2:8:2, 2:5, 1:4])


def test_the_public_name_is_the_one_written_in_pickles():
    assert f"{PatchArray.__module__}.{PatchArray.__qualname__}" == "skhisto.PatchArray"


@pytest.mark.parametrize(
    "key", [3, slice(1, 4), [2, 0], (5, 1), np.array([5, 1]), np.arange(10) > 6]
)
def test_scikit_learn_indexes_it_lazily(key):
    X, array, source = make_patches()
    taken = _safe_indexing(X, key)
    if not isinstance(taken, np.ndarray):
        assert source.read_rows == []
    np.testing.assert_array_equal(np.asarray(taken), _safe_indexing(array, key))


def test_scikit_learn_splits_it_lazily():
    X, array, source = make_patches()
    y = np.arange(10) % 2
    (same,) = indexable(X)
    assert same is X
    train, test, train_rows, test_rows = train_test_split(
        X, np.arange(10), random_state=0
    )
    folds = list(StratifiedKFold(2).split(X, y))
    assert source.read_rows == []
    assert len(folds) == 2
    assert_same(train, array[train_rows])
    assert_same(test, array[test_rows])


def test_cross_validation_hands_folds_on_undecoded():
    X, _, source = make_patches()
    kinds = []

    def note_kind(patches):
        kinds.append(type(patches))
        return np.zeros((len(patches), 1))

    model = make_pipeline(FunctionTransformer(note_kind), DummyClassifier())
    cross_val_predict(model, X, np.arange(10) % 2, cv=2)
    assert set(kinds) == {PatchArray}
    assert source.read_rows == []
