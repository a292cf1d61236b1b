"""D4 replaces each patch by one of its eight views."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skhisto import D4
from skhisto.patches._views import SYMMETRIES, view

seeded = settings(derandomize=True, deadline=None)


@pytest.fixture
def same_patches():
    """4,000 copies of a patch whose eight views differ."""
    return np.tile(np.arange(27, dtype=np.uint8).reshape(1, 3, 3, 3), (4000, 1, 1, 1))


def numbers_of(seen, patch):
    """Number of the view that each patch is."""
    views = np.stack([view(patch[None], number)[0] for number in SYMMETRIES["d4"]])
    equal = (seen[:, None] == views[None]).all(axis=(2, 3, 4))
    assert (equal.sum(axis=1) == 1).all()
    return equal.argmax(axis=1)


# Draws


def test_each_patch_becomes_one_of_its_views_with_equal_probability(same_patches):
    seen = D4()(same_patches, 0)
    counts = np.bincount(numbers_of(seen, same_patches[0]), minlength=8)
    # The expected count is 500, with a standard deviation of 21.
    assert counts.min() > 420
    assert counts.max() < 580


def test_neighbouring_patches_are_drawn_independently(same_patches):
    numbers = numbers_of(D4()(same_patches, 0), same_patches[0])
    pairs = np.bincount(8 * numbers[::2] + numbers[1::2], minlength=64)
    # The expected count is 31, with a standard deviation of 5.5.
    assert pairs.min() > 8
    assert pairs.max() < 60


def test_the_order_of_the_patches_is_kept(same_patches):
    patches = same_patches[:50] + np.arange(50, dtype=np.uint8).reshape(-1, 1, 1, 1)
    np.testing.assert_array_equal(
        D4()(patches, 0).min(axis=(1, 2, 3)), patches.min(axis=(1, 2, 3))
    )


def test_the_seed_alone_determines_the_views(same_patches):
    first = D4()(same_patches[:20], 3)
    np.testing.assert_array_equal(D4()(same_patches[:20], 3), first)
    inverted = D4()(255 - same_patches[:20], 3)
    np.testing.assert_array_equal(255 - inverted, first)
    assert not np.array_equal(D4()(same_patches[:20], 4), first)


def test_a_generator_advances(same_patches):
    rng = np.random.default_rng(3)
    first, second = (D4()(same_patches[:20], rng) for _ in range(2))
    np.testing.assert_array_equal(first, D4()(same_patches[:20], 3))
    assert not np.array_equal(first, second)


# Pixels


@seeded
@given(
    st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(1, 4)).flatmap(
        lambda sizes: hnp.arrays(
            st.sampled_from([np.uint8, np.uint16, np.float32, np.float64, bool]),
            (sizes[0], sizes[1], sizes[1], sizes[2]),
        )
    ),
    st.integers(0, 2**32),
)
def test_pixels_of_any_dtype_are_moved_without_a_change(patches, seed):
    before = patches.copy()
    seen = D4()(patches, seed)
    assert seen.shape == patches.shape
    assert seen.dtype == patches.dtype
    for patch, seen_patch in zip(patches, seen, strict=True):
        assert any(
            seen_patch.tobytes() == view(patch[None], number).tobytes()
            for number in range(8)
        )
    assert patches.tobytes() == before.tobytes()
    assert not np.shares_memory(seen, patches)


# Errors


@pytest.mark.parametrize("pixel_dtype", ["uint8", "uint16", "float32"])
def test_square_patches_pass_the_check(pixel_dtype):
    D4().check((32, 32, 2), pixel_dtype)


def test_patches_that_are_not_square_raise_an_error():
    message = r"D4\(\) rotates .* square patches, but they are 4x6 pixels"
    with pytest.raises(ValueError, match=message):
        D4().check((4, 6, 3), "uint8")
    with pytest.raises(ValueError, match=message):
        D4()(np.zeros((2, 4, 6, 3), dtype=np.uint8), 0)
