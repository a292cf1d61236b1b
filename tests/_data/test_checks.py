import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from skhisto import PatchCNNClassifier
from skhisto._data.checks import (
    check_fitted_patches,
    check_labels,
    check_patch_shape,
    check_patches,
    check_sample_weight,
    guess_patch_shape,
)
from skhisto.patches._patch_array import check_groups


def check(X, *, patch_shape=None, pixel_dtype=None, classifier=None):
    return check_patches(
        classifier or PatchCNNClassifier(),
        X,
        patch_shape=patch_shape,
        pixel_dtype=pixel_dtype,
        reset=classifier is None,
    )


@given(side=st.integers(1, 40), channels=st.sampled_from([1, 3]))
def test_flat_rows_of_square_patches_are_recognised(side, channels):
    height, width, guessed = guess_patch_shape(side * side * channels)
    assert height * width * guessed == side * side * channels
    assert height == width
    if channels == 3:
        assert (side, 3) == (height, guessed)


@pytest.mark.parametrize(
    ("n_values", "shape"),
    [
        (3, (1, 1, 3)),
        (4, (2, 2, 1)),
        (12, (2, 2, 3)),
        (9, (3, 3, 1)),
        (27648, (96, 96, 3)),
    ],
)
def test_square_rgb_comes_before_square_grey(n_values, shape):
    assert guess_patch_shape(n_values) == shape


def test_other_flat_rows_are_strips_one_pixel_high():
    assert guess_patch_shape(2) == (1, 2, 1)
    assert guess_patch_shape(10) == (1, 10, 1)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 4])
def test_images_with_one_to_four_channels_are_taken_as_they_are(n_channels):
    X = np.zeros((2, 5, 4, n_channels), np.uint8)
    patches = check(X)
    assert patches.shape == X.shape
    assert np.shares_memory(patches, X)


def test_grey_images_get_an_axis_for_the_channel():
    assert check(np.zeros((2, 5, 4))).shape == (2, 5, 4, 1)


def test_lists_of_images_are_stacked():
    images = [np.zeros((5, 4, 3), np.uint8), np.ones((5, 4, 3), np.uint8)]
    patches = check(images)
    assert patches.shape == (2, 5, 4, 3)
    assert patches.dtype == np.uint8


def test_flat_rows_are_given_their_shape():
    X = np.arange(2 * 24, dtype=np.uint8).reshape(2, 24)
    np.testing.assert_array_equal(
        check(X, patch_shape=(2, 4, 3)), X.reshape(2, 2, 4, 3)
    )


def test_flat_rows_may_be_lists():
    assert check([[0, 1, 2, 3], [4, 5, 6, 7]]).shape == (2, 2, 2, 1)


def test_data_frames_of_flat_rows_give_their_names():
    classifier = PatchCNNClassifier()
    frame = pd.DataFrame(np.zeros((2, 4)), columns=list("abcd"))
    patches = check_patches(
        classifier, frame, patch_shape=None, pixel_dtype=None, reset=True
    )
    assert patches.shape == (2, 2, 2, 1)
    assert list(classifier.feature_names_in_) == list("abcd")


def test_read_only_memory_maps_are_neither_copied_nor_changed(tmp_path):
    np.save(tmp_path / "patches.npy", np.ones((3, 4, 4, 3), np.uint8))
    X = np.load(tmp_path / "patches.npy", mmap_mode="r")
    assert np.shares_memory(check(X), X)


@pytest.mark.parametrize(
    "dtype", ["uint8", "uint16", "int64", "float32", "float64", "bool"]
)
def test_dtypes_are_kept(dtype):
    assert check(np.zeros((2, 4, 4, 3), dtype)).dtype == dtype


@pytest.mark.parametrize(
    ("value", "message"),
    [(np.nan, "^Input X contains NaN"), (np.inf, "^Input X contains infinity")],
)
def test_numbers_must_be_finite(value, message):
    with pytest.raises(ValueError, match=message):
        check(np.full((1, 4, 4, 3), value))


@pytest.mark.parametrize("form", ["csr", "dok"])
def test_sparse_rows_are_refused(form):
    with pytest.raises(TypeError, match="Sparse data was passed"):
        check(sparse.coo_array(np.ones((3, 12))).asformat(form))


def test_text_is_refused_with_the_way_to_load_files():
    with pytest.raises(ValueError, match="load the patches with PatchLoader"):
        check(pd.Series(["a.tif"], dtype=object))


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            np.zeros((2, 8, 8, 3)),
            r"shape \(8, 8, 3\), but the expected shape is \(4, 4, 3\)",
        ),
        (np.zeros((4, 4, 3)), r"an axis in front: X\[np.newaxis\]"),
        (
            np.zeros((2, 12)),
            r"12 values per row, but patches of shape \(4, 4, 3\) have 48\. Set patch",
        ),
    ],
)
def test_patches_of_another_shape_are_an_error(X, message):
    with pytest.raises(ValueError, match=message):
        check(X, patch_shape=(4, 4, 3))


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        ("uint16", "16-bit pixels"),
        ("float64", "numbers that are not rescaled"),
    ],
)
def test_another_kind_of_numbers_is_an_error(dtype, kind):
    with pytest.raises(
        ValueError, match=rf"{kind} \(dtype {dtype}\).* fitted on 8-bit pixels"
    ):
        check(np.zeros((1, 4, 4, 3), dtype), pixel_dtype="uint8")


