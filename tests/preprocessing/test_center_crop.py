"""CenterCrop crops arrays as a view and PatchArrays without decoding them."""

import pickle

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skhisto.patches._patch_array import PatchArray
from skhisto.preprocessing import CenterCrop, center_crop


class ArraySource:
    """Patches of an array in memory that must not be read."""

    def __init__(self, array):
        self.shape, self.dtype = array.shape, array.dtype

    def read(self, rows, window):
        raise AssertionError("patches were decoded")


def random_patches(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 256, shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, bool])
@pytest.mark.parametrize("shape", [(4, 9, 8, 3), (4, 9, 8, 1), (4, 9, 8)])
def test_arrays_are_cropped_as_a_view(shape, dtype):
    X = random_patches(*shape, dtype=dtype)
    cropped = CenterCrop(size=4).fit_transform(X)
    assert np.shares_memory(cropped, X)
    assert cropped.dtype == dtype
    np.testing.assert_array_equal(cropped, X[:, 2:6, 2:6])


@settings(derandomize=True, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), st.booleans(), st.data())
def test_any_crop_is_the_plain_slice_that_keras_takes(height, width, grey, data):
    X = random_patches(2, height, width, *(() if grey else (3,)))
    crop = (data.draw(st.integers(1, height)), data.draw(st.integers(1, width)))
    # keras.layers.CenterCrop: int((height - crop_height) / 2)
    top, left = int((height - crop[0]) / 2), int((width - crop[1]) / 2)
    np.testing.assert_array_equal(
        center_crop(X, crop), X[:, top : top + crop[0], left : left + crop[1]]
    )


def test_an_odd_difference_leaves_the_larger_margin_at_the_bottom_and_right():
    X = np.arange(16).reshape(1, 4, 4)
    np.testing.assert_array_equal(center_crop(X, 1), [[[5]]])
    np.testing.assert_array_equal(center_crop(X, 3), X[:, :3, :3])


def test_the_default_is_the_labelled_centre_of_patch_camelyon():
    X = random_patches(2, 96, 96, 3)
    np.testing.assert_array_equal(CenterCrop().transform(X), X[:, 32:64, 32:64])
    np.testing.assert_array_equal(center_crop(X), X[:, 32:64, 32:64])


def test_a_patch_array_stays_undecoded():
    X = PatchArray(ArraySource(random_patches(4, 9, 8, 3)))
    cropped = CenterCrop(size=(5, 4)).fit_transform(X)
    assert isinstance(cropped, PatchArray)
    assert cropped.shape == (4, 5, 4, 3)


@pytest.mark.parametrize("container", [list, tuple])
def test_lists_of_equal_patches_are_stacked(container):
    X = random_patches(4, 9, 8, 3)
    cropped = center_crop(container(X), 4)
    assert cropped.dtype == np.uint8
    np.testing.assert_array_equal(cropped, X[:, 2:6, 2:6])


def test_a_read_only_memory_map_is_not_read_in(tmp_path):
    X = random_patches(4, 9, 8, 3)
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    cropped = CenterCrop(size=4).transform(mapped)
    assert np.shares_memory(cropped, mapped)
    np.testing.assert_array_equal(cropped, X[:, 2:6, 2:6])


def test_missing_values_pass():
    X = np.full((1, 3, 3, 1), np.nan)
    assert np.isnan(center_crop(X, 1)).all()


# What is refused


@pytest.mark.parametrize("as_patch_array", [False, True])
def test_a_crop_larger_than_the_patch_names_both_sizes(as_patch_array):
    X = random_patches(2, 9, 8, 3)
    X = PatchArray(ArraySource(X)) if as_patch_array else X
    with pytest.raises(
        ValueError, match=r"crop of 9x9 pixels .* patches of 9x8 pixels"
    ):
        CenterCrop(size=9).fit_transform(X)


@pytest.mark.parametrize("channels", [3, 4])
def test_a_crop_that_does_not_fit_into_a_single_patch_asks_for_an_axis(channels):
    patch = random_patches(20, 22, channels)
    message = (
        rf"does not fit into patches of 22x{channels} pixels\. A single patch needs an "
        r"axis in front: X\[np\.newaxis\]"
    )
    with pytest.raises(ValueError, match=message):
        CenterCrop(size=7).transform(patch)
    with pytest.raises(ValueError, match=r"patches of 22x5 pixels\.$"):
        CenterCrop(size=7).transform(random_patches(20, 22, 5))


@pytest.mark.parametrize(
    "size", [0, -3, 2.0, "32", None, (3,), (1, 2, 3), (0, 2), (2, 1.5)]
)
def test_a_wrong_size_is_refused_in_fit_transform_and_the_function(size):
    X = random_patches(2, 9, 8, 3)
    for refuse in (
        CenterCrop(size).fit,
        CenterCrop(size).transform,
        lambda X: center_crop(X, size),
    ):
        with pytest.raises(ValueError, match="size"):
            refuse(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (np.zeros((0, 9, 8, 3)), "At least 1 patch is required"),
        (np.zeros((9, 8)), r"\(n, height, width, channels\) .* Got ndarray of shape \(9, 8\)"),
        (np.zeros((1, 9, 8, 7)), "Patches must have 1 to 4 channels"),
        (["a.tif"], "load the patches with PatchLoader"),
        (3, "Got int of shape"),
    ],
)  # fmt: skip
def test_only_patches_are_cropped(X, message):
    with pytest.raises(ValueError, match=message):
        CenterCrop(size=1).transform(X)


# As a scikit-learn transformer


@pytest.mark.parametrize("size", [32, (48, 64)])
def test_it_survives_clone_pickle_and_skops(size):
    crop = CenterCrop(size=size)
    by_skops = skops.io.loads(skops.io.dumps(crop), trusted=["skhisto.CenterCrop"])
    for same in (clone(crop), pickle.loads(pickle.dumps(crop)), by_skops):
        assert type(same) is CenterCrop
        assert same.get_params() == {"size": size}


def test_it_is_stateless_and_its_tags_say_so():
    tags = get_tags(CenterCrop())
    assert not tags.requires_fit
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.three_d_array
    assert tags.input_tags.allow_nan
    check_is_fitted(CenterCrop())
    fitted = CenterCrop().fit(random_patches(2, 40, 40, 3))
    assert vars(fitted) == {"size": 32}


@pytest.mark.parametrize("container", ["pandas", "default"])
def test_output_stays_an_array_whatever_the_global_output(container):
    with config_context(transform_output=container):
        cropped = CenterCrop(size=4).fit_transform(random_patches(2, 9, 8, 3))
    assert type(cropped) is np.ndarray
    assert not hasattr(CenterCrop(), "set_output")


@pytest.mark.filterwarnings("error")
def test_a_progress_bar_leaves_nothing_behind(capsys):
    crop = CenterCrop(size=4).set_callbacks(ProgressBar())
    crop.fit(random_patches(2, 9, 8, 3))
    crop.set_callbacks()
    assert vars(crop) == {"size": 4}
    assert "CenterCrop" in capsys.readouterr().out
