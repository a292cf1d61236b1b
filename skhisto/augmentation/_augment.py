"""From the parameter `augment` to a function of batches."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from skhisto.augmentation._brightness_jitter import BrightnessJitter
from skhisto.augmentation._d4 import D4
from skhisto.augmentation._stain_jitter import StainJitter

Augmentation = Callable[[np.ndarray, np.random.Generator], np.ndarray]

_BY_NAME: dict[str, Augmentation] = {
    "d4": D4(),
    "stain": StainJitter(),
    "brightness": BrightnessJitter(),
}
_AUTO = (D4(), StainJitter())


def as_augmentation(
    augment: Any, patch_shape: tuple[int, int, int], pixel_dtype: str
) -> Augmentation | None:
    """Return what a parameter `augment` asks for as one function.

    Parameters
    ----------
    augment : None, str, callable, or list or tuple of str and callable
        Names "d4", "stain" and "brightness", objects such as ``StainJitter(0.1)``, and
        functions ``(patches, rng) -> patches`` of the user's own, which are applied
        one after the other. "auto" alone stands for those of "d4" and "stain" that
        suit the patches.
    patch_shape : tuple of int (height, width, channels)
        Shape of each patch, in pixels.
    pixel_dtype : {"uint8", "uint16", "float32"}
        Dtype of the patches in a batch; float32 stands for numbers that are taken as
        they are.

    Returns
    -------
    augmentation : callable or None
        A function ``(patches, rng) -> patches``, or None if there is nothing to apply.
        It raises a ValueError if what it gets from a user's function are not patches
        of the same shape and dtype, or not finite.

    Raises
    ------
    TypeError
        If `augment` holds anything else than names and callables.
    ValueError
        If a name is not known, or patches do not suit: whatever has a method
        ``check(patch_shape, pixel_dtype)`` is asked.

    Warns
    -----
    UserWarning
        If "auto" leaves the stains of patches with three channels alone, as they are
        not of dtype uint8.
    """
    if isinstance(augment, str) and augment == "auto":
        augment = [step for step in _AUTO if _suits(step, patch_shape, pixel_dtype)]
        if patch_shape[2] == 3 and pixel_dtype != "uint8":
            warnings.warn(
                "augment='auto' changes the stains of RGB patches of dtype uint8 only, "
                f"but these are taken as {pixel_dtype}. Give pixels from 0 to 255 as "
                "they were read, which are scaled by the network, or choose augment "
                "yourself, such as 'd4' or None.",
                stacklevel=2,
            )
    steps = [_as_step(step) for step in _as_sequence(augment)]
    for step in steps:
        if hasattr(step, "check"):
            step.check(patch_shape, pixel_dtype)
    return partial(_apply, steps) if steps else None


def _suits(
    step: D4 | StainJitter, patch_shape: tuple[int, int, int], pixel_dtype: str
) -> bool:
    try:
        step.check(patch_shape, pixel_dtype)
    except ValueError:
        return False
    return True


def _as_sequence(augment: Any) -> Sequence[Any]:
    if augment is None:
        return ()
    return augment if isinstance(augment, (list, tuple)) else (augment,)


def _as_step(step: Any) -> Augmentation:
    if isinstance(step, str) and step in _BY_NAME:
        return _BY_NAME[step]
    # A class is callable too, but calling it makes no patches.
    if callable(step) and not isinstance(step, type):
        return step
    wrong = ValueError if isinstance(step, str) else TypeError
    raise wrong(
        "augment must be None, 'auto' alone, a name, an augmentation such as D4(), a "
        "function (patches, rng) -> patches, or a list of these; the names are "
        f"{', '.join(map(repr, _BY_NAME))}. Got {step!r}."
    )


def _apply(
    steps: list[Augmentation], patches: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    for step in steps:
        augmented = step(patches, rng)
        if _describe(augmented) != _describe(patches):
            raise ValueError(
                f"The augmentation {step!r} returned {_describe(augmented)}, but must "
                f"return {_describe(patches)}, as it was given."
            )
        if augmented.dtype.kind == "f" and not np.isfinite(augmented).all():
            raise ValueError(
                f"The augmentation {step!r} returned NaN or infinity, from which "
                "no network can learn."
            )
        patches = augmented
    return patches


def _describe(patches: Any) -> str:
    if not isinstance(patches, np.ndarray):
        return f"an object of type {type(patches).__name__}"
    return f"an array of shape {patches.shape} and dtype {patches.dtype}"
