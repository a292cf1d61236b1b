"""Augmentations are values: objects that scikit-learn can read, set and clone."""

import copy
import pickle
import re
from typing import ClassVar

import numpy as np
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.preprocessing import FunctionTransformer

from skhisto import D4, BrightnessJitter, StainJitter
from skhisto.augmentation import Augmentation

seeded = settings(derandomize=True, deadline=None)

EACH = [
    D4(),
    StainJitter(scale=0.1, shift=0.02),
    StainJitter(scale=np.float64(0.3)),
    BrightnessJitter(strength=1),
]
PARAMETERS = [
    (StainJitter, "scale"),
    (StainJitter, "shift"),
    (BrightnessJitter, "strength"),
]
PATCHES = np.full((2, 4, 4, 3), 120, dtype=np.uint8)


# Parameters


def test_the_default_parameters_are_the_documented_ones():
    assert D4().get_params() == {}
    assert StainJitter().get_params() == {"scale": 0.2, "shift": 0.05}
    assert BrightnessJitter().get_params() == {"strength": 0.1}


def test_set_params_changes_the_augmentation():
    jitter = StainJitter().set_params(scale=0, shift=0)
    np.testing.assert_array_equal(jitter(PATCHES, 0), PATCHES)
    assert not np.array_equal(StainJitter()(PATCHES, 0), PATCHES)


def test_an_instance_does_not_share_parameters_with_its_clone_or_with_new_instances():
    jitter = BrightnessJitter(strength=0.5)
    clone(jitter).set_params(strength=0)
    BrightnessJitter().set_params(strength=0)
    assert jitter.strength == 0.5
    assert BrightnessJitter().strength == 0.1


# Validation


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, np.inf, "0.1", None])
@pytest.mark.parametrize(("augmentation", "name"), PARAMETERS)
def test_an_invalid_parameter_raises_an_error_at_use(augmentation, name, value):
    jitter = augmentation(**{name: value})  # the constructor only assigns
    message = re.escape(
        f"The '{name}' parameter of {augmentation.__name__} must be a float in the "
        f"range [0.0, 1.0]. Got {value!r} instead."
    )
    with pytest.raises(ValueError, match=message):
        jitter.check((4, 4, 3), "uint8")
    with pytest.raises(ValueError, match=message):
        jitter(PATCHES, 0)


@pytest.mark.parametrize(("augmentation", "name"), PARAMETERS)
@seeded
@given(value=st.floats(0, 1) | st.integers(0, 1) | st.floats(0, 1).map(np.float64))
def test_every_number_from_0_to_1_is_valid(augmentation, name, value):
    augmentation(**{name: value}).check((4, 4, 3), "uint8")


@pytest.mark.parametrize("augmentation", [StainJitter, BrightnessJitter])
def test_parameters_are_keyword_only(augmentation):
    with pytest.raises(TypeError, match="positional"):
        augmentation(0.1)


# Equality, representation and copies


@seeded
@given(first=st.floats(0, 1), second=st.floats(0, 1))
def test_augmentations_are_equal_if_their_parameters_are_equal(first, second):
    jitter = StainJitter(scale=first)
    assert jitter == StainJitter(scale=np.float64(first))
    assert (jitter == StainJitter(scale=second)) == (first == second)
    assert jitter != StainJitter(scale=first, shift=0.5)


def test_augmentations_of_different_types_are_not_equal():
    assert D4() != BrightnessJitter()
    assert BrightnessJitter(strength=0.1) != 0.1


def test_the_representation_shows_the_parameters_that_are_not_defaults():
    assert repr(D4()) == "D4()"
    assert repr(StainJitter(scale=0.1, shift=0.05)) == "StainJitter(scale=0.1)"
    assert repr(BrightnessJitter(strength=0.3)) == "BrightnessJitter(strength=0.3)"


def through_pickle(augmentation):
    return pickle.loads(pickle.dumps(augmentation))


def through_skops(augmentation):
    saved = skops.io.dumps(augmentation)
    name = f"skhisto.{type(augmentation).__name__}"
    assert skops.io.get_untrusted_types(data=saved) == [name]
    return skops.io.loads(saved, trusted=[name])


def through_function_transformer(augmentation):
    return clone(FunctionTransformer(augmentation)).func


@pytest.mark.parametrize(
    "copied",
    [
        clone,
        copy.copy,
        copy.deepcopy,
        through_pickle,
        through_skops,
        through_function_transformer,
    ],
)
@pytest.mark.parametrize("augmentation", EACH, ids=repr)
def test_a_copy_is_equal_and_gives_the_same_pixels(augmentation, copied):
    other = copied(augmentation)
    assert other == augmentation
    assert other is not augmentation
    np.testing.assert_array_equal(other(PATCHES, 3), augmentation(PATCHES, 3))


@pytest.mark.parametrize("augmentation", EACH, ids=repr)
def test_pickles_store_the_public_module(augmentation):
    assert type(augmentation).__module__ == "skhisto"
    assert b"skhisto.augmentation" not in pickle.dumps(augmentation)


# Subclasses


class Add(Augmentation):
    def __init__(self, *, highest=3):
        self.highest = highest

    def augment(self, patches, rng):
        return patches + rng.integers(self.highest, dtype=patches.dtype)


def test_a_subclass_gets_a_generator_that_is_seeded_by_the_random_state():
    expected = PATCHES + np.random.default_rng(5).integers(100, dtype=np.uint8)
    np.testing.assert_array_equal(Add(highest=100)(PATCHES, 5), expected)
    rng = np.random.default_rng(5)
    np.testing.assert_array_equal(Add(highest=100)(PATCHES, rng), expected)


def test_a_subclass_accepts_all_patches_by_default():
    Add().check((3, 5, 2), "float32")


def test_a_subclass_must_implement_augment():
    with pytest.raises(TypeError, match=r"abstract method .?augment"):
        type("Incomplete", (Augmentation,), {})()


def test_check_patches_is_called_after_the_parameters_are_validated():
    class Greyscale(Add):
        _parameter_constraints: ClassVar = {"highest": [int]}

        def check_patches(self, patch_shape, pixel_dtype):
            raise ValueError(f"not {patch_shape} of {pixel_dtype}")

    with pytest.raises(ValueError, match=r"not \(4, 4, 3\) of uint8"):
        Greyscale()(PATCHES, 0)
    with pytest.raises(ValueError, match="The 'highest' parameter of Greyscale"):
        Greyscale(highest="1")(PATCHES, 0)
