"""The parameter `augment`: names, augmentations, functions, and lists of these."""

from functools import partial

import numpy as np
import pytest

from skhisto import D4, BrightnessJitter, StainJitter
from skhisto.augmentation._augment import AUGMENTATIONS, as_augmentation

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


# Valid values


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_there_is_no_function_if_there_is_nothing_to_apply(nothing):
    assert as_augmentation(nothing, RGB, "uint8") is None


@pytest.mark.parametrize(
    ("name", "augmentation"),
    [("d4", D4()), ("stain", StainJitter()), ("brightness", BrightnessJitter())],
)
def test_a_name_specifies_an_augmentation_with_default_parameters(
    name, augmentation, patches
):
    expected = augmentation(patches, 0)
    np.testing.assert_array_equal(augment(name, patches), expected)
    np.testing.assert_array_equal(augment(augmentation, patches), expected)


def test_names_create_a_new_augmentation_each_time():
    assert {name: type(create()) for name, create in AUGMENTATIONS.items()} == {
        "d4": D4,
        "stain": StainJitter,
        "brightness": BrightnessJitter,
    }
    assert AUGMENTATIONS["stain"]() is not AUGMENTATIONS["stain"]()


def test_a_function_is_called_with_the_patches_and_a_generator(patches):
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
    expected = BrightnessJitter(strength=0.5)(
        StainJitter()(D4()(patches, rng), rng), rng
    )
    steps = ["d4", StainJitter(), BrightnessJitter(strength=0.5)]
    np.testing.assert_array_equal(augment(steps, patches), expected)
    assert not np.array_equal(augment(steps, patches, seed=1), expected)


def test_the_input_is_not_modified(patches):
    before = patches.copy()
    augment(["d4", "stain", "brightness"], patches)
    np.testing.assert_array_equal(patches, before)


# "auto"


def test_auto_is_d4_and_stain_for_square_rgb_patches_of_dtype_uint8(patches):
    np.testing.assert_array_equal(
        augment("auto", patches), augment(["d4", "stain"], patches)
    )


def test_auto_is_stain_for_patches_that_are_not_square(patches):
    patches = patches[:, :4]
    np.testing.assert_array_equal(augment("auto", patches), augment("stain", patches))


def test_auto_is_d4_for_greyscale_patches(patches):
    patches = patches[..., :1]
    np.testing.assert_array_equal(augment("auto", patches), augment("d4", patches))


def test_auto_is_nothing_for_greyscale_patches_that_are_not_square():
    assert as_augmentation("auto", (6, 4, 1), "uint8") is None


DROP_ALPHA = r"remove the alpha channel with X\[\.\.\., :3\]"
UNSCALED = "pass unscaled pixels from 0 to 255 as uint8, which the network rescales"


@pytest.mark.parametrize(
    ("n_channels", "pixel_dtype", "remedy"),
    [
        (3, "uint16", UNSCALED),
        (3, "float32", UNSCALED),
        (4, "uint8", DROP_ALPHA),
        (4, "float32", f"{DROP_ALPHA} and {UNSCALED}"),
    ],
)
def test_auto_warns_if_it_does_not_change_the_stains_of_colour_patches(
    n_channels, pixel_dtype, remedy
):
    message = (
        "^augment='auto' does not change the stains .* have "
        f"{n_channels} channels and are treated as {pixel_dtype}. To change their "
        f"stains, {remedy}. Otherwise, choose augment yourself"
    )
    with pytest.warns(UserWarning, match=message):
        function = as_augmentation("auto", (6, 6, n_channels), pixel_dtype)
    assert function is not None


@pytest.mark.parametrize(
    ("value", "patch_shape", "pixel_dtype"),
    [
        ("auto", RGB, "uint8"),
        ("auto", (6, 6, 1), "float32"),
        ("auto", (6, 6, 2), "uint8"),
        ("d4", RGB, "float32"),
        ("d4", (6, 6, 4), "uint8"),
        (None, (6, 6, 4), "uint8"),
    ],
)
@pytest.mark.filterwarnings("error")
def test_there_is_no_warning_otherwise(value, patch_shape, pixel_dtype):
    as_augmentation(value, patch_shape, pixel_dtype)


