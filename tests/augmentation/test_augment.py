"""The parameter `augment`: names, objects, functions, and lists of these."""

from functools import partial

import numpy as np
import pytest

from skhisto import D4, BrightnessJitter, StainJitter
from skhisto.augmentation._augment import as_augmentation

RGB = (6, 6, 3)


@pytest.fixture
def patches():
    return np.random.default_rng(0).integers(0, 256, (10, *RGB), dtype=np.uint8)


def invert(patches, rng):
    return 255 - patches


def halve(patches, rng):
    return patches // 2


def augment(value, patches, seed=0):
    apply = as_augmentation(value, patches.shape[1:], patches.dtype.name)
    return apply(patches, np.random.default_rng(seed))


# What may be given


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_nothing_to_apply_is_none(nothing):
    assert as_augmentation(nothing, RGB, "uint8") is None


@pytest.mark.parametrize(
    ("name", "augmentation"),
    [("d4", D4()), ("stain", StainJitter()), ("brightness", BrightnessJitter())],
)
def test_a_name_stands_for_an_object_with_its_defaults(name, augmentation, patches):
    expected = augmentation(patches, 0)
    np.testing.assert_array_equal(augment(name, patches), expected)
    np.testing.assert_array_equal(augment(augmentation, patches), expected)


def test_a_function_of_ones_own_gets_the_patches_and_a_generator(patches):
    def add(patches, rng):
        assert isinstance(rng, np.random.Generator)
        return patches + rng.integers(9, dtype=np.uint8)

    expected = add(patches, np.random.default_rng(4))
    np.testing.assert_array_equal(augment(add, patches, seed=4), expected)


@pytest.mark.parametrize("kind", [list, tuple])
def test_a_list_is_applied_in_order(kind, patches):
    np.testing.assert_array_equal(
        augment(kind([invert, halve]), patches), (255 - patches) // 2
    )
    np.testing.assert_array_equal(
        augment(kind([halve, invert]), patches), 255 - patches // 2
    )


def test_the_steps_share_one_generator(patches):
    rng = np.random.default_rng(0)
    expected = BrightnessJitter(0.5)(StainJitter()(D4()(patches, rng), rng), rng)
    steps = ["d4", StainJitter(), BrightnessJitter(0.5)]
    np.testing.assert_array_equal(augment(steps, patches), expected)
    assert not np.array_equal(augment(steps, patches, seed=1), expected)


def test_the_patches_given_are_left_as_they_are(patches):
    before = patches.copy()
    augment(["d4", "stain", "brightness"], patches)
    np.testing.assert_array_equal(patches, before)


# What suits


@pytest.mark.parametrize("pixel_dtype", ["uint16", "float32"])
def test_auto_warns_where_it_leaves_the_stains_of_rgb_patches(pixel_dtype):
    message = f"stains of RGB patches of dtype uint8 only, but .* as {pixel_dtype}"
    with pytest.warns(UserWarning, match=message):
        assert as_augmentation("auto", RGB, pixel_dtype) is not None


@pytest.mark.parametrize(
    ("value", "patch_shape", "pixel_dtype"),
    [("auto", RGB, "uint8"), ("auto", (6, 6, 1), "float32"), ("d4", RGB, "float32")],
)
@pytest.mark.filterwarnings("error")
def test_it_does_not_warn_where_there_is_nothing_to_say(
    value, patch_shape, pixel_dtype
):
    as_augmentation(value, patch_shape, pixel_dtype)


# What is no batch


@pytest.mark.parametrize("each", [D4(), StainJitter(), BrightnessJitter()])
def test_augmentations_refuse_what_is_no_batch_of_patches(each, patches):
    with pytest.raises(
        ValueError, match=r"shape \(10, 6, 6\): give patches\[..., None"
    ):
        each(patches[..., 0], 0)
    with pytest.raises(ValueError, match=r"shape \(6, 6, 3\): .* patch\[None\]"):
        each(patches[0], 0)
    with pytest.raises(TypeError, match=r"type list: give np.asarray"):
        each(patches.tolist(), 0)


# What is no augmentation


