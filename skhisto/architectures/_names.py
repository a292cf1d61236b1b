"""The names of architectures."""

from collections.abc import Callable
from functools import partial
from typing import Any

from skhisto._types import Builder
from skhisto.architectures._base import Architecture
from skhisto.architectures._compact import CompactCNN
from skhisto.architectures._efficientnet_lite import EfficientNetLite
from skhisto.architectures._reference import ReferenceCNN

ARCHITECTURES: dict[str, Callable[[], Architecture]] = {
    "reference": ReferenceCNN,
    "compact": CompactCNN,
    "efficientnet_lite0": partial(EfficientNetLite, variant=0),
    "efficientnet_lite1": partial(EfficientNetLite, variant=1),
    "efficientnet_lite2": partial(EfficientNetLite, variant=2),
}
"""For each name, a function that creates the architecture."""


def as_builder(architecture: Any) -> Builder:
    """Return the function that a parameter `architecture` specifies.

    Parameters
    ----------
    architecture : str, Architecture or callable
        A name, an architecture, or a function ``(patch_shape, n_outputs)`` that builds
        a `keras.Model`.

    Raises
    ------
    ValueError
        If the name is unknown.
    TypeError
        If `architecture` is a class or a network instead of a function.
    """
    if isinstance(architecture, str):
        if architecture not in ARCHITECTURES:
            raise ValueError(
                f"Unknown architecture {architecture!r}. Available names: "
                f"{', '.join(map(repr, ARCHITECTURES))}. You can also pass an "
                "architecture such as ReferenceCNN(), or a function "
                "(patch_shape, n_outputs) -> keras.Model."
            )
        return ARCHITECTURES[architecture]()
    if isinstance(architecture, type):
        raise TypeError(
            f"architecture is the class {architecture.__name__}. Create an instance: "
            f"{architecture.__name__}()."
        )
    if hasattr(architecture, "train_on_batch"):
        raise TypeError(
            "architecture is a keras.Model, but each fit needs a new network. Pass a "
            "function (patch_shape, n_outputs) that builds the keras.Model."
        )
    return architecture


def needs_pixels(architecture: Any) -> bool:
    """Return whether numbers outside of [0, 1] are an error for an architecture."""
    builder = as_builder(architecture)
    return isinstance(builder, Architecture) and builder.needs_pixels
