"""Convert the parameter `augment` to one function of batches."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from skhisto._types import AugmentFunction
from skhisto.augmentation._base import Augmentation
from skhisto.augmentation._brightness_jitter import BrightnessJitter
from skhisto.augmentation._d4 import D4
from skhisto.augmentation._stain_jitter import StainJitter

AugmentParameter = str | AugmentFunction | Sequence[str | AugmentFunction] | None

AUGMENTATIONS: dict[str, Callable[[], Augmentation]] = {
    "d4": D4,
    "stain": StainJitter,
    "brightness": BrightnessJitter,
}
"""For each name, a function that creates the augmentation."""


def as_augmentation(
    augment: Any, patch_shape: tuple[int, int, int], pixel_dtype: str
) -> AugmentFunction | None:
    """Return the function that a parameter `augment` specifies.

    Parameters
    ----------
    augment : None, str, callable, or list or tuple of str and callable
        One or several of the following, applied in order:

        - a name from `AUGMENTATIONS`
        - an augmentation, such as ``StainJitter(scale=0.1)``
        - a function ``(patches, rng) -> patches``

        "auto" applies "d4" to square patches and "stain" to RGB patches of dtype uint8.
        It must not be part of a list.
    patch_shape : tuple of int (height, width, channels)
        Shape of the patches, in pixels.
    pixel_dtype : {"uint8", "uint16", "float32"}
        Dtype of the patches in a batch.

    Returns
    -------
    function : callable or None
        A function ``(patches, rng) -> patches``, or None if nothing is applied. It
        raises a ValueError if a step does not return finite patches of the same shape
        and dtype.

    Raises
    ------
    TypeError
        If `augment` contains objects that are neither names nor callable.
    ValueError
        - If a name is unknown.
        - If the method ``check(patch_shape, pixel_dtype)`` of a step raises it. The
          method is optional for functions and callable objects.

    Warns
    -----
    UserWarning
        If "auto" skips "stain" for colour patches, because they have an alpha channel
        or a dtype other than uint8.
    """
    if isinstance(augment, str) and augment == "auto":
        steps: list[AugmentFunction] = _auto_steps(patch_shape, pixel_dtype)
    else:
        steps = [_as_step(step) for step in _as_sequence(augment)]
    for step in steps:
        if hasattr(step, "check"):
            step.check(patch_shape, pixel_dtype)
    return partial(_apply, steps) if steps else None


def _auto_steps(
    patch_shape: tuple[int, int, int], pixel_dtype: str
) -> list[AugmentFunction]:
    height, width, n_channels = patch_shape
    steps: list[AugmentFunction] = [D4()] if height == width else []
    if n_channels == 3 and pixel_dtype == "uint8":
        steps.append(StainJitter())
    elif n_channels in (3, 4):
        _warn_of_unchanged_stains(n_channels, pixel_dtype)
    return steps


def _warn_of_unchanged_stains(n_channels: int, pixel_dtype: str) -> None:
    remedies = []
    if n_channels == 4:
        remedies.append("remove the alpha channel with X[..., :3]")
    if pixel_dtype != "uint8":
        remedies.append(
            "pass unscaled pixels from 0 to 255 as uint8, which the network rescales"
        )
    warnings.warn(
        "augment='auto' does not change the stains of these patches. It changes the "
        "stains of RGB patches of dtype uint8 only, but these patches have "
        f"{n_channels} channels and are treated as {pixel_dtype}. To change their "
        f"stains, {' and '.join(remedies)}. Otherwise, choose augment yourself, such "
        "as augment='d4' or augment=None.",
        stacklevel=2,
    )


def _as_sequence(augment: Any) -> Sequence[Any]:
    if augment is None:
        return ()
    return augment if isinstance(augment, list | tuple) else (augment,)


def _as_step(step: Any) -> AugmentFunction:
    if isinstance(step, str):
        if step not in AUGMENTATIONS:
            raise ValueError(
                f"augment contains the unknown name {step!r}. Available names: "
                f"{', '.join(map(repr, AUGMENTATIONS))}. The name 'auto' must not be "
                "part of a list."
            )
        return AUGMENTATIONS[step]()
    if isinstance(step, type):
        raise TypeError(
            f"augment contains the class {step.__name__}. Create an instance: "
            f"{step.__name__}()."
        )
    if not callable(step):
        raise TypeError(
            "augment must be None, 'auto', a name, an augmentation such as D4(), a "
            "function (patches, rng) -> patches, or a list of names, augmentations "
            f"and functions. Got {step!r}."
        )
    return step


def _apply(
    steps: list[AugmentFunction], patches: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    for step in steps:
        augmented = step(patches, rng)
        if _describe(augmented) != _describe(patches):
            raise ValueError(
                f"The augmentation {step!r} returned {_describe(augmented)}. It must "
                f"return {_describe(patches)}, like its input."
            )
        if augmented.dtype.kind == "f" and not np.isfinite(augmented).all():
            raise ValueError(
                f"The augmentation {step!r} returned NaN or infinity. All values must "
                "be finite."
            )
        patches = augmented
    return patches


def _describe(patches: Any) -> str:
    if not isinstance(patches, np.ndarray):
        return f"an object of type {type(patches).__name__}"
    return f"an array of shape {patches.shape} and dtype {patches.dtype}"
