"""Numbers that are not pixels: their range in fit and in predict."""

import warnings

import numpy as np
import pytest
from sklearn.base import clone

from skhisto import PatchArray, PatchCNNClassifier, ReferenceCNN


@pytest.fixture
def clf():
    architecture = ReferenceCNN(filters=(2,), dense_units=2)
    return PatchCNNClassifier(
        architecture=architecture, epochs=1, augment=None, random_state=0
    )


class Rows:
    """A source of float patches that counts how often it is read."""

    def __init__(self, patches):
        self.patches, self.n_read = patches, 0
        self.shape, self.dtype = patches.shape, patches.dtype

    def read(self, rows, window):
        self.n_read += len(rows)
        return self.patches[rows][:, window[0], window[1]]


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_raw_pixels_of_other_dtypes_get_a_warning_that_says_how_to_convert(
    clf, bright_or_dark, dtype
):
    X, y, _ = bright_or_dark
    with pytest.warns(
        UserWarning, match=r"neither uint8 nor uint16.*astype\(np\.uint8"
    ):
        clf.fit(X.astype(dtype), y)


@pytest.mark.parametrize("scale", [lambda X: X / 255, lambda X: (X - 128) / 40])
def test_scaled_and_standardised_images_get_no_warning(clf, bright_or_dark, scale):
    X, y, _ = bright_or_dark
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clf.fit(scale(X.astype("f4")), y)
        clf.predict(scale(X.astype("f4")))


def test_pixels_of_8_and_16_bits_have_no_range_and_get_no_warning(clf, bright_or_dark):
    X, y, _ = bright_or_dark
    for dtype in (np.uint8, np.uint16):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            clone(clf).fit(X.astype(dtype), y)
    assert clf.fit(X, y).value_range_ is None


def test_the_range_is_that_of_the_training_patches_and_grows_with_partial_fits(
    clf, bright_or_dark
):
    X, y, _ = bright_or_dark
    X = X.astype("f4") / 255
    clf.partial_fit(X[:30], y[:30], classes=[0, 1])
    assert clf.value_range_ == (X[:30].min(), X[:30].max())
    clf.partial_fit(2 * X[30:], y[30:])
    assert clf.value_range_ == (X.min(), pytest.approx(2 * X[30:].max()))


def test_the_range_is_recorded_without_reading_lazy_patches_again(clf, bright_or_dark):
    X, y, _ = bright_or_dark
    source = Rows(X.astype("f4") / 255)
    clf.set_params(
        batch_size=20,
        architecture=lambda shape, n: network_without_batch_norm(n),
    )
    clf.fit(PatchArray(source), y)
    assert source.n_read == len(X)
    assert clf.value_range_ == (source.patches.min(), source.patches.max())


def network_without_batch_norm(n_outputs):
    import keras

    return keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(n_outputs)])


def test_predicting_on_another_scale_than_in_fit_gets_a_warning(clf, bright_or_dark):
    X, y, _ = bright_or_dark
    clf.fit(X.astype("f4") / 255, y)
    with pytest.warns(
        UserWarning,
        match=r"fitted on values from 0.* Scale X in the same way as in fit",
    ):
        clf.predict_proba(X.astype("f4"))


def test_predicting_on_a_smaller_scale_than_in_fit_gets_a_warning(clf, bright_or_dark):
    X, y, _ = bright_or_dark
    with pytest.warns(UserWarning, match="neither uint8 nor uint16"):
        clf.fit(X.astype("f4"), y)
    with pytest.warns(UserWarning, match="Scale X in the same way as in fit"):
        clf.predict(X.astype("f4") / 255)


def test_validating_on_another_scale_than_in_fit_gets_one_warning(clf, bright_or_dark):
    X, y, _ = bright_or_dark
    clf.set_params(epochs=3)
    with pytest.warns(UserWarning, match="Scale X in the same way as in fit") as warned:
        clf.fit(X.astype("f4") / 255, y, X_val=X.astype("f4"), y_val=y)
    assert len(warned) == 1
