"""BrightnessJitter multiplies each patch by a factor."""

import copy
import pickle

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer

from skhisto import BrightnessJitter

seeded = settings(derandomize=True, deadline=None)

integer_patches = hnp.arrays(
    st.sampled_from([np.uint8, np.uint16]),
    st.tuples(
        st.integers(0, 3), st.integers(1, 6), st.integers(1, 6), st.integers(1, 4)
    ),
)


def grey(value, dtype, n=300):
    return np.full((n, 2, 3, 3), value, dtype=dtype)


# What it does to the intensities


@pytest.mark.parametrize(("dtype", "value"), [("uint8", 200), ("uint16", 50_000)])
def test_all_pixels_of_a_patch_are_multiplied_by_one_factor(dtype, value):
    patches = grey(value, dtype)
    patches[:, 0] //= 2
    jittered = BrightnessJitter(0.1)(patches, 0).astype(float)
    factor = jittered[:, 1].mean(axis=(1, 2)) / value
    expected = patches * factor[:, None, None, None]
    np.testing.assert_allclose(jittered, expected, atol=1)


def test_factors_fill_their_range_evenly():
    factors = BrightnessJitter(0.2)(grey(40_000, "uint16"), 0)[:, 0, 0, 0] / 40_000
    np.testing.assert_allclose(
        np.quantile(factors, [0, 0.25, 0.5, 0.75, 1]),
        [0.8, 0.9, 1, 1.1, 1.2],
        atol=0.03,
    )


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_what_is_brighter_than_white_is_white(dtype):
    white = np.iinfo(dtype).max
    jittered = BrightnessJitter(1)(grey(white, dtype), 0)[:, 0, 0, 0]
    # Factors above 1 leave white as it is, and the others darken it.
    assert 0.4 < (jittered == white).mean() < 0.6
    assert np.median(jittered[jittered < white] / white) == pytest.approx(0.5, abs=0.1)


def test_intensities_are_rounded_to_the_nearest():
    patches = grey(7, "uint8", n=2000)
    jittered = BrightnessJitter(0.1)(patches, 0)[:, 0, 0, 0]
    # 7 * 0.9 = 6.3 to 7 * 1.1 = 7.7: below 6.5 for a seventh, above 7.5 for another.
    share = np.bincount(jittered, minlength=9)[6:9] / 2000
    np.testing.assert_allclose(share, [1 / 7, 5 / 7, 1 / 7], atol=0.04)


@seeded
@given(integer_patches, st.integers(0, 2**32))
def test_strength_0_is_the_identity(patches, seed):
    np.testing.assert_array_equal(BrightnessJitter(0)(patches, seed), patches)


def test_strength_0_is_the_identity_for_each_value_of_16_bits():
    patches = np.arange(2**16, dtype=np.uint16).reshape(1, 256, 256, 1)
    np.testing.assert_array_equal(BrightnessJitter(0)(patches, 0), patches)


@seeded
@given(integer_patches, st.floats(0, 1), st.integers(0, 2**32))
def test_patches_keep_shape_and_dtype_and_the_input_its_values(patches, strength, seed):
    before = patches.copy()
    with np.errstate(all="raise"):
        jittered = BrightnessJitter(strength)(patches, seed)
    assert jittered.shape == patches.shape
    assert jittered.dtype == patches.dtype
    assert (jittered[patches == 0] == 0).all()
    np.testing.assert_array_equal(patches, before)
    assert not np.shares_memory(jittered, patches)


# Draws


def test_each_patch_gets_its_own_draw():
    jittered = BrightnessJitter()(grey(30_000, "uint16", n=50), 0)
    assert len(np.unique(jittered)) == 50


def test_a_seed_gives_the_same_bits_and_a_generator_goes_on():
    patches = grey(200, "uint8", n=20)
    rng = np.random.default_rng(5)
    first, second = (BrightnessJitter()(patches, rng) for _ in range(2))
    np.testing.assert_array_equal(BrightnessJitter()(patches, 5), first)
    assert not np.array_equal(first, second)


# Errors


@pytest.mark.parametrize("pixel_dtype", ["uint8", "uint16"])
def test_integers_pass_the_check(pixel_dtype):
    BrightnessJitter().check((4, 6, 1), pixel_dtype)


def test_numbers_that_are_taken_as_they_are_are_an_error():
    message = "BrightnessJitter needs .* uint8 or uint16, .* are taken as float32"
    with pytest.raises(ValueError, match=message):
        BrightnessJitter().check((4, 4, 3), "float32")
    with pytest.raises(ValueError, match=message):
        BrightnessJitter()(np.zeros((1, 4, 4, 3), dtype=np.float32), 0)


@pytest.mark.parametrize("strength", [-0.1, 1.1, np.nan, "0.1", None, False])
def test_the_strength_is_a_number_from_0_to_1(strength):
    with pytest.raises(
        ValueError, match=r"^strength must be a number from 0 to 1\. Got"
    ):
        BrightnessJitter(strength)


# A value among parameters


def test_it_is_plain_data():
    jitter = BrightnessJitter(0.3)
    assert jitter == BrightnessJitter(strength=0.3) != BrightnessJitter()
    assert repr(jitter) == "BrightnessJitter(strength=0.3)"
    assert copy.deepcopy(jitter) == pickle.loads(pickle.dumps(jitter)) == jitter
    assert clone(FunctionTransformer(jitter)).func == jitter


def test_skops_loads_it_when_its_type_is_trusted():
    saved = skops.io.dumps(BrightnessJitter(0.3))
    assert skops.io.get_untrusted_types(data=saved) == ["skhisto.BrightnessJitter"]
    loaded = skops.io.loads(saved, trusted=["skhisto.BrightnessJitter"])
    assert loaded == BrightnessJitter(0.3)
