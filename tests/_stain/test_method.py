"""Estimates of patches, groups and references, for both methods."""

import numpy as np
import pytest

from skhisto._stain.method import (
    Measurement,
    Method,
    White,
    measure_all,
    medians_of_groups,
    normalise,
    typical,
)
from skhisto._stain.tissue_mask import as_planes

WHITE = White(None, np.array([[200.0] * 3, [255.0] * 3]))
NONE = np.full((1, 1), np.nan)


def measure_first_pixel(patches, white):
    """Red of the first pixel and white; 255 is bare and 254 cannot be measured."""
    red = patches[:, 0, 0, :1].astype(float)
    red[red >= 254] = np.nan
    planes = as_planes(patches).astype(float)
    bare = patches[:, 0, 0, 0] == 255
    return Measurement(planes, planes[:, 0], (red, red / white[:, :1]), bare)


def add_difference(planes, strength, estimates, reference, white):
    return (planes + (reference[0] - estimates[0])[:, :, None]).astype(np.uint8)


METHOD = Method(
    measure_first_pixel, add_difference, ("red", "share"), "odd", lambda pair: pair
)


def patches(*reds):
    return np.broadcast_to(
        np.reshape(reds, (-1, 1, 1, 1)).astype(np.uint8), (len(reds), 20, 20, 3)
    ).copy()


def measure(*parts, white=WHITE):
    return measure_all(((p, np.full(len(p), -1)) for p in parts), METHOD, white)


def test_a_reference_is_the_median_of_what_can_be_measured():
    found = measure(patches(10, 11, 90), patches(255, 255), patches(254, 20, 13))
    red, share = typical(found, METHOD)
    assert red == 13
    assert share == 13 / 255


@pytest.mark.parametrize(
    ("parts", "n_patches", "n_bare", "n_unclear"),
    [
        ([patches(254, 254), patches(254)], 3, 0, 3),
        ([patches(254), patches(255, 255)], 3, 2, 1),
    ],
)
def test_a_reference_that_cannot_be_measured_is_refused_with_the_reasons(
    parts, n_patches, n_bare, n_unclear
):
    message = (
        rf"None of the {n_patches} reference patches can be measured: {n_bare} have "
        rf"too little tissue \(fewer than 100 .*\), and {n_unclear} have odd\."
    )
    with pytest.raises(ValueError, match=message):
        measure(*parts)


def test_groups_have_the_medians_of_their_measurable_patches():
    values = np.array([[1.0], [np.nan], [3.0], [8.0], [np.nan], [50.0]])
    groups = np.array([0, 0, 0, 1, 2, -1])
    medians = medians_of_groups(values, groups, 3)
    np.testing.assert_array_equal(medians, [[2], [8], [np.nan], [np.nan]])
    medians = medians_of_groups(values, groups, 3, otherwise=255)
    np.testing.assert_array_equal(medians, [[2], [8], [255], [255]])


def test_patches_without_groups_are_no_group():
    medians = medians_of_groups(np.array([[1.0], [2.0]]), np.array([-1, -1]), 0)
    np.testing.assert_array_equal(medians, [[np.nan]])


def test_white_is_the_glass_of_a_patch_or_of_its_group_or_255():
    found = WHITE.of(patches(230, 50, 50), np.array([0, 0, -1]))
    np.testing.assert_array_equal(found, [[230] * 3, [200] * 3, [255] * 3])


def test_a_given_white_counts_in_all_patches():
    white = WHITE._replace(fixed=np.array([9.0, 8.0, 7.0]))
    found = white.of(patches(230, 50), np.array([0, -1]))
    np.testing.assert_array_equal(found, [[9, 8, 7]] * 2)


def test_a_patch_has_the_estimates_of_its_group_or_else_its_own():
    of_groups = np.array([[40.0], [np.nan], [np.nan]])
    white = WHITE._replace(of_groups=np.full((3, 3), 255.0))
    before = patches(50, 50, 50, 254, 254)
    groups = np.array([0, 1, -1, 0, -1])
    after = normalise(
        before, groups, METHOD, (np.array([60.0]),) * 2, white, (of_groups,) * 2
    )
    # Reds grow by 60 - 40 in group 0 and become 60 elsewhere. The last is unchanged.
    assert after[:, 0, 0, 0].tolist() == [70, 60, 60, (254 + 20) % 256, 254]
