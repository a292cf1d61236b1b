"""Macenko's method finds two stains in each patch and puts a reference's in place."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skhisto._stain.density import (
    EOSIN,
    HE_STAINS,
    mix_stains,
    optical_density,
    unit_length,
)
from skhisto._stain.macenko import MACENKO, are_distinct, move_apart, percentiles
from skhisto._stain.method import White, measure_all, normalise, typical

seeded = settings(derandomize=True, deadline=None)

OTHER_STAINS = unit_length([[0.55, 0.75, 0.36], [0.15, 0.90, 0.40]])


def mixtures(n=3, size=24, *, stains=HE_STAINS, strength=1.0, seed=0):
    """Patches of pure haematoxylin, pure eosin and mixtures of both, by the row."""
    share = np.linspace(0, 1, size)[:, None]
    amount = np.random.default_rng(seed).uniform(0.3, 0.8, (n, size, size))
    return mix_stains(
        strength * np.stack([share * amount, (1 - share) * amount], -1), stains
    )


WHITE = White(np.full(3, 255.0), np.full((1, 3), 255.0))
NO_GROUP = np.array([[[np.nan] * 3] * 2]), np.array([[np.nan] * 2])


def measure(*parts):
    """Estimates of each patch."""
    return measure_all(((p, np.full(len(p), -1)) for p in parts), MACENKO, WHITE)


def reference(*parts):
    return typical(measure(*parts), MACENKO)


def normalise_macenko(patches, *target):
    groups = np.full(len(patches), -1)
    return normalise(patches, groups, MACENKO, target, WHITE, NO_GROUP)


def angles(vectors, others):
    return np.degrees(np.arccos(np.clip(np.sum(vectors * others, axis=-1), -1, 1)))


def distance(patches, others):
    return np.abs(patches.astype(int) - others).mean()


# Stains of a reference


@pytest.mark.parametrize("stains", [HE_STAINS, OTHER_STAINS])
@pytest.mark.parametrize("swapped", [False, True])
def test_the_stains_of_a_mixture_are_found_haematoxylin_first(stains, swapped):
    patches = mixtures(stains=stains)
    if swapped:  # the order of the pixels says nothing about the stains
        patches = patches[:, ::-1]
    found, concentrations = reference(patches)
    assert angles(found, stains).max() < 1
    np.testing.assert_allclose(concentrations, 0.75, atol=0.05)


def test_stain_vectors_are_of_unit_length():
    vectors, _ = reference(mixtures())
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-12)


def test_twice_the_stain_is_twice_the_concentration():
    stains, concentrations = reference(mixtures(strength=1))
    same_stains, doubled = reference(mixtures(strength=2))
    assert angles(stains, same_stains).max() < 1
    np.testing.assert_allclose(doubled, 2 * concentrations, rtol=0.02)


def test_background_does_not_matter():
    patches = mixtures()
    with_background = np.concatenate([patches, np.full_like(patches, 245)], axis=1)
    for found, expected in zip(
        reference(with_background), reference(patches), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_reference_is_the_median_of_its_patches():
    strengths = [0.6, 1.0, 0.9, 1.3, 0.8]
    patches = np.concatenate([mixtures(1, strength=s) for s in strengths])
    stains, concentrations = reference(patches[:3], patches[3:])
    vectors, maxima = measure(patches)
    np.testing.assert_array_equal(concentrations, np.median(maxima, axis=0))
    np.testing.assert_array_equal(stains, unit_length(np.median(vectors, axis=0)))


def test_one_patch_is_its_own_reference():
    patch = mixtures(1)
    vectors, maxima = measure(patch)
    stains, concentrations = reference(patch)
    np.testing.assert_allclose(stains, vectors[0], rtol=1e-12)
    np.testing.assert_array_equal(concentrations, maxima[0])


def test_the_plane_of_stains_goes_through_the_origin():
    # By the paper: singular vectors of the densities, which are not centred.
    patches = mixtures(1)
    density = optical_density(patches.reshape(-1, 3).astype(np.float64))
    density = density[np.linalg.norm(density, axis=1) >= 0.15]
    plane = np.linalg.svd(density, full_matrices=False)[2][:2]
    vectors, _ = reference(patches)
    np.testing.assert_allclose(vectors @ plane.T @ plane, vectors, atol=1e-5)
    first = density @ plane[0] * np.sign(plane[0].sum())
    angle = np.arctan2(density @ plane[1], first)
    extremes = np.percentile(angle, [1, 99], method="inverted_cdf")
    found = np.arctan2(vectors @ plane[1], vectors @ plane[0] * np.sign(plane[0].sum()))
    np.testing.assert_allclose(np.sort(found), extremes, atol=1e-4)


def test_a_reference_of_one_stain_is_refused():
    amount = np.random.default_rng(0).uniform(0.3, 0.8, (2, 20, 20, 1))
    message = "0 have too little tissue .* and 2 have fewer than two distinct stains"
    with pytest.raises(ValueError, match=message):
        reference(mix_stains(amount, EOSIN[None]))


def test_patches_of_one_stain_are_left_out_of_a_reference():
    amount = np.random.default_rng(0).uniform(0.3, 0.8, (2, 24, 24, 1))
    patches = mixtures()
    blank = mix_stains(amount, EOSIN[None])
    expected = reference(patches)
    for parts in ([blank, patches], [np.concatenate([patches, blank])]):
        for found, value in zip(reference(*parts), expected, strict=True):
            np.testing.assert_array_equal(found, value)


# Normalising


def test_a_reference_is_nearly_unchanged_by_its_own_stains():
    patches = mixtures(1)
    normalised = normalise_macenko(patches, *reference(patches))
    assert np.abs(normalised.astype(int) - patches).max() <= 3
    assert distance(normalised, patches) < 1


def test_patches_stained_otherwise_become_as_if_stained_like_the_reference():
    target = mixtures(seed=0)
    expected = mixtures(seed=1)
    other = mixtures(seed=1, stains=OTHER_STAINS, strength=1.4)
    normalised = normalise_macenko(other, *reference(target))
    assert distance(other, expected) > 20
    assert distance(normalised, expected) < 3


def test_each_patch_is_normalised_by_itself():
    patches = np.concatenate(
        [mixtures(2), mixtures(2, stains=OTHER_STAINS, strength=0.7)]
    )
    patches[1] = 255
    target = reference(mixtures(seed=5))
    one_by_one = [normalise_macenko(patch[None], *target)[0] for patch in patches]
    np.testing.assert_array_equal(normalise_macenko(patches, *target), one_by_one)


def blank_patches():
    rng = np.random.default_rng(0)
    shape = (24, 24, 3)
    little = np.full(shape, 255)
    little[0] = [120, 60, 140]
    one_stain = mix_stains(rng.uniform(0.3, 0.8, (24, 24, 1)), EOSIN[None])
    return {
        "white": np.full(shape, 255),
        "nearly white": rng.integers(236, 256, shape),
        "black": np.zeros(shape),
        "nearly black": rng.integers(0, 2, (24, 24, 1)).repeat(3, axis=2),
        "constant": np.full(shape, [180, 90, 150]),
        "one channel": np.stack([np.full((24, 24), 255), *rng.integers(0, 1, (2, 24, 24))], -1),
        "grey": rng.integers(0, 256, (24, 24, 1)).repeat(3, axis=2),
        "too little tissue": little,
        "one stain": one_stain,
    }  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", blank_patches())
def test_a_patch_without_two_stains_is_unchanged_alone_and_among_others(name):
    blank = blank_patches()[name].astype(np.uint8)
    target = reference(mixtures(seed=5))
    patches = mixtures(4, stains=OTHER_STAINS)
    expected = normalise_macenko(patches, *target)
    patches[2] = expected[2] = blank
    np.testing.assert_array_equal(normalise_macenko(patches, *target), expected)
    np.testing.assert_array_equal(normalise_macenko(blank[None], *target), blank[None])


@pytest.mark.filterwarnings("error")
@seeded
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(0, 3), st.integers(1, 14), st.integers(1, 14), st.just(3)),
        elements=st.sampled_from([0, 1, 100, 200, 254, 255]),
    )
)  # fmt: skip
def test_no_patches_whatever_give_a_warning_or_change_with_the_batch(patches):
    target = reference(mixtures(seed=5))
    given_patches = patches.copy()
    normalised = normalise_macenko(patches, *target)
    assert normalised.shape == patches.shape
    assert normalised.dtype == np.uint8
    assert not np.shares_memory(normalised, patches)
    np.testing.assert_array_equal(patches, given_patches)
    for patch, whole in zip(patches, normalised, strict=True):
        np.testing.assert_array_equal(normalise_macenko(patch[None], *target)[0], whole)


@pytest.mark.filterwarnings("error")
def test_colours_far_from_both_stains_do_not_overflow():
    similar = unit_length([[0.55, 0.75, 0.36], [0.45, 0.80, 0.36]])
    amounts = np.repeat([[0.2, 0.0], [0.0, 0.2]], 200, axis=0)
    patch = mix_stains(amounts, similar).reshape(1, 20, 20, 3)
    patch[0, 0, 0] = [1, 255, 255]
    patch[0, 0, 1] = [255, 1, 255]
    normalised = normalise_macenko(patch, *reference(mixtures(strength=2)))
    assert distance(normalised[:, 1:], patch[:, 1:]) > 20


def test_stains_five_degrees_apart_are_two():
    assert not are_distinct(with_angle(4.9))
    assert are_distinct(with_angle(5.1))


def with_angle(degrees):
    turn = np.radians(degrees)
    return np.array([[[1, 0, 0], [np.cos(turn), np.sin(turn), 0]]])


@seeded
@given(st.floats(5, 19.9))
def test_close_stains_are_moved_apart_within_their_plane(degrees):
    close = with_angle(degrees)
    apart = move_apart(close)
    np.testing.assert_allclose(angles(apart[:, 0], apart[:, 1]), 20)
    np.testing.assert_allclose(unit_length(apart.sum(1)), unit_length(close.sum(1)))
    assert (angles(apart, close) < 7.6).all()  # first stays first


def test_a_patch_of_mixtures_only_has_stains_twenty_degrees_apart():
    share = np.random.default_rng(0).uniform(0.4, 0.6, (1, 24, 24))
    amount = np.random.default_rng(1).uniform(0.6, 1, (1, 24, 24))
    patch = mix_stains(np.stack([share * amount, (1 - share) * amount], -1))
    vectors, _ = measure(patch)
    np.testing.assert_allclose(angles(vectors[:, 0], vectors[:, 1]), 20)


def test_stains_that_are_far_apart_are_not_moved():
    far = with_angle(20.1)
    np.testing.assert_array_equal(move_apart(far), far)


def test_glass_and_what_is_brighter_keep_their_colour():
    glass = np.array([204.0, 211.0, 198.0])
    patch = np.rint(mixtures(1) * glass / 255)
    patch[0, :4, :, :] = glass + np.random.default_rng(0).integers(-6, 7, (4, 24, 3))
    patch[0, 5, 5] = [255, 240, 230]
    patch = patch.astype(np.uint8)
    white = WHITE._replace(fixed=glass)
    normalised = normalise(
        patch, np.array([-1]), MACENKO, reference(mixtures(strength=2)), white, NO_GROUP
    )
    np.testing.assert_array_equal(normalised[0, :4], patch[0, :4])
    np.testing.assert_array_equal(normalised[0, 5, 5], patch[0, 5, 5])
    assert distance(normalised[0, 6:], patch[0, 6:]) > 20


def test_grey_light_is_as_if_it_were_white():
    patches = mixtures(seed=1)
    target = reference(mixtures(stains=OTHER_STAINS))
    expected = normalise_macenko(patches, *target)
    grey = np.rint(patches * 0.8).astype(np.uint8)
    white = WHITE._replace(fixed=np.full(3, 204.0))
    groups = np.full(len(grey), -1)
    normalised = normalise(grey, groups, MACENKO, target, white, NO_GROUP)
    assert distance(normalised, 0.8 * expected) < 1


@pytest.mark.parametrize(("strength", "factor"), [(4.0, 2.0), (0.2, 0.5)])
def test_concentrations_change_by_at_most_a_factor_of_two(strength, factor):
    patches = mixtures(1, strength=0.5 if strength > 1 else 1.4)
    stains, concentrations = reference(patches)
    target = stains, strength * concentrations
    normalised = normalise_macenko(patches, *target)
    dense = optical_density(patches).sum(-1) > 0.6
    found = optical_density(normalised)[dense] / optical_density(patches)[dense]
    np.testing.assert_allclose(np.median(found), factor, rtol=0.05)


# Percentiles


@seeded
@given(st.integers(1, 250), st.integers(0, 2**32 - 1), st.data())
def test_percentiles_are_those_of_numpy(n_values, seed, data):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, data.draw(st.integers(1, 100)), (2, n_values)) / 7
    percents = data.draw(st.lists(st.integers(1, 100), min_size=1, max_size=3))
    mask = rng.random((2, n_values)) < 0.7
    mask[:, 0] = True
    for row in range(2):
        np.testing.assert_array_equal(
            percentiles(values, mask, percents)[row],
            np.percentile(values[row][mask[row]], percents, method="inverted_cdf"),
        )
