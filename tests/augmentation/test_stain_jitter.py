"""StainJitter changes the stain concentrations of each patch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skhisto import StainJitter, make_patches
from skhisto._stain.density import EOSIN, HAEMATOXYLIN, mix_stains, optical_density

seeded = settings(derandomize=True, deadline=None)

RESIDUAL = np.cross(HAEMATOXYLIN, EOSIN)
STAINS = np.stack([HAEMATOXYLIN, EOSIN, RESIDUAL / np.linalg.norm(RESIDUAL)])

rgb_patches = hnp.arrays(
    np.uint8,
    st.tuples(st.integers(0, 3), st.integers(1, 6), st.integers(1, 6), st.just(3)),
)


@pytest.fixture(scope="module")
def stained():
    """300 patches with low to high concentrations of each stain."""
    amounts = np.linspace(0.05, 0.6, 8)
    concentrations = np.stack(np.meshgrid(amounts, amounts), axis=-1)
    return np.tile(mix_stains(concentrations), (300, 1, 1, 1))


def concentrations_of(patches):
    """Concentrations of haematoxylin, eosin and residual, shape (n, n_pixels, 3)."""
    density = optical_density(patches.astype(float)).reshape(len(patches), -1, 3)
    return np.linalg.solve(STAINS.T, np.swapaxes(density, 1, 2)).swapaxes(1, 2)


def fit_lines(before, after):
    """Slopes and intercepts of regressions of `after` on `before`, shape (n, 3)."""
    deviation = before - before.mean(axis=1, keepdims=True)
    slope = (deviation * after).sum(axis=1) / (deviation**2).sum(axis=1)
    return slope, after.mean(axis=1) - slope * before.mean(axis=1)


# Concentrations


def test_each_concentration_changes_linearly_and_independently(stained):
    before = concentrations_of(stained)
    after = concentrations_of(StainJitter(scale=0.2, shift=0.05)(stained, 0))
    slope, intercept = fit_lines(before[..., :2], after[..., :2])
    line = slope[:, None] * before[..., :2] + intercept[:, None]
    # The tolerance is the rounding to 8 bits, which affects dark pixels most.
    np.testing.assert_allclose(after[..., :2], line, atol=0.02)
    assert abs(np.corrcoef(slope.T)[0, 1]) < 0.2
    assert abs(np.corrcoef(slope[:, 0], intercept[:, 0])[0, 1]) < 0.2


def test_slopes_and_intercepts_are_distributed_uniformly(stained):
    before = concentrations_of(stained)[..., :2]
    after = concentrations_of(StainJitter(scale=0.2, shift=0.05)(stained, 0))[..., :2]
    slope, intercept = fit_lines(before, after)
    quartiles = [0, 0.25, 0.5, 0.75, 1]
    for drawn, centre, half_width in [(slope, 1, 0.2), (intercept, 0, 0.05)]:
        for stain in range(2):
            np.testing.assert_allclose(
                np.quantile(drawn[:, stain], quartiles),
                centre + half_width * np.linspace(-1, 1, 5),
                atol=0.25 * half_width,
            )


def test_shift_alone_adds_a_constant_concentration_to_all_pixels():
    white = np.full((200, 2, 2, 3), 255, dtype=np.uint8)
    # Grey, because pixels brighter than white would be clipped.
    grey = white // 2
    added = concentrations_of(
        StainJitter(scale=0, shift=0.05)(grey, 0)
    ) - concentrations_of(grey)
    assert (added == added[:, :1]).all()
    for stain in range(3):
        np.testing.assert_allclose(
            np.quantile(added[:, 0, stain], [0, 0.5, 1]), [-0.05, 0, 0.05], atol=0.02
        )
    tinted = StainJitter(scale=0, shift=0.05)(white, 0)
    assert (tinted != 255).any(axis=(1, 2, 3)).mean() > 0.5


def test_intensities_are_rounded_to_the_nearest_integer():
    dark = np.full((2000, 1, 1, 3), 8, dtype=np.uint8)
    mean = StainJitter(scale=0, shift=0.05)(dark, 0).mean(axis=(0, 1, 2))
    # The mean would be 7.5 if intensities were truncated.
    np.testing.assert_allclose(mean, 8, atol=0.15)


def test_the_residual_is_scaled_too():
    density = 0.5 * (HAEMATOXYLIN + EOSIN) + 0.15 * STAINS[2]
    colour = np.rint(255 * 10**-density).astype(np.uint8)
    after = concentrations_of(
        StainJitter(scale=0.5, shift=0)(np.tile(colour, (200, 1, 1, 1)), 0)
    )[:, 0, 2]
    np.testing.assert_allclose(
        np.quantile(after, [0, 0.5, 1]), [0.075, 0.15, 0.225], atol=0.02
    )


def test_white_stays_white_without_a_shift():
    white = np.full((20, 4, 4, 3), 255, dtype=np.uint8)
    np.testing.assert_array_equal(StainJitter(scale=1, shift=0)(white, 0), white)


def test_black_stays_black():
    black = np.zeros((20, 4, 4, 3), dtype=np.uint8)
    np.testing.assert_array_equal(StainJitter(scale=1, shift=1)(black, 0), black)


@seeded
@given(rgb_patches, st.integers(0, 2**32))
def test_strength_0_is_the_identity(patches, seed):
    np.testing.assert_array_equal(StainJitter(scale=0, shift=0)(patches, seed), patches)


def test_strength_0_is_the_identity_for_every_8_bit_intensity():
    values = np.arange(256, dtype=np.uint8)
    first, second = (values.reshape(shape) for shape in [(-1, 1), (1, -1)])
    patch = np.stack(np.broadcast_arrays(first, second, second[:, ::-1]), axis=-1)
    np.testing.assert_array_equal(
        StainJitter(scale=0, shift=0)(patch[None], 0), patch[None]
    )


@seeded
@given(rgb_patches, st.floats(0, 1), st.floats(0, 1), st.integers(0, 2**32))
def test_no_pixel_overflows_at_any_strength(patches, scale, shift, seed):
    before = patches.copy()
    with np.errstate(all="raise", under="ignore"):
        jittered = StainJitter(scale=scale, shift=shift)(patches, seed)
    assert jittered.shape == patches.shape
    assert jittered.dtype == np.uint8
    assert (jittered[patches == 0] == 0).all()
    np.testing.assert_array_equal(patches, before)
    assert not np.shares_memory(jittered, patches)


def test_the_default_strengths_change_colours_moderately():
    patches, *_ = make_patches(64, size=48, random_state=0)
    jittered = StainJitter()(patches, 0)
    change = np.abs(jittered.astype(int) - patches).mean(axis=(1, 2, 3))
    assert 2 < np.median(change) < 30
    assert change.max() < 60


# Draws


def test_each_patch_has_its_own_concentrations(stained):
    jittered = StainJitter()(stained[:50], 0)
    assert len({patch.tobytes() for patch in jittered}) == 50


def test_a_seed_is_reproducible(stained):
    first = StainJitter()(stained[:5], 7)
    np.testing.assert_array_equal(StainJitter()(stained[:5], 7), first)
    assert not np.array_equal(StainJitter()(stained[:5], 8), first)


def test_a_patch_does_not_depend_on_the_pixels_of_other_patches(stained):
    others = stained[:5].copy()
    others[1:] = 99
    np.testing.assert_array_equal(
        StainJitter()(others, 7)[0], StainJitter()(stained[:5], 7)[0]
    )


def test_a_generator_advances(stained):
    rng = np.random.default_rng(7)
    first, second = (StainJitter()(stained[:5], rng) for _ in range(2))
    np.testing.assert_array_equal(first, StainJitter()(stained[:5], 7))
    assert not np.array_equal(first, second)


# Errors


def test_rgb_patches_of_dtype_uint8_pass_the_check():
    StainJitter().check((48, 64, 3), "uint8")


@pytest.mark.parametrize(
    ("channels", "dtype", "named"),
    [
        (1, "uint8", r"1 channel\(s\) and are treated as uint8"),
        (4, "uint8", r"4 channel\(s\) and are treated as uint8"),
        (3, "uint16", r"3 channel\(s\) and are treated as uint16"),
        (3, "float32", r"3 channel\(s\) and are treated as float32"),
    ],
)
def test_other_patches_raise_an_error(channels, dtype, named):
    message = f"StainJitter needs RGB patches of dtype uint8 .* {named}"
    with pytest.raises(ValueError, match=message):
        StainJitter().check((8, 8, channels), dtype)
    with pytest.raises(ValueError, match=message):
        StainJitter()(np.zeros((2, 8, 8, channels), dtype=dtype), 0)
