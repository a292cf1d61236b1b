"""Classifier, transformers, displays and maps accept the same patches."""

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin

from skhisto import (
    CAMDisplay,
    PatchArray,
    PatchCNNClassifier,
    PatchGridDisplay,
    StainNormalizer,
    center_crop,
    occlusion_map,
)
from skhisto._data.checks import check_patches
from skhisto.patches._definition import as_patches, stack_images, with_channel_axis


@pytest.fixture(autouse=True)
def closed_figures():
    """Draw without a screen, and leave no figure open."""
    matplotlib.use("Agg")
    yield
    plt.close("all")


class Undecodable:
    """A source whose patches must not be read."""

    def __init__(self, *shape, dtype="uint8"):
        self.shape, self.dtype = shape, np.dtype(dtype)

    def read(self, rows, window):
        raise AssertionError("patches were decoded")


class Always(ClassifierMixin, BaseEstimator):
    """A fitted classifier that gives all classes the same probability."""

    classes_ = np.array([0, 1])

    def fit(self, X=None, y=None):
        return self

    def __sklearn_is_fitted__(self):
        return True

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)


def classify(X):
    return check_patches(
        PatchCNNClassifier(), X, patch_shape=None, pixel_dtype=None, reset=True
    )


def show(X):
    return PatchGridDisplay.from_arrays(X, np.zeros(len(X)), center=None).images_


def show_maps(X):
    return CAMDisplay(X, np.zeros((len(X), 9, 8))).plot().images_


USERS = {
    "classifier": classify,
    "center_crop": lambda X: center_crop(X, 1),
    "grid": show,
    "cam_display": show_maps,
    "occlusion_map": lambda X: occlusion_map(Always(), X, window=4),
}
every_user = pytest.mark.parametrize("use", USERS.values(), ids=USERS)
RGB = np.arange(2 * 9 * 8 * 3, dtype=np.uint8).reshape(2, 9, 8, 3)


class Tensor:
    """An array of another library."""

    def __init__(self, array):
        self.array = array
        self.ndim = array.ndim
        self.dtype = "a dtype of another library"

    def __len__(self):
        return len(self.array)

    def __array__(self, dtype=None, copy=None):
        return self.array


# What patches are


@every_user
@pytest.mark.parametrize(
    "X",
    [
        *(np.ones((2, 9, 8, channels), np.uint8) for channels in (1, 2, 3, 4)),
        *(RGB.astype(dtype) for dtype in ("uint16", "int64", "float32", "bool")),
        RGB[..., 0],
        list(RGB),
        tuple(RGB[..., 0]),
        [Image.fromarray(patch) for patch in RGB],
        RGB.tolist(),
        pd.Series(list(RGB)),
        Tensor(RGB),
    ],
    ids=[
        *("grey_channel", "two_channels", "rgb", "rgba"),
        *("uint16", "int64", "float32", "bool"),
        *("grey", "list", "tuple_of_grey", "pillow", "nested_lists"),
        *("series", "other_library"),
    ],
)
def test_every_user_of_patches_accepts_them(use, X):
    assert len(use(X)) == 2


@pytest.mark.parametrize("shape", [(2, 9, 8, 3), (2, 9, 8)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float64", "bool"])
def test_arrays_are_returned_without_a_copy(shape, dtype):
    X = np.zeros(shape, dtype)
    assert as_patches(X) is X
    assert with_channel_axis(X).shape == (2, 9, 8, shape[3] if len(shape) == 4 else 1)
    assert np.shares_memory(with_channel_axis(X), X)


def test_a_patch_array_is_never_decoded():
    X = PatchArray(Undecodable(2, 9, 8, 3))
    assert as_patches(X) is with_channel_axis(X) is stack_images(X) is X
    assert classify(X) is X
    assert center_crop(X, 4).shape == (2, 4, 4, 3)


def test_numbers_that_are_not_finite_belong_to_patches():
    X = np.full((1, 3, 3, 1), np.nan)
    assert as_patches(X) is X


@pytest.mark.parametrize(
    "X", [[[1, 2], [3, 4]], np.zeros((2, 4)), pd.DataFrame({"a": [1]}), [], [1, 2]]
)
def test_flat_rows_are_not_stacked(X):
    assert stack_images(X) is X


def test_none_at_all_may_be_accepted():
    assert as_patches(np.zeros((0, 9, 8)), min_patches=0).shape == (0, 9, 8)


# What patches are not


@every_user
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            np.zeros((2, 9, 8, 7)),
            r"1 to 4 channels in the last axis, got shape \(2, 9, 8, 7\)\.$",
        ),
        (
            np.zeros((2, 3, 9, 8)),
            r"got shape \(2, 3, 9, 8\)\. The channels seem to be first\. Move them "
            r"with np\.moveaxis\(X, 1, -1\)",
        ),
        (np.zeros((2, 9, 8, 3, 1)), r"or, if grey, \(n, height, width\)\. Got ndarray of shape \(2, 9, 8, 3, 1\)\.$"),
        (np.zeros((2, 0, 8, 3)), r"Patches must not be empty, got shape \(2, 0, 8, 3\)"),
        (np.zeros((2, 9, 0)), r"Patches must not be empty, got shape \(2, 9, 0\)"),
        (np.full((2, 9, 8, 3), None), "must be real numbers, got dtype object"),
        (np.full((2, 9, 8, 3), "a"), "must be real numbers, got dtype <U1"),
        (np.zeros((2, 9, 8, 3), complex), "must be real numbers, got dtype complex128"),
        (
            [np.zeros((9, 8, 3)), np.zeros((8, 8, 3))],
            r"same shape, got \(8, 8, 3\) and \(9, 8, 3\)\. Convert",
        ),
        (
            [np.zeros((9, 8), np.uint8), np.zeros((9, 8), np.uint16)],
            "same dtype, got uint16 and uint8",
        ),
        (["a.tif", "b.tif"], "If these are file names, load the patches with PatchLoader"),
        (np.array(["a.tif"]), "load the patches with PatchLoader"),
        (pd.Series(["a.tif"]), "load the patches with PatchLoader"),
        ("a.tif", "load the patches with PatchLoader"),
        (PatchArray(Undecodable(2, 9, 8, 7)), "1 to 4 channels"),
        (PatchArray(Undecodable(2, 9, 0, 3)), "must not be empty"),
        (PatchArray(Undecodable(2, 9, 8, 3, dtype="complex64")), "got dtype complex64"),
    ],
)  # fmt: skip
def test_every_user_of_patches_gives_the_same_error(use, X, message):
    with pytest.raises(ValueError, match=message):
        use(X)


