import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError

from skhisto import PatchCNNClassifier, PatchLoader, occlusion_map
from skhisto.inspection._occlusion_map import _starts


class OnePixel(ClassifierMixin, BaseEstimator):
    """The probability of the last class is the brightness of one pixel."""

    def __init__(self, row=3, column=8, n_classes=2):
        self.row = row
        self.column = column
        self.n_classes = n_classes

    def fit(self, X=None, y=None):
        self.classes_ = np.arange(self.n_classes)
        return self

    def predict_proba(self, X):
        last = X[:, self.row, self.column, 0] / 255
        others = np.tile((1 - last)[:, None], self.n_classes - 1)
        return np.column_stack([others / (self.n_classes - 1), last])


@pytest.fixture
def spot():
    """A black patch with one white pixel, at row 3 and column 8."""
    X = np.zeros((1, 12, 12, 1), np.uint8)
    X[0, 3, 8] = 255
    return X


def test_it_is_high_where_covering_takes_the_class_away(spot):
    maps = occlusion_map(OnePixel().fit(), spot, window=4, stride=4)
    assert maps.dtype == np.float32
    covering = np.zeros((12, 12), bool)
    covering[0:4, 8:12] = True
    fall = 1 - np.rint(255 / 144) / 255  # the pixel takes the mean colour
    np.testing.assert_allclose(maps[0], np.where(covering, fall, 0), atol=1e-6)


def test_numbers_are_covered_with_their_mean_unrounded(spot):
    maps = occlusion_map(OnePixel().fit(), spot / 4, window=4, stride=4)
    fall = (255 - 255 / 144) / 4 / 255
    assert maps.max() == pytest.approx(fall, abs=1e-6)


def test_squares_that_overlap_are_averaged(spot):
    (found,) = occlusion_map(OnePixel().fit(), spot, window=4, stride=2)
    assert found[3, 8] == found.max()
    # Rows 0 to 1 are covered by one square that covers the pixel too, and by no other.
    assert found[5, 8] == pytest.approx(found[3, 8] / 2, rel=1e-6)
    assert found[7, 3] == 0


def test_what_speaks_against_the_class_is_negative(spot):
    maps = occlusion_map(OnePixel().fit(), spot, target=0, window=4)
    np.testing.assert_allclose(maps, -occlusion_map(OnePixel().fit(), spot, window=4))
    assert maps.min() < 0


def test_of_more_classes_the_predicted_one_is_explained(spot):
    X = np.concatenate([spot, np.zeros_like(spot)])
    estimator = OnePixel(n_classes=3).fit()
    maps = occlusion_map(estimator, X, window=4)
    np.testing.assert_array_equal(
        maps[:1], occlusion_map(estimator, spot, target=2, window=4)
    )
    np.testing.assert_array_equal(
        maps[1:], occlusion_map(estimator, X[1:], target=0, window=4)
    )


def test_patches_stay_as_they_are(spot):
    before = spot.copy()
    occlusion_map(OnePixel().fit(), spot, window=4)
    np.testing.assert_array_equal(spot, before)


def test_lazily_read_patches_work_too(spot, tmp_path):
    from PIL import Image

    Image.fromarray(np.repeat(spot[0], 3, axis=2)).save(tmp_path / "spot.png")
    lazy = PatchLoader(lazy=True).transform([tmp_path / "spot.png"])
    np.testing.assert_allclose(
        occlusion_map(OnePixel().fit(), lazy, window=4),
        occlusion_map(OnePixel().fit(), spot, window=4),
    )


class Grey(OnePixel):
    """Takes grey patches of three dimensions only."""

    def predict_proba(self, X):
        assert X.ndim == 3
        return super().predict_proba(X[..., np.newaxis])


@pytest.mark.parametrize("container", [np.asarray, list])
def test_the_estimator_gets_grey_patches_in_the_form_that_is_passed(spot, container):
    np.testing.assert_array_equal(
        occlusion_map(Grey().fit(), container(spot[..., 0]), window=4),
        occlusion_map(OnePixel().fit(), spot, window=4),
    )


@given(st.integers(1, 40), st.integers(0, 60), st.integers(1, 40))
def test_squares_cover_every_pixel_and_none_beyond(window, more, stride):
    n_pixels, stride = window + more, min(stride, window)
    covered = np.zeros(n_pixels, int)
    for start in _starts(n_pixels, window, stride):
        assert 0 <= start <= n_pixels - window
        covered[start : start + window] += 1
    assert covered.min() >= 1


@pytest.mark.parametrize(
    ("X", "arguments", "message"),
    [
        (np.zeros((2, 9)), {}, r"ndarray of shape \(2, 9\)"),
        (["a.tif"], {}, "load the patches with PatchLoader"),
        (
            np.zeros((2, 12, 12, 3)),
            {"window": 13},
            "is larger than patches of 12x12",
        ),
        (np.zeros((2, 12, 12, 3)), {"window": 0}, "'window' parameter"),
        (
            np.zeros((2, 12, 12, 3)),
            {"target": "b", "window": 4},
            "must be one of the classes",
        ),
    ],
)
def test_invalid_arguments_are_an_error(X, arguments, message):
    with pytest.raises(ValueError, match=message):
        occlusion_map(OnePixel().fit(), X, **arguments)


def test_an_estimator_must_be_fitted(spot):
    with pytest.raises(NotFittedError):
        occlusion_map(PatchCNNClassifier(), spot, window=4)
