"""Synthetic patches."""

import random

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skhisto._stain.density import HE_STAINS
from skhisto.datasets import make_patches
from skhisto.datasets._make_patches import _draw_tumour
from skhisto.datasets._staining import draw_staining
from skhisto.datasets._synthetic_tissue import central_third, draw_tissue


@pytest.fixture(scope="module")
def patches():
    return make_patches(300, size=48, random_state=0, return_groups=True)


def test_patches_are_uint8_images_with_int64_labels():
    X, y = make_patches(3, random_state=0)
    assert X.shape == (3, 96, 96, 3)
    assert X.dtype == np.uint8
    assert y.shape == (3,)
    assert y.dtype == np.int64


@pytest.mark.parametrize("n_samples", [2, 3, 5, 61])
def test_half_of_the_patches_are_positive(n_samples):
    _, y = make_patches(n_samples, size=12, random_state=0)
    assert set(y) == {0, 1}
    assert abs(y.sum() - n_samples / 2) <= 0.5


def test_one_patch_can_be_made():
    X, y = make_patches(1, size=12, random_state=0)
    assert len(X) == len(y) == 1


def test_both_classes_are_on_each_slide(patches):
    _, y, groups = patches
    assert groups.dtype == np.int64
    assert np.bincount(groups).tolist() == [30] * 10
    assert np.bincount(groups, weights=y).tolist() == [15] * 10


def test_few_patches_are_from_four_slides_all_the_same():
    *_, groups = make_patches(8, size=12, random_state=0, return_groups=True)
    assert np.bincount(groups).tolist() == [2, 2, 2, 2]


def test_rows_are_in_no_order(patches):
    _, y, groups = patches
    assert (np.diff(groups) < 0).any()
    assert 0.3 < (np.diff(y) != 0).mean() < 0.7


def test_each_slide_has_a_stain_of_its_own(patches):
    X, _, groups = patches
    colours = X.mean(axis=(1, 2))
    slides = np.array([colours[groups == group].mean(axis=0) for group in range(10)])
    within = np.mean([colours[groups == group].std(axis=0) for group in range(10)])
    # Means of 30 patches differ by a fifth of that where the stain is the same.
    assert slides.std(axis=0).mean() > within / 2


def test_stain_vectors_are_turned_a_little_on_each_slide():
    rng = np.random.RandomState(0)
    stains = np.array([draw_staining(rng).stains for _ in range(50)])
    np.testing.assert_allclose(np.linalg.norm(stains, axis=2), 1)
    angles = np.degrees(np.arccos(np.sum(stains * HE_STAINS, axis=2)))
    assert 2 < np.median(angles) < 10
    assert angles.max() < 20


def test_the_same_seed_gives_the_same_patches_and_another_seed_does_not():
    first, again, other = (
        make_patches(4, size=36, random_state=seed, return_groups=True)
        for seed in (0, 0, 1)
    )
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    assert (first[0] != other[0]).mean() > 0.5


def test_a_seed_neither_reads_nor_changes_the_global_generators():
    np.random.seed(0)
    random.seed(0)
    states = np.random.get_state()[1].copy(), random.getstate()
    X, _ = make_patches(2, size=12, random_state=0)
    np.testing.assert_array_equal(np.random.get_state()[1], states[0])
    assert random.getstate() == states[1]
    np.random.seed(1)
    np.testing.assert_array_equal(make_patches(2, size=12, random_state=0)[0], X)


def test_a_generator_is_drawn_from():
    rng = np.random.RandomState(0)
    first, second = (make_patches(2, size=12, random_state=rng)[0] for _ in range(2))
    assert (first != second).any()


@pytest.mark.parametrize("size", [12, 13, 36, 47, 96])
def test_tumour_reaches_the_centre_of_positives_only(size):
    rng = np.random.RandomState(0)
    centre = (central_third(size),) * 2
    for _ in range(40):
        for tumour in ("none", "ring", "centre"):
            _, mask = draw_tissue(rng, size, tumour)
            assert mask[centre].any() == (tumour == "centre")
            if tumour == "none":
                assert not mask.any()


def test_the_centre_of_96_pixels_is_32_pixels_wide():
    assert central_third(96) == slice(32, 64)


def test_tumour_in_the_ring_covers_about_as_much_as_tumour_in_the_centre():
    rng = np.random.RandomState(0)
    ring, centre = (
        np.mean([draw_tissue(rng, 96, tumour)[1].mean() for _ in range(60)])
        for tumour in ("ring", "centre")
    )
    assert ring > 0.1
    assert 0.85 < ring / centre < 1.15


def test_half_of_the_negatives_have_tumour_in_the_ring():
    rng = np.random.RandomState(0)
    drawn = [_draw_tumour(rng, 0) for _ in range(1000)]
    assert 0.45 < np.mean([tumour == "ring" for tumour in drawn]) < 0.55
    assert "centre" not in drawn
    assert _draw_tumour(rng, 1) == "centre"


def test_tumour_nuclei_are_darker_than_tissue_and_paler_than_lymphocytes():
    rng = np.random.RandomState(0)
    tissues = [draw_tissue(rng, 96, "centre") for _ in range(20)]
    haematoxylin = np.array([tissue[..., 0] for tissue, _ in tissues])
    mask = np.array([mask for _, mask in tissues])
    tumour = haematoxylin[mask].mean()
    darkest = np.quantile(haematoxylin[~mask], 0.95)
    assert np.median(haematoxylin[~mask]) < tumour < darkest


def test_colour_statistics_hardly_tell_the_classes_apart(patches):
    X, y, groups = patches
    pixels = X.reshape(len(X), -1, 3)
    moments = np.hstack([pixels.mean(axis=1), pixels.std(axis=1)])
    histograms = np.array(
        [np.histogramdd(p, bins=4, range=[(0, 256)] * 3)[0].ravel() for p in pixels]
    )
    linear = make_pipeline(StandardScaler(), LogisticRegression())
    boosting = HistGradientBoostingClassifier(max_iter=30, random_state=0)
    for model, features in ((linear, moments), (boosting, histograms)):
        folds = StratifiedGroupKFold(3, shuffle=True, random_state=0)
        auc = cross_val_score(
            model, features, y, groups=groups, cv=folds, scoring="roc_auc"
        )
        assert auc.mean() < 0.8


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"n_samples": 0}, "n_samples"),
        ({"size": 11}, "size"),
        ({"size": 96.0}, "size"),
        ({"random_state": "x"}, "random_state"),
        ({"return_groups": "yes"}, "return_groups"),
    ],
)
def test_a_bad_parameter_is_named(parameters, name):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of make_patches"):
        make_patches(**parameters)
