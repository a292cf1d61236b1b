"""Test-time augmentation: the parameter `tta` of the classifier."""

import numpy as np
import pytest
from scipy.special import logit

from skhisto import load_patch_folder
from skhisto._keras.inference import logits_of_mean_probabilities
from skhisto.patches._views import SYMMETRIES, view


@pytest.fixture
def fitted(tiny_cnn, bright_or_dark):
    """A classifier that looks at more than the mean brightness."""
    X, y, _ = bright_or_dark
    return tiny_cnn.set_params(epochs=2).fit(X, y)


@pytest.mark.parametrize("tta", ["c4", "d4"])
def test_probabilities_are_those_of_the_views_averaged(fitted, bright_or_dark, tta):
    X, _, _ = bright_or_dark
    views = [fitted.predict_proba(view(X, number)) for number in SYMMETRIES[tta]]
    averaged = fitted.set_params(tta=tta).predict_proba(X)
    np.testing.assert_allclose(averaged, np.mean(views, axis=0), atol=1e-6)
    assert np.ptp(views, axis=0).max() > 1e-3


def test_all_views_of_a_patch_get_the_same_probabilities_bitwise(
    fitted, bright_or_dark
):
    X, _, _ = bright_or_dark
    fitted.set_params(tta="d4")
    expected = fitted.predict_proba(X)
    for number in SYMMETRIES["d4"]:
        np.testing.assert_array_equal(fitted.predict_proba(view(X, number)), expected)


def test_of_many_classes_too(tiny_cnn, bright_or_dark):
    X, _, _ = bright_or_dark
    y = np.arange(60) % 3
    tiny_cnn.set_params(epochs=2).fit(X, y)
    views = [tiny_cnn.predict_proba(view(X, number)) for number in range(8)]
    averaged = tiny_cnn.set_params(tta="d4").predict_proba(X)
    np.testing.assert_allclose(averaged, np.mean(views, axis=0), atol=1e-6)
    turned = tiny_cnn.predict_proba(view(X, 3))
    np.testing.assert_array_equal(turned, averaged)


def test_decision_function_and_labels_agree_with_the_probabilities(
    fitted, bright_or_dark
):
    X, _, _ = bright_or_dark
    fitted.set_params(tta="d4")
    proba = fitted.predict_proba(X)[:, 1]
    np.testing.assert_allclose(fitted.decision_function(X), logit(proba), atol=1e-4)
    np.testing.assert_array_equal(fitted.predict(X), fitted.classes_[(proba > 0.5) * 1])


def test_logits_do_not_saturate():
    logits = np.array([[[40.0]], [[42.0]]])
    mean = logits_of_mean_probabilities(logits)
    # 1 - probability is the mean of exp(-40) and exp(-42).
    assert mean.item() == pytest.approx(-np.log(np.mean(np.exp([-40, -42]))), rel=1e-6)


def test_a_patch_of_files_is_decoded_once_for_all_views(fitted, real_data):
    patches = load_patch_folder(real_data / "pcam").data[:30].center_crop(12)
    lazy = fitted.set_params(tta="d4").predict_proba(patches)
    np.testing.assert_array_equal(lazy, fitted.predict_proba(np.asarray(patches)))


def test_an_unknown_name_that_is_set_after_fit_is_an_error(fitted, bright_or_dark):
    with pytest.raises(ValueError, match=r"The 'tta' parameter .* must be a str among"):
        fitted.set_params(tta="D4").predict(bright_or_dark[0])


@pytest.mark.parametrize("when", ["fit", "predict"])
def test_patches_that_are_not_square_are_an_error(tiny_cnn, when):
    X, y = np.ones((20, 12, 10, 3), np.uint8), np.arange(20) % 2
    tiny_cnn.set_params(epochs=1)
    if when == "predict":
        tiny_cnn.fit(X, y)
    tiny_cnn.set_params(tta="c4")
    with pytest.raises(ValueError, match=r"tta='c4' rotates .* they are 12x10 pixels"):
        tiny_cnn.fit(X, y) if when == "fit" else tiny_cnn.predict(X)
    assert hasattr(tiny_cnn, "weights_") == (when == "predict")