@pytest.mark.parametrize("unknown", ["D4", "flip", ["d4", "flip"]])
def test_an_unknown_name_is_an_error_that_names_those_known(unknown):
    named = unknown if isinstance(unknown, str) else "flip"
    with pytest.raises(
        ValueError,
        match=f"^augment must be .* names are 'd4', 'stain', 'brightness'. Got '{named}'",
    ):
        as_augmentation(unknown, RGB, "uint8")


@pytest.mark.parametrize("wrong", [1, True, {"d4": 1}, D4, ["d4", None], [["d4"]]])
def test_what_cannot_be_called_or_is_a_class_is_an_error(wrong):
    with pytest.raises(TypeError, match=r"^augment must be .* such as D4\(\).* Got "):
        as_augmentation(wrong, RGB, "uint8")


# Patches that do not suit


@pytest.mark.parametrize(
    ("value", "patch_shape", "pixel_dtype", "message"),
    [
        ("d4", (48, 64, 3), "uint8", r"D4\(\) rotates .* 48x64 pixels"),
        (["d4"], (48, 64, 3), "uint8", r"D4\(\) rotates .* 48x64 pixels"),
        (["d4", "stain"], (48, 48, 1), "uint8", "StainJitter needs RGB .* 1 channel"),
        (
            "stain",
            (48, 48, 3),
            "uint16",
            "StainJitter needs RGB .* are taken as uint16",
        ),
        (
            "stain",
            (48, 48, 3),
            "float32",
            "StainJitter needs RGB .* are taken as float32",
        ),
        (
            [invert, BrightnessJitter()],
            (48, 48, 3),
            "float32",
            "BrightnessJitter needs .* are taken as float32",
        ),
    ],
)
def test_every_step_is_asked_before_the_first_batch(
    value, patch_shape, pixel_dtype, message
):
    with pytest.raises(ValueError, match=message):
        as_augmentation(value, patch_shape, pixel_dtype)


@pytest.mark.parametrize(
    ("value", "patch_shape", "pixel_dtype"),
    [
        ("d4", (48, 48, 1), "float32"),
        ("stain", (48, 64, 3), "uint8"),
        ("brightness", (48, 64, 2), "uint16"),
        (invert, (48, 64, 2), "float32"),
    ],
)
def test_steps_ask_for_no_more_than_they_need(value, patch_shape, pixel_dtype):
    assert as_augmentation(value, patch_shape, pixel_dtype) is not None


def test_an_object_of_ones_own_may_check_patches_too():
    class Picky:
        def __call__(self, patches, rng):
            return patches

        def check(self, patch_shape, pixel_dtype):
            raise ValueError(f"not {patch_shape} of {pixel_dtype}")

    with pytest.raises(ValueError, match=r"not \(6, 6, 3\) of uint8"):
        as_augmentation(Picky(), RGB, "uint8")


# What a function of one's own returns


def to_float(patches, rng):
    return patches / 255


def crop(patches, rng):
    return patches[:, 1:]


def first_half(patches, rng):
    return patches[:5]


def as_list(patches, rng):
    return patches.tolist()


def in_place(patches, rng):
    patches[:] = 0


@pytest.mark.parametrize(
    ("wrong", "returned"),
    [
        (to_float, r"an array of shape \(10, 6, 6, 3\) and dtype float64"),
        (crop, r"an array of shape \(10, 5, 6, 3\) and dtype uint8"),
        (first_half, r"an array of shape \(5, 6, 6, 3\) and dtype uint8"),
        (as_list, "an object of type list"),
        (in_place, "an object of type NoneType"),
    ],
)
def test_it_must_return_patches_like_those_it_got(wrong, returned, patches):
    expected = r"an array of shape \(10, 6, 6, 3\) and dtype uint8"
    with pytest.raises(
        ValueError,
        match=f"{wrong.__name__} .* returned {returned}, but must return {expected}",
    ):
        augment(["d4", wrong], patches)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_it_must_return_numbers(value):
    def spoil(patches, rng):
        return np.where(patches > 0.5, np.float32(value), patches)

    patches = np.linspace(0, 1, 108, dtype=np.float32).reshape(1, *RGB)
    with pytest.raises(ValueError, match=r"spoil .* returned NaN or infinity"):
        augment(spoil, patches)


def test_the_function_is_named_whatever_it_is(patches):
    with pytest.raises(ValueError, match=r"functools.partial\(.*crop"):
        augment(partial(crop), patches)
