"""The eight views of a square form a group, and move pixels without changing any."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skhisto.patches._views import (
    SYMMETRIES,
    check_square,
    compose,
    inverse,
    view,
)

seeded = settings(derandomize=True, deadline=None)

D4 = SYMMETRIES["d4"]
numbers = st.sampled_from(D4)
square_patches = st.tuples(
    st.integers(0, 3), st.integers(1, 6), st.integers(1, 4)
).flatmap(
    lambda sizes: hnp.arrays(
        st.sampled_from([np.uint8, np.uint16, np.float32]),
        (sizes[0], sizes[1], sizes[1], sizes[2]),
    )
)

PATCH = np.array([[1, 2], [3, 4]]).reshape(1, 2, 2, 1)


# What each view is


@pytest.mark.parametrize(
    ("number", "seen"),
    [
        (0, [[1, 2], [3, 4]]),
        (1, [[2, 4], [1, 3]]),
        (2, [[4, 3], [2, 1]]),
        (3, [[3, 1], [4, 2]]),
        (4, [[2, 1], [4, 3]]),
        (5, [[1, 3], [2, 4]]),
        (6, [[3, 4], [1, 2]]),
        (7, [[4, 2], [3, 1]]),
    ],
)
def test_views_turn_counter_clockwise_after_a_flip_from_left_to_right(number, seen):
    np.testing.assert_array_equal(view(PATCH, number)[0, :, :, 0], seen)


def test_the_eight_views_differ():
    assert len({view(PATCH, number).tobytes() for number in D4}) == 8


def test_c4_holds_the_rotations_and_d4_all_views():
    assert SYMMETRIES["c4"] == tuple(range(4))
    assert SYMMETRIES["d4"] == tuple(range(8))


# The group


@pytest.mark.parametrize("name", SYMMETRIES)
def test_each_group_is_closed_and_holds_inverses(name):
    group = SYMMETRIES[name]
    for first in group:
        assert {compose(first, second) for second in group} == set(group)
        assert inverse(first) in group


@seeded
@given(square_patches, numbers, numbers)
def test_one_view_after_another_is_a_view(patches, first, second):
    np.testing.assert_array_equal(
        view(view(patches, first), second), view(patches, compose(first, second))
    )


@seeded
@given(square_patches, numbers, numbers, numbers)
def test_composition_is_associative(patches, a, b, c):
    assert compose(compose(a, b), c) == compose(a, compose(b, c))
    np.testing.assert_array_equal(
        view(patches, compose(compose(a, b), c)), view(view(view(patches, a), b), c)
    )


@seeded
@given(square_patches, numbers)
def test_an_inverse_undoes_a_view_from_both_sides(patches, number):
    for first, second in [(number, inverse(number)), (inverse(number), number)]:
        np.testing.assert_array_equal(view(view(patches, first), second), patches)


@seeded
@given(square_patches, st.sampled_from([0, 2, 4, 5, 6, 7]))
def test_flips_and_half_turns_undo_themselves(patches, number):
    assert inverse(number) == number
    np.testing.assert_array_equal(view(view(patches, number), number), patches)


def test_four_quarter_turns_are_none():
    assert compose(compose(1, 1), compose(1, 1)) == 0
    assert compose(1, 1) == 2


# Pixels


@seeded
@given(square_patches, numbers)
def test_views_keep_shape_dtype_and_each_pixel_with_its_channels(patches, number):
    seen = view(patches, number)
    assert seen.shape == patches.shape
    assert seen.dtype == patches.dtype
    for patch, seen_patch in zip(patches, seen, strict=True):
        pixels, seen_pixels = (
            sorted(pixel.tobytes() for row in image for pixel in row)
            for image in (patch, seen_patch)
        )
        assert pixels == seen_pixels


@pytest.mark.parametrize("number", D4)
def test_other_axes_can_be_the_spatial_ones(number):
    stack = np.arange(2 * 3 * 3).reshape(2, 3, 3)
    expected = view(stack[..., None], number)[..., 0]
    np.testing.assert_array_equal(view(stack, number), expected)
    np.testing.assert_array_equal(view(stack[1], number, axes=(0, 1)), expected[1])
    last = np.moveaxis(stack, 0, -1)
    np.testing.assert_array_equal(
        view(last, number, axes=(0, 1)), np.moveaxis(expected, 0, -1)
    )


@pytest.mark.parametrize("number", D4)
def test_quarter_turns_swap_height_and_width(number):
    shape = view(np.zeros((1, 2, 5, 3)), number).shape
    assert shape == ((1, 5, 2, 3) if number % 2 else (1, 2, 5, 3))


# Squares


def test_a_patch_that_is_not_square_is_named_with_its_size_and_what_to_do():
    with pytest.raises(
        ValueError,
        match=r"^tta='d4' rotates .* 48x64 pixels \(height x width\)\. .*CenterCrop\(48\)",
    ):
        check_square((48, 64, 3), "tta='d4'")


def test_squares_pass():
    check_square((48, 48, 1), "tta='d4'")