@pytest.mark.parametrize(
    "use", [classify, USERS["center_crop"], USERS["occlusion_map"]]
)
@pytest.mark.parametrize(
    "X", [np.zeros((0, 9, 8, 3)), PatchArray(Undecodable(0, 9, 8, 3))]
)
def test_at_least_one_patch_is_required(use, X):
    with pytest.raises(
        ValueError, match=r"At least 1 patch is required, got shape \(0, 9, 8, 3\)"
    ):
        use(X)


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (
            np.zeros((9, 8)),
            r"Got ndarray of shape \(9, 8\)\. Reshape flat rows .*"
            r"reshape\(-1, height, width, channels\)\. A single patch .* X\[np\.newaxis\]",
        ),
        (3, r"Got int of shape \(\)\.$"),
        ([], r"At least 1 patch is required, got shape \(0,\)"),
        ([1, 2], r"Got list of shape \(2,\)"),
        ([[1], [2, 3]], "must form one array\. Got list whose items have different"),
        (pd.DataFrame({"a": [1.0]}), r"Got DataFrame of shape \(1, 1\)"),
    ],
)
def test_without_a_shape_there_are_no_patches(X, message):
    with pytest.raises(ValueError, match=message):
        center_crop(X, 1)


# What is often passed in the place of patches


def class_of(package, name, *bases):
    """Return a class as if a package that is not installed defined it."""
    cls = type(name, bases, {"__module__": package, "__iter__": lambda self: iter(())})
    return type(f"My{name}", (cls,), {"__module__": "__main__"})


@pytest.mark.parametrize(
    "use",
    [
        *USERS.values(),
        lambda X: PatchCNNClassifier().fit(X, [0, 1]),
        lambda X: StainNormalizer().fit(X),
    ],
    ids=[*USERS, "fit", "normalizer"],
)
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            class_of("torch.utils.data.dataloader", "DataLoader"),
            r"got a PyTorch DataLoader\. .*zip\(\*loader\).*moveaxis",
        ),
        (
            class_of("torch.utils.data.dataset", "Dataset"),
            r"got a PyTorch Dataset\. .*zip\(\*dataset\).*moveaxis",
        ),
        (lambda: (patch for patch in RGB), r"got a generator\. .*np\.stack\(list\(X\)\)"),
        (lambda: map(np.asarray, RGB), r"got a map\. .*np\.stack\(list\(X\)\)"),
        (
            lambda: {"data": RGB, "target": [0, 1]},
            r"got a dict\. .* such as X\['data'\]\. The keys are \['data', 'target'\]",
        ),
        (lambda: {"images": RGB}, r"such as X\['images'\]"),
        (dict, r"such as X\['patches'\]\. The keys are \[\]\."),
        (lambda: {7, 8}, r"got a set\. .*in their order"),
        (
            lambda: dict.fromkeys(range(12)),
            r"X\[0\]\. The keys are .*8, 9\] and more\.",
        ),
    ],
    ids=[
        *("data_loader", "dataset", "generator", "map", "dict_with_data", "dict"),
        *("empty_dict", "set", "long_dict"),
    ],
)  # fmt: skip
def test_what_is_not_an_array_is_a_type_error_with_advice(use, make, message):
    X = make()
    if not hasattr(X, "__len__") and use in (show, show_maps):
        use = as_patches  # these helpers take the length first
    with pytest.raises(
        TypeError, match=rf"{message}.* PatchLoader\(lazy=True\) returns a PatchArray"
    ):
        use(X)


def test_a_source_without_its_stack_is_refused_with_advice():
    with pytest.raises(TypeError, match=r"got a Undecodable. Wrap it: X = PatchArray"):
        stack_images(Undecodable(4, 12, 12, 3))


def test_an_array_that_can_also_be_read_is_not_taken_for_a_source():
    class Readable(Undecodable):
        def __array__(self, dtype=None, copy=None):
            return np.zeros(self.shape, self.dtype)

    assert as_patches(Readable(4, 12, 12, 3)).shape == (4, 12, 12, 3)
