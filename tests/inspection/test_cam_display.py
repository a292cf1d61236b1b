import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.pipeline import make_pipeline

from skhisto import CAMDisplay, CenterCrop, center_crop, class_activation_map


def test_maps_lie_below_their_patches(fitted, bright_or_dark):
    X, _, _ = bright_or_dark
    display = CAMDisplay.from_estimator(fitted, X[:3])
    maps = class_activation_map(fitted, X[:3])
    for i in range(3):
        np.testing.assert_array_equal(display.images_[i].get_array(), X[i])
        np.testing.assert_array_equal(display.maps_[i].get_array(), maps[i])
        left, right, bottom, top = display.images_[i].get_extent()
        assert bottom < display.maps_[i].get_extent()[3]
        assert display.maps_[i].get_extent()[:2] == [left, right]
        assert (bottom - top, right - left) == pytest.approx((12, 12))


def test_all_maps_share_one_scale_from_zero(fitted, bright_or_dark):
    X, _, _ = bright_or_dark
    display = CAMDisplay.from_estimator(fitted, X[:3])
    highest = max(image.get_array().max() for image in display.maps_)
    assert {image.get_clim() for image in display.maps_} == {(0, highest)}
    assert display.colorbar_.ax.get_ylabel() == "evidence, in logits"


def test_negative_numbers_get_a_scale_around_zero():
    maps = np.zeros((1, 4, 4))
    maps[0, 0] = -3
    display = CAMDisplay(np.zeros((1, 4, 4, 3), np.uint8), maps).plot()
    assert display.maps_[0].get_clim() == (-3, 3)


def test_behind_a_crop_the_cropped_patches_are_shown(fitted, bright_or_dark):
    X, y, _ = bright_or_dark
    pipeline = make_pipeline(CenterCrop(8), clone(fitted))
    display = CAMDisplay.from_estimator(pipeline.fit(X, y), X[:2])
    np.testing.assert_array_equal(
        display.images_[0].get_array(), center_crop(X[:1], 8)[0]
    )


def test_it_draws_where_it_is_told():
    _, ax = plt.subplots()
    display = CAMDisplay(np.zeros((2, 4, 4, 1)), np.zeros((2, 4, 4))).plot(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_maps_of_another_size_are_an_error():
    with pytest.raises(
        ValueError,
        match=r"need maps of shape \(2, 4, 4\), got maps of shape \(2, 2, 2\)",
    ):
        CAMDisplay(np.zeros((2, 4, 4, 3)), np.zeros((2, 2, 2))).plot()


def test_no_patches_are_an_error():
    with pytest.raises(ValueError, match="At least one patch is required"):
        CAMDisplay(np.zeros((0, 4, 4, 3)), np.zeros((0, 4, 4))).plot()