@pytest.mark.parametrize("patch_shape", [(4, 4), (4, 4, 0), (4, 4, 5), (4.5, 4, 3)])
def test_an_invalid_patch_shape_is_an_error(patch_shape):
    X = np.zeros((2, 4, 4, 3), np.uint8)
    with pytest.raises(
        ValueError, match=r"patch_shape must be \(height, width, channels\)"
    ):
        PatchCNNClassifier(patch_shape=patch_shape).fit(X, [0, 1])


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (None, "requires y to be passed"),
        ([0.5, 1.5, 0.25], "Unknown label type: continuous"),
        ([0, 1], r"inconsistent numbers of samples: \[3, 2\]"),
        ([0, np.nan, 1], "NaN"),
        (np.array(["a", None, "b"], object), "missing labels, or labels of different"),
        (np.array([1, "a", 1], object), "missing labels, or labels of different"),
        ([[0, 1], [1, 0], [1, 1]], "y should be a 1d array"),
    ],
)
def test_invalid_labels_are_an_error(y, message):
    with pytest.raises(ValueError, match=message):
        check_labels(y, 3)


def test_the_least_and_the_most_channels_are_valid_and_come_back_as_a_tuple():
    assert check_patch_shape(None) is None
    assert check_patch_shape([1, 1, 1]) == (1, 1, 1)
    assert check_patch_shape(np.array([8, 9, 4])) == (8, 9, 4)


def test_a_fitted_classifier_accepts_what_it_was_fitted_on_and_nothing_else():
    X = np.zeros((2, 4, 4, 3), np.uint8)
    classifier = PatchCNNClassifier()
    check_patches(classifier, X, patch_shape=None, pixel_dtype=None, reset=True)
    assert classifier.n_features_in_ == 48
    classifier.patch_shape_, classifier.pixel_dtype_ = (4, 4, 3), "uint8"
    assert np.shares_memory(check_fitted_patches(classifier, X), X)
    classifier.patch_shape_ = (8, 2, 3)  # flat rows would be guessed to be 4x4
    assert check_fitted_patches(classifier, X.reshape(2, 48)).shape == (2, 8, 2, 3)
    classifier.patch_shape_ = (4, 4, 3)
    with pytest.raises(
        ValueError, match="PatchCNNClassifier was fitted on 8-bit pixels"
    ):
        check_fitted_patches(classifier, X.astype(np.uint16))
    for other in (X[:, :3], X[:, :3].reshape(2, 36)):
        with pytest.raises(ValueError, match=r"36 features|shape \(3, 4, 3\)"):
            check_fitted_patches(classifier, other)


def test_grey_patches_of_another_shape_may_be_a_single_colour_patch():
    with pytest.raises(ValueError, match=r"an axis in front: X\[np.newaxis\]"):
        check(np.zeros((5, 4, 3)), patch_shape=(5, 4, 3))
    with pytest.raises(ValueError, match=r"but the expected shape is \(5, 4, 3\)\.$"):
        check(np.zeros((5, 4, 2)), patch_shape=(5, 4, 3))


def test_labels_may_have_the_shape_of_patchcamelyon():
    y = np.array([1, 0, 1])
    for shape in [(3, 1, 1), (3, 1, 1, 1)]:
        assert check_labels(y.reshape(shape), 3).tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="array with dim 4"):
        check_labels(np.zeros((3, 1, 1, 2)), 3)


def test_weights_become_floats_and_are_not_negative():
    y = np.array([0, 1])
    assert check_sample_weight(None, y) is None
    weights = check_sample_weight(np.float32([1, 0]), y)
    assert weights.dtype == np.float64
    assert weights.tolist() == [1, 0]
    with pytest.raises(ValueError, match="Negative values"):
        check_sample_weight([1, -1], y)
    with pytest.raises(ValueError, match=r"shape == \(3,\), expected \(2,\)"):
        check_sample_weight([1, 1, 1], y)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["s", None], "1 of 2 groups are None or NaN. The first is in row 1"),
        ([1.0, np.nan], "1 of 2 groups are None or NaN. The first is in row 1"),
        ([1.0, np.inf], "^Input groups contains infinity"),
        (["s", "t", "u"], r"must have shape \(n_patches,\), here \(2,\), got \(3,\)"),
        ([[["s"]], [["t"]]], r"here \(2,\), got \(2, 1, 1\)"),
    ],
)
def test_invalid_groups_are_an_error(groups, message):
    with pytest.raises(ValueError, match=message):
        check_groups(groups, 2)
    assert check_groups(None, 2) is None


@pytest.mark.parametrize("form", [list, tuple, np.array, pd.Series])
def test_groups_may_come_in_any_form(form):
    assert list(check_groups(form(["s", "t"]), 2)) == ["s", "t"]


def test_a_missing_group_among_names_is_an_error():
    with pytest.raises(ValueError, match="1 of 2 groups are None or NaN"):
        check_groups(["s", np.nan], 2)


@pytest.mark.parametrize(
    "y",
    [
        ["b", "a"],
        np.array(["b", "a"], dtype=object),
        np.array(["b", "a"], dtype=np.dtypes.StringDType()),
        pd.Series(["b", "a"]),
        pd.Series(["b", "a"], dtype="category"),
        pd.Series([2, 1], dtype="Int64"),
        [True, False],
        [2.0, 1.0],
        np.array([3, 2], np.uint8),
    ],
)
def test_labels_of_any_type_come_back_as_a_plain_array(y):
    labels = check_labels(y, 2)
    assert labels.dtype.kind in "Uiufb" or labels.dtype == object
    assert list(labels) == list(y)
