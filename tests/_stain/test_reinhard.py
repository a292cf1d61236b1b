"""Reinhard's method gives tissue the mean and spread of colour of a reference."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skhisto._stain.density import mix_stains
from skhisto._stain.method import White, measure_all, normalise, typical
from skhisto._stain.reinhard import (
    LAB_FROM_LMS,
    LMS_FROM_RGB,
    REINHARD,
    moments,
)
from skhisto._stain.reinhard import lab_from_rgb as lab_from_rgb_and_white
from skhisto._stain.reinhard import rgb_from_lab as rgb_from_lab_and_white
from skhisto._stain.tissue_mask import as_planes, density_planes, strength_of

WHITE = White(np.full(3, 255.0), np.full((1, 3), 255.0))
NO_GROUP = np.full((1, 3), np.nan), np.full((1, 3), np.nan)
seeded = settings(derandomize=True, deadline=None)


def tissue_patches(n=3, size=16, *, strength=1.0, seed=0):
    concentrations = np.random.default_rng(seed).uniform(0.2, 0.7, (n, size, size, 2))
    return mix_stains(strength * concentrations)


def lab_from_rgb(rgb):
    return lab_from_rgb_and_white(rgb, np.full((len(rgb), 3), 255.0))


def measure(*parts):
    """Estimates of each patch."""
    return measure_all(((p, np.full(len(p), -1)) for p in parts), REINHARD, WHITE)


def reference(*parts):
    return typical(measure(*parts), REINHARD)


def normalise_reinhard(patches, *target, white=WHITE):
    groups = np.full(len(patches), -1)
    return normalise(patches, groups, REINHARD, target, white, NO_GROUP)


def strength(patches):
    """Length of the optical density of each pixel."""
    white = np.full((len(patches), 3), 255.0)
    return strength_of(density_planes(patches, white)).reshape(patches.shape[:3])


def test_the_colour_space_is_that_of_ruderman_and_reinhard():
    np.testing.assert_allclose(LAB_FROM_LMS @ LAB_FROM_LMS.T, np.eye(3), atol=1e-6)
    np.testing.assert_allclose(LMS_FROM_RGB.sum(axis=1), 1, atol=0.003)
    # The inverse that the paper prints, which is not quite the inverse.
    printed = [
        [4.4679, -3.5873, 0.1193],
        [-1.2186, 2.3809, -0.1624],
        [0.0497, -0.2439, 1.2045],
    ]
    np.testing.assert_allclose(np.linalg.inv(LMS_FROM_RGB), printed, atol=0.02)
    (light, alpha, beta), = lab_from_rgb(np.full((1, 3, 1), 100, np.uint8))[..., 0]  # fmt: skip
    assert light == pytest.approx(np.sqrt(3) * 2, abs=0.002)
    assert abs(alpha) < 0.002
    assert abs(beta) < 0.002


@seeded
@given(
    hnp.arrays(np.uint8, (2, 3, 5), elements=st.integers(1, 255)),
    hnp.arrays(np.float64, (2, 3), elements=st.floats(150, 255)),
)
def test_pixels_survive_the_way_to_lab_and_back(rgb, white):
    lab = lab_from_rgb_and_white(rgb, white)
    np.testing.assert_array_equal(rgb_from_lab_and_white(lab, white), rgb)


def test_a_reference_is_measured_over_its_tissue():
    patch = tissue_patches(1)
    with_background = np.concatenate([patch, np.full_like(patch, 245)], axis=1)
    means, stds = reference(with_background)
    lab = lab_from_rgb(as_planes(patch))[0]
    np.testing.assert_allclose(means, lab.mean(axis=1), atol=1e-5)
    np.testing.assert_allclose(stds, lab.std(axis=1), atol=1e-5)


def test_a_reference_is_the_median_of_its_patches():
    patches = np.concatenate([tissue_patches(2, strength=s) for s in (0.7, 1, 1.5)])
    found = reference(patches[:5], patches[5:])
    estimates = measure(patches)
    for value, each in zip(found, estimates, strict=True):
        np.testing.assert_array_equal(value, np.median(each, axis=0))


def test_patches_without_colours_are_left_out_of_a_reference():
    patches = tissue_patches()
    blank = np.full_like(patches, [180, 90, 150])
    expected = reference(patches)
    for parts in ([blank, patches], [np.concatenate([patches, blank])]):
        for found, value in zip(reference(*parts), expected, strict=True):
            np.testing.assert_array_equal(found, value)


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        (
            np.full((1, 20, 20, 3), [180, 90, 150]),
            r"0 have .* 1 have too little variation",
        ),
        (
            np.arange(200)[None, None, :, None].repeat(3, axis=3),
            "0 have .* 1 have too little variation",
        ),
    ],
)
def test_a_reference_without_colours_is_refused(patch, message):
    with pytest.raises(ValueError, match=message):
        reference(patch.astype(np.uint8))


def test_a_reference_is_nearly_unchanged_by_its_own_colours():
    patches = tissue_patches(1)
    normalised = normalise_reinhard(patches, *reference(patches))
    assert np.abs(normalised.astype(int) - patches).max() <= 1


def test_tissue_gets_the_mean_and_spread_of_the_reference():
    means, stds = reference(tissue_patches(strength=1))
    other = tissue_patches(strength=1.5, seed=1)
    normalised = normalise_reinhard(other, means, stds)
    everywhere = np.ones((3, 16 * 16), dtype=bool)
    found = moments(lab_from_rgb(as_planes(normalised)), everywhere)
    np.testing.assert_allclose(found[0], np.tile(means, (3, 1)), atol=0.005)
    np.testing.assert_allclose(found[1], np.tile(stds, (3, 1)), rtol=0.05)


def test_glass_is_left_as_it_is_and_out_of_the_statistics():
    patches = tissue_patches()
    patches[:, 8:] = np.random.default_rng(0).integers(248, 256, patches[:, 8:].shape)
    target = reference(tissue_patches(strength=0.7, seed=1))
    normalised = normalise_reinhard(patches, *target)
    np.testing.assert_array_equal(normalised[:, 8:], patches[:, 8:])
    np.testing.assert_array_equal(
        normalised[:, :8], normalise_reinhard(patches[:, :8], *target)
    )


def test_glass_that_is_not_white_is_left_as_it_is():
    glass = np.array([204.0, 211.0, 198.0])
    patches = np.rint(tissue_patches() * glass / 255).astype(np.uint8)
    noise = np.random.default_rng(0).integers(-6, 7, patches[:, 8:].shape)
    patches[:, 8:] = glass + noise
    target = reference(tissue_patches(strength=0.7, seed=1))
    white = WHITE._replace(fixed=glass)
    normalised = normalise_reinhard(patches, *target, white=white)
    np.testing.assert_array_equal(normalised[:, 8:], patches[:, 8:])
    assert np.abs(normalised[:, :8].astype(int) - patches[:, :8]).mean() > 10


def test_pale_tissue_changes_smoothly_with_its_density():
    ramp = np.linspace(0, 0.8, 64 * 64).reshape(1, 64, 64)
    shares = np.random.default_rng(0).uniform(0.4, 0.6, ramp.shape)
    patch = mix_stains(np.stack([shares * ramp, (1 - shares) * ramp], -1))
    target = reference(tissue_patches(strength=2))
    change = np.abs(normalise_reinhard(patch, *target).astype(int) - patch).max(-1)
    density = strength(patch)
    assert change[density < 0.05].max() == 0
    means = [change[abs(density - d) < 0.02].mean() for d in np.arange(0.05, 0.5, 0.04)]
    assert max(means) > 50
    assert np.diff(means).max() < 30  # a threshold changes by all at once


def test_contrast_grows_by_at_most_a_factor_of_two():
    patches = tissue_patches(1)
    means, stds = reference(patches)
    same = normalise_reinhard(patches, means, 2 * stds)
    np.testing.assert_array_equal(normalise_reinhard(patches, means, 5 * stds), same)
    assert (normalise_reinhard(patches, means, 1.5 * stds) != same).any()


def blank_patches():
    rng = np.random.default_rng(0)
    shape = (16, 16, 3)
    return {
        "white": np.full(shape, 255),
        "nearly white": rng.integers(236, 256, shape),
        "black": np.zeros(shape),
        "constant": np.full(shape, [180, 90, 150]),
        "grey": rng.integers(0, 256, (16, 16, 1)).repeat(3, axis=2),
    }


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", blank_patches())
def test_a_patch_without_colours_is_unchanged_alone_and_among_others(name):
    blank = blank_patches()[name].astype(np.uint8)
    target = reference(tissue_patches(strength=0.7, seed=1))
    patches = tissue_patches(4)
    expected = normalise_reinhard(patches, *target)
    patches[2] = expected[2] = blank
    np.testing.assert_array_equal(normalise_reinhard(patches, *target), expected)
    np.testing.assert_array_equal(normalise_reinhard(blank[None], *target), blank[None])


@pytest.mark.filterwarnings("error")
@seeded
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(0, 3), st.integers(1, 14), st.integers(1, 14), st.just(3)),
        elements=st.sampled_from([0, 1, 100, 200, 254, 255]),
    ),
    st.sampled_from([0.02, 5.0]),
)  # fmt: skip
def test_no_patches_whatever_give_a_warning_or_change_with_the_batch(patches, spread):
    target = np.array([3.5, -0.1, 0.02]), np.full(3, spread)
    given_patches = patches.copy()
    normalised = normalise_reinhard(patches, *target)
    assert normalised.shape == patches.shape
    assert normalised.dtype == np.uint8
    assert not np.shares_memory(normalised, patches)
    np.testing.assert_array_equal(patches, given_patches)
    for patch, whole in zip(patches, normalised, strict=True):
        np.testing.assert_array_equal(
            normalise_reinhard(patch[None], *target)[0], whole
        )
