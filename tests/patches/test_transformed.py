"""Mapped patches are changed when they are read: whole, and then cropped."""

import pickle
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhisto.patches import _transformed
from skhisto.patches._patch_array import PatchArray
from skhisto.patches._transformed import TransformedPatches, chunks, map_in_chunks

seeded = settings(derandomize=True, deadline=None)


class ArraySource:
    """Patches of an array in memory, and a note of every row that was read."""

    def __init__(self, array):
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.read_rows = []

    def __repr__(self):
        return "ArraySource()"

    def read(self, rows, window):
        self.read_rows += rows.tolist()
        return self.array[rows][(slice(None), *window)]


def subtract_from_mean(patches, offset=0):
    """Something that depends on all pixels of a patch, and on no other patch."""
    means = patches.mean(axis=(1, 2, 3), keepdims=True).astype(np.uint8)
    return means + np.uint8(offset) - patches


def make_patches(n=10, height=7, width=6):
    shape = (n, height, width, 3)
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    source = ArraySource(array)
    return PatchArray(source), array, source


def test_nothing_is_decoded_or_changed_before_it_is_asked_for():
    X, array, source = make_patches()
    lazy = PatchArray(TransformedPatches(X, subtract_from_mean))
    assert (lazy.shape, lazy.dtype) == (array.shape, array.dtype)
    taken = lazy[2:8][[3, 1]].center_crop(3)
    assert "TransformedPatches(PatchArray(shape=(10, 7, 6, 3)" in repr(lazy)
    assert source.read_rows == []
    np.asarray(taken)
    assert source.read_rows == [5, 3]


@seeded
@given(st.data())
def test_a_crop_of_the_changed_is_the_changed_and_then_cropped(data):
    X, _, _ = make_patches()
    before, after = (
        data.draw(st.tuples(st.integers(1, 7), st.integers(1, 6))) for _ in range(2)
    )
    after = (min(before[0], after[0]), min(before[1], after[1]))
    rows = data.draw(st.lists(st.integers(-10, 9), max_size=12))
    cropped = X.center_crop(before)
    lazy = PatchArray(TransformedPatches(cropped, subtract_from_mean))[rows]
    eager = subtract_from_mean(np.asarray(cropped))[rows]
    np.testing.assert_array_equal(np.asarray(lazy), eager)
    top, left = (before[0] - after[0]) // 2, (before[1] - after[1]) // 2
    np.testing.assert_array_equal(
        np.asarray(lazy.center_crop(after)),
        eager[:, top : top + after[0], left : left + after[1]],
    )


def test_groups_and_coordinates_are_kept():
    _, _, source = make_patches()
    X = PatchArray(source, groups=np.arange(10), coords=np.ones((10, 2)))
    lazy = PatchArray(TransformedPatches(X[4:], subtract_from_mean))
    assert lazy[[2, 0]].groups.tolist() == [6, 4]
    assert lazy[[2, 0]].coords.tolist() == [[1, 1], [1, 1]]


def test_maps_may_be_stacked_and_pickled():
    X, array, _ = make_patches()
    lazy = PatchArray(TransformedPatches(X, subtract_from_mean))
    lazy = PatchArray(TransformedPatches(lazy, partial(subtract_from_mean, offset=7)))
    expected = subtract_from_mean(subtract_from_mean(array), offset=7)
    np.testing.assert_array_equal(np.asarray(lazy), expected)
    copy = pickle.loads(pickle.dumps(lazy[3:].center_crop(2)))
    np.testing.assert_array_equal(np.asarray(copy), expected[3:, 2:4, 2:4])


@pytest.mark.parametrize("pixels_per_chunk", [1, 7 * 6 * 3, 10**6])
def test_chunks_make_no_difference(monkeypatch, pixels_per_chunk):
    monkeypatch.setattr(_transformed, "_PIXELS_PER_CHUNK", pixels_per_chunk)
    X, array, _ = make_patches()
    for patches in (X, array):
        np.testing.assert_array_equal(
            map_in_chunks(subtract_from_mean, patches), subtract_from_mean(array)
        )


def test_patches_are_decoded_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr(_transformed, "_PIXELS_PER_CHUNK", 7 * 6 * 4)
    X, array, source = make_patches()
    seen = []

    def note(patches):
        seen.append((len(patches), len(source.read_rows)))
        return patches

    np.testing.assert_array_equal(
        np.asarray(PatchArray(TransformedPatches(X, note))), array
    )
    assert seen == [(4, 4), (4, 8), (2, 10)]


def test_chunks_are_of_a_few_patches_and_cover_all(monkeypatch):
    monkeypatch.setattr(_transformed, "_PIXELS_PER_CHUNK", 7 * 6 * 4)
    X, _, _ = make_patches()
    assert [len(X[part]) for part in chunks(X)] == [4, 4, 2]
    assert list(chunks(X[:0])) == []


def test_a_crop_takes_no_more_memory_than_its_pixels():
    X, _, _ = make_patches()
    cropped = np.asarray(
        PatchArray(TransformedPatches(X, subtract_from_mean)).center_crop(2)
    )
    assert cropped.base is None or cropped.base.nbytes == cropped.nbytes
