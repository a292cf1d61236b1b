"""Patches are resized channel by channel, as Pillow does it."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

from skhisto.patches._resizing import resampling_matrix, resize_patches
from skhisto.patches._views import view

SIDES = st.integers(1, 40)


@settings(deadline=None)
@given(height=SIDES, width=SIDES, new_height=SIDES, new_width=SIDES)
def test_patches_are_resized_as_pillow_does(height, width, new_height, new_width):
    rng = np.random.default_rng(0)
    patch = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(patch).resize(
        (new_width, new_height), Image.Resampling.BILINEAR
    )
    resized = resize_patches(patch[None], (new_height, new_width))[0]
    assert resized.dtype == np.uint8
    # Pillow rounds after each of both steps.
    assert np.abs(resized.astype(int) - np.asarray(image)).max() <= 2


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "bool"])
def test_a_constant_stays_constant_and_the_dtype_is_kept(dtype):
    patches = np.full((2, 7, 9, 1), 1, dtype)
    resized = resize_patches(patches, (15, 4))
    assert resized.shape == (2, 15, 4, 1)
    assert resized.dtype == dtype
    assert_allclose(resized, 1, rtol=1e-6)


def test_the_same_size_changes_nothing():
    patches = np.arange(24).reshape(2, 3, 4, 1)
    assert resize_patches(patches, (3, 4)) is patches


@pytest.mark.parametrize("number", range(8))
def test_views_are_resized_to_the_same_views(number):
    patches = np.random.default_rng(0).random((2, 9, 9, 2), dtype=np.float32)
    assert_allclose(
        resize_patches(view(patches, number), (14, 14)),
        view(resize_patches(patches, (14, 14)), number),
        atol=1e-6,
    )


def test_white_does_not_overflow():
    white = np.full((1, 5, 5, 3), 255, np.uint8)
    assert_array_equal(resize_patches(white, (13, 13)), np.full((1, 13, 13, 3), 255))


@settings(deadline=None)
@given(
    sides=st.tuples(SIDES, SIDES),
    size=st.tuples(SIDES, SIDES),
    interpolation=st.sampled_from(["bilinear", "bicubic", "lanczos"]),
    dtype=st.sampled_from(["uint8", "uint16"]),
)
@example(sides=(38, 10), size=(36, 38), interpolation="bilinear", dtype="uint16")
def test_matrices_of_weights_resize_as_pillow_does(sides, size, interpolation, dtype):
    limit = np.iinfo(dtype).max
    rng = np.random.default_rng(0)
    patches = rng.integers(0, limit, (2, *sides, 3), dtype=dtype, endpoint=True)
    rows, columns = (
        resampling_matrix(old, new, interpolation)
        for old, new in zip(sides, size, strict=True)
    )
    planes = patches.transpose(0, 3, 1, 2).astype(float)
    for matrix in (columns, rows):
        if matrix.shape[0] != matrix.shape[1]:
            planes = (planes @ matrix).astype(np.float32).astype(float)
        planes = planes.swapaxes(2, 3)
    exact = np.clip(planes, 0, limit).transpose(0, 2, 3, 1)
    # Of a value halfway between two integers, the order of the sums decides.
    half = 0.5 + np.spacing(np.float32(limit))
    assert np.abs(resize_patches(patches, size, interpolation) - exact).max() <= half
