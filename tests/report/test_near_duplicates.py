import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhisto.patches._views import view
from skhisto.report import _near_duplicates
from skhisto.report._near_duplicates import (
    MAX_BITS,
    MIN_COSINE,
    sets_of_near_duplicates,
)
from skhisto.report._perceptual_hash import eight_views, hashes


def random_coefs(rng, n):
    coefs = rng.normal(size=(n, 8, 8))
    return coefs / np.linalg.norm(coefs, axis=(1, 2), keepdims=True)


def with_changed_signs(rng, coefs, n_bits):
    """Change the signs of the smallest coefficients, which keeps the cosine high."""
    flat = coefs.reshape(len(coefs), 64).copy()
    smallest = np.argsort(np.abs(flat), axis=1)[:, :n_bits]
    rows = np.arange(len(flat))[:, None]
    flat[rows, smallest] *= -1
    return flat.reshape(coefs.shape)


def sets_by_comparing_all_pairs(coefs):
    views = eight_views(coefs)
    bits = np.bitwise_count(hashes(views)[:, :, None] ^ hashes(coefs))
    cosine = np.einsum("ivab,jab->ivj", views, coefs.astype(np.float32))
    alike = ((bits <= MAX_BITS) & (cosine >= MIN_COSINE)).any(axis=1)
    alike |= alike.T
    sets = np.arange(len(coefs))
    for _ in sets:  # the lowest number spreads
        sets = np.where(alike, sets, len(sets)).min(axis=1)
    return sets


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_the_search_finds_what_comparing_all_pairs_finds(seed):
    rng = np.random.default_rng(seed)
    originals = random_coefs(rng, 30)
    copies = [
        eight_views(with_changed_signs(rng, originals[:10], n_bits))[:, number]
        for n_bits, number in zip((0, 4, 7, 9), rng.integers(8, size=4), strict=True)
    ]
    coefs = np.concatenate([originals, *copies]).astype(np.float16)
    expected = sets_by_comparing_all_pairs(coefs)
    found = sets_of_near_duplicates(coefs)
    assert len(set(expected)) < len(coefs)
    same = expected[:, None] == expected
    np.testing.assert_array_equal(found[:, None] == found, same)


@pytest.mark.parametrize("n_bits", [0, 1, 3, 7])
def test_up_to_seven_bits_may_differ_wherever_they_are(n_bits):
    rng = np.random.default_rng(n_bits)
    one = random_coefs(rng, 200)
    other = with_changed_signs(rng, one, n_bits)
    sets = sets_of_near_duplicates(np.concatenate([one, other]).astype(np.float16))
    np.testing.assert_array_equal(sets[:200], sets[200:])
    assert len(set(sets)) == 200


def test_equal_signs_are_not_enough():
    rng = np.random.default_rng(0)
    one = random_coefs(rng, 1)
    other = np.sign(one) * np.abs(random_coefs(rng, 1))
    assert hashes(one) == hashes(other)
    assert len(set(sets_of_near_duplicates(np.concatenate([one, other])))) == 2


def test_many_copies_are_one_set_and_take_few_candidates_at_a_time(monkeypatch):
    monkeypatch.setattr(_near_duplicates, "_MAX_CANDIDATES", 100)
    monkeypatch.setattr(_near_duplicates, "_MAX_EDGES", 100)
    monkeypatch.setattr(_near_duplicates, "_ROWS_PER_STEP", 16)
    rng = np.random.default_rng(0)
    coefs = np.concatenate(
        [np.repeat(random_coefs(rng, 1), 60, 0), random_coefs(rng, 9)]
    )
    sets = sets_of_near_duplicates(coefs[rng.permutation(len(coefs))])
    assert sorted(np.bincount(sets)) == [1] * 9 + [60]


def test_views_of_a_patch_are_one_set():
    coefs = random_coefs(np.random.default_rng(0), 3)
    turned = [np.swapaxes(view(coefs, 0), 1, 2), coefs]
    assert len(set(sets_of_near_duplicates(np.concatenate(turned)))) == 3


def test_there_may_be_no_patches():
    assert len(sets_of_near_duplicates(np.zeros((0, 8, 8), np.float16))) == 0
