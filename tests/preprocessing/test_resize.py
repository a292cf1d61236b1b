"""Resize interpolates each channel without aliasing, also lazily."""

import pickle

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn import config_context
from sklearn.base import clone
from sklearn.utils import get_tags

from skhisto import PatchArray, Resize

seeded = settings(derandomize=True, deadline=None)
DTYPES = [np.uint8, np.uint16, np.int32, np.float16, np.float32, np.float64, np.bool_]
sides = st.integers(1, 12)


class ArraySource:
    def __init__(self, array):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype

    def read(self, rows, window):
        return self.array[rows][:, window[0], window[1]]


def random_patches(n, height, width, channels, dtype=np.uint8):
    values = np.random.default_rng(0).random((n, height, width, channels))
    scale = {"u": 250, "i": 1e4}.get(np.dtype(dtype).kind, 1)
    return (
        np.rint(values).astype(dtype)
        if dtype is np.bool_
        else (values * scale).astype(dtype)
    )


@seeded
@given(
    st.integers(1, 3), sides, sides, st.integers(1, 4), sides, sides,
    st.sampled_from(DTYPES), st.sampled_from(["bilinear", "bicubic", "lanczos"]),
)  # fmt: skip
def test_lazy_equals_eager_bitwise_for_all_channels_and_dtypes(
    n, height, width, channels, new_height, new_width, dtype, interpolation
):
    X = random_patches(n, height, width, channels, dtype)
    resize = Resize((new_height, new_width), interpolation=interpolation)
    eager = resize.transform(X)
    lazy = resize.transform(PatchArray(ArraySource(X)))
    assert isinstance(lazy, PatchArray)
    assert eager.shape == lazy.shape == (n, new_height, new_width, channels)
    assert eager.dtype == lazy.dtype == X.dtype
    np.testing.assert_array_equal(np.asarray(lazy), eager)
    np.testing.assert_array_equal(lazy[n - 1], eager[n - 1])


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "lanczos"])
def test_rgb_is_resized_as_pillow_does(interpolation):
    X = random_patches(1, 31, 40, 3)
    filter_ = Image.Resampling[interpolation.upper()]
    expected = np.asarray(Image.fromarray(X[0]).resize((13, 17), filter_))
    resized = Resize((17, 13), interpolation=interpolation).transform(X)[0]
    # Pillow rounds after each of two steps.
    assert np.abs(resized.astype(int) - expected).max() <= 2


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1, 5, 24, (7, 30)])
def test_a_constant_stays_constant(dtype, size):
    X = np.full((2, 12, 16, 2), 1 if dtype is np.bool_ else 100, dtype=dtype)
    resized = Resize(size).transform(X)
    assert (resized == X[0, 0, 0, 0]).all()


def test_making_smaller_averages_instead_of_dropping_pixels():
    stripes = np.zeros((1, 96, 96, 1), dtype=np.float32)
    stripes[:, :, ::2] = 1
    inner = Resize(24).transform(stripes)[0, 2:-2, 2:-2]
    np.testing.assert_allclose(inner, 0.5, atol=0.02)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_16_bits_and_floats_keep_their_precision(dtype):
    ramp = np.linspace(1000, 60000, 64).astype(dtype)
    X = np.broadcast_to(ramp, (1, 64, 64))[..., np.newaxis]
    resized = Resize(32).transform(X)[0, 16, 4:-4, 0]
    np.testing.assert_allclose(resized, ramp.reshape(32, 2).mean(axis=1)[4:-4], atol=1)


def test_integers_stay_in_the_range_of_their_dtype():
    X = np.zeros((1, 8, 8, 1), dtype=np.uint16)
    X[:, :, 4:] = 65535
    resized = Resize(32, interpolation="lanczos").transform(X)
    assert resized.min() == 0
    assert resized.max() == 65535
    assert (np.diff(resized[0, 16, 12:20, 0].astype(int)) >= 0).all()


def test_channels_do_not_mix():
    X = random_patches(2, 9, 9, 4)
    resized = Resize(5).transform(X)
    for channel in range(4):
        alone = Resize(5).transform(X[..., channel])
        np.testing.assert_array_equal(resized[..., channel], alone)


def test_the_input_is_not_changed_and_equal_sizes_are_returned_as_they_are():
    X = random_patches(2, 9, 8, 3)
    before = X.copy()
    Resize(4).transform(X)
    np.testing.assert_array_equal(X, before)
    assert Resize((9, 8)).transform(X) is X


def test_a_lazy_array_keeps_groups_and_rows_and_can_be_pickled():
    X = random_patches(4, 9, 8, 3)
    lazy = PatchArray(
        ArraySource(X), groups=[1, 2, 3, 4], coords=[[i, 9] for i in range(4)]
    )
    resized = Resize(5).transform(lazy[[3, 1]]).center_crop(3)
    assert resized.groups.tolist() == [4, 2]
    assert resized.coords.tolist() == [[3, 9], [1, 9]]
    expected = Resize(5).transform(X)[[3, 1], 1:4, 1:4]
    for same in (resized, pickle.loads(pickle.dumps(resized))):
        np.testing.assert_array_equal(np.asarray(same), expected)
        assert same.groups.tolist() == [4, 2]


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("size", [7, (22, 3), (22, 4)])
def test_a_single_colour_patch_is_refused(channels, size):
    patch = random_patches(20, 22, channels, 1)[..., 0]
    message = (
        rf"shape \(20, 22, {channels}\) .* {channels} channels\. A single patch needs "
        r"an axis in front: X\[np\.newaxis\]"
    )
    with pytest.raises(ValueError, match=message):
        Resize(size).fit_transform(patch)
    assert Resize(7).transform(patch[np.newaxis]).shape == (1, 7, 7, channels)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"size": 0}, "'size' parameter of Resize"),
        ({"size": (3, 0)}, r"size must be a positive integer .* \(3, 0\)"),
        ({"size": 2.5}, "'size' parameter"),
        ({"interpolation": "nearest"}, "'interpolation' parameter"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_bad_parameters_are_named(params, message, method):
    with pytest.raises(ValueError, match=message):
        getattr(Resize(**params), method)(random_patches(1, 4, 4, 3))


def test_it_is_a_stateless_transformer():
    resize = Resize((3, 4), interpolation="bicubic")
    by_skops = skops.io.loads(skops.io.dumps(resize), trusted=["skhisto.Resize"])
    for same in (clone(resize), pickle.loads(pickle.dumps(resize)), by_skops):
        assert same.get_params() == {"size": (3, 4), "interpolation": "bicubic"}
    assert not get_tags(resize).requires_fit
    X = random_patches(1, 4, 4, 3)
    assert vars(resize.fit(X)) == resize.get_params()
    with config_context(transform_output="pandas"):
        assert type(resize.fit_transform(X)) is np.ndarray
