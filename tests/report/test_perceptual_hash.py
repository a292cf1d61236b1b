import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.ndimage import gaussian_filter

from skhisto.patches._measures import to_grey
from skhisto.patches._views import view
from skhisto.report._perceptual_hash import coefficients, eight_views, hashes

seeds = st.integers(0, 2**32 - 1)
lengths = st.integers(12, 40)


def grey_patches(seed, height, width):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (2, height, width)).astype(np.float32)


@given(seeds, lengths, lengths, st.sampled_from(range(8)))
def test_a_view_of_a_patch_has_one_of_its_eight_sets_of_coefficients(
    seed, height, width, number
):
    grey = grey_patches(seed, height, width)
    seen = coefficients(view(grey, number)).astype(np.float32)
    views = eight_views(coefficients(grey))
    difference = np.abs(views - seen[:, np.newaxis]).max(axis=(2, 3))
    assert difference.min(axis=1).max() < 2e-3  # float16


def test_the_eight_views_are_different(tissue):
    X, _, _ = tissue
    views = hashes(eight_views(coefficients(to_grey(X[:20].astype(np.float32)))))
    assert all(len(set(row.tolist())) == 8 for row in views)


@given(seeds, lengths, st.floats(0.5, 2), st.floats(-20, 20))
def test_brightness_and_contrast_do_not_matter(seed, length, factor, offset):
    grey = grey_patches(seed, length, length)
    one, other = coefficients(grey), coefficients(factor * grey + offset)
    np.testing.assert_allclose(one.astype(float), other.astype(float), atol=5e-3)


def test_stripes_and_single_colours_look_like_no_others():
    grey = np.stack([np.full((30, 30), 9.0), np.tile(np.arange(30.0), (30, 1))])
    assert not coefficients(grey.astype(np.float32)).any()


def test_each_bit_is_the_sign_of_a_coefficient():
    coefs = np.full((64, 8, 8), -1.0)
    coefs.reshape(64, 64)[np.diag_indices(64)] = 1
    found = hashes(coefs)
    assert np.all(np.bitwise_count(found) == 1)
    assert len(set(found.tolist())) == 64


def as_jpeg(patch):
    file = io.BytesIO()
    Image.fromarray(patch).save(file, "JPEG", quality=40)
    return np.asarray(Image.open(file))


@pytest.mark.parametrize(
    "change",
    [
        as_jpeg,
        lambda patch: gaussian_filter(patch, (1, 1, 0)),
        lambda patch: np.asarray(Image.fromarray(patch).resize((64, 64))),
    ],
    ids=["jpeg", "blurred", "resized"],
)
def test_changed_copies_differ_in_few_bits_and_other_patches_in_many(tissue, change):
    X, _, _ = tissue
    views = eight_views(coefficients(to_grey(X.astype(np.float32))))
    changed = np.stack([change(patch) for patch in X]).astype(np.float32)
    found = hashes(coefficients(to_grey(changed)))
    different = np.bitwise_count(hashes(views)[:, :, None] ^ found).min(axis=1)
    is_copy = np.eye(len(X), dtype=bool)
    assert different[is_copy].max() <= 7
    assert different[~is_copy].min() > 9