# Input of augmentations


@pytest.mark.parametrize("each", [D4(), StainJitter(), BrightnessJitter()])
def test_augmentations_only_accept_an_array_of_patches(each, patches):
    with pytest.raises(
        ValueError, match=r"shape \(10, 6, 6\)\. Pass patches\[\.\.\., None"
    ):
        each(patches[..., 0], 0)
    with pytest.raises(ValueError, match=r"shape \(6, 6, 3\)\. .* patch\[None\]"):
        each(patches[0], 0)
    with pytest.raises(TypeError, match=r"type list\. Pass np\.asarray"):
        each(patches.tolist(), 0)


# Errors


@pytest.mark.parametrize("unknown", ["D4", "flip", ["d4", "flip"], ["auto"]])
def test_an_unknown_name_raises_an_error_that_lists_the_names(unknown):
    name = unknown if isinstance(unknown, str) else unknown[-1]
    message = (
        f"^augment contains the unknown name '{name}'. Available names: 'd4', 'stain', "
        "'brightness'. The name 'auto' must not be part of a list.$"
    )
    with pytest.raises(ValueError, match=message):
        as_augmentation(unknown, RGB, "uint8")


@pytest.mark.parametrize("wrong", [D4, ["stain", D4]])
def test_a_class_raises_an_error_that_asks_for_an_instance(wrong):
    message = r"^augment contains the class D4\. Create an instance: D4\(\)\.$"
    with pytest.raises(TypeError, match=message):
        as_augmentation(wrong, RGB, "uint8")


@pytest.mark.parametrize("wrong", [1, True, {"d4": 1}, ["d4", None], [["d4"]]])
def test_an_object_that_is_not_callable_raises_an_error(wrong):
    with pytest.raises(TypeError, match=r"^augment must be .* such as D4\(\).* Got "):
        as_augmentation(wrong, RGB, "uint8")


@pytest.mark.parametrize("value", [StainJitter(scale=2), ["d4", StainJitter(scale=2)]])
def test_invalid_parameters_raise_an_error_before_the_first_batch(value):
    with pytest.raises(ValueError, match="The 'scale' parameter of StainJitter"):
        as_augmentation(value, RGB, "uint8")


# Checks before training


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
            "StainJitter needs RGB .* are treated as uint16",
        ),
        (
            "stain",
            (48, 48, 3),
            "float32",
            "StainJitter needs RGB .* are treated as float32",
        ),
        (
            [invert, BrightnessJitter()],
            (48, 48, 3),
            "float32",
            "BrightnessJitter needs .* are treated as float32",
        ),
    ],
)
def test_every_step_checks_the_patches_before_the_first_batch(
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
def test_checks_accept_all_patches_that_a_step_can_process(
    value, patch_shape, pixel_dtype
):
    assert as_augmentation(value, patch_shape, pixel_dtype) is not None


def test_any_callable_object_may_have_a_check():
    class Picky:
        def __call__(self, patches, rng):
            return patches

        def check(self, patch_shape, pixel_dtype):
            raise ValueError(f"not {patch_shape} of {pixel_dtype}")

    with pytest.raises(ValueError, match=r"not \(6, 6, 3\) of uint8"):
        as_augmentation(Picky(), RGB, "uint8")


# Results of functions


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
def test_a_step_must_return_an_array_of_the_same_shape_and_dtype(
    wrong, returned, patches
):
    expected = r"an array of shape \(10, 6, 6, 3\) and dtype uint8"
    with pytest.raises(
        ValueError,
        match=rf"{wrong.__name__} .* returned {returned}\. It must return {expected}",
    ):
        augment(["d4", wrong], patches)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_step_must_return_finite_values(value):
    def spoil(patches, rng):
        return np.where(patches > 0.5, np.float32(value), patches)

    patches = np.linspace(0, 1, 108, dtype=np.float32).reshape(1, *RGB)
    with pytest.raises(ValueError, match=r"spoil .* returned NaN or infinity"):
        augment(spoil, patches)


def test_the_error_shows_callable_objects_without_a_name(patches):
    with pytest.raises(ValueError, match=r"functools.partial\(.*crop"):
        augment(partial(crop), patches)
