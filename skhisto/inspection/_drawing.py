"""Functions shared by all displays: axes, colours, and conversion of patches."""

from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from skhisto.patches._definition import Patches, as_patches, with_channel_axis

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# The first colours are from Okabe and Ito, without yellow, which is too light for lines
# on white. Adjacent colours differ with any kind of colour vision.
# https://jfly.uni-koeln.de/color
# The other colours follow the method of Glasbey et al., "Colour displays for
# categorical images", Color Research & Application 32(4), 2007: each colour is as far
# as possible from white and from the colours before it, here in the colour space Oklab.
COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"),
    *("#5A0F00", "#0FF000", "#9600FF", "#000096", "#005A00", "#A50069", "#FF0FFF"),
    *("#1E1EFF", "#785A4B", "#5A0078", "#78E1B4", "#E1B4FF", "#FF0069", "#7878FF"),
    *("#003C4B", "#87B400", "#784BA5"),
)


def colour_of(position: int) -> str:
    """Return the colour of a class or a curve. Colours repeat after 24 classes."""
    return COLOURS[position % len(COLOURS)]


def axes_to_draw_on(
    ax: "Axes | None", caller: str, size: tuple[float, float] | None = None
) -> "tuple[Figure | SubFigure, Axes]":
    """Return axes and their figure. None creates them with a size in inches.

    Raises
    ------
    ImportError
        If Matplotlib is not installed.
    """
    pyplot = _import_pyplot(caller)
    if ax is None:
        return pyplot.subplots(figsize=size, layout="constrained")
    return ax.figure, ax


def _import_pyplot(caller: str) -> ModuleType:
    try:
        import matplotlib.pyplot as plt
    except ImportError:
        raise ImportError(
            f"{caller} needs Matplotlib, which is not installed. Install it with: "
            "pip install matplotlib"
        ) from None
    return plt


def as_images(X: Any) -> Patches:
    """Return patches of shape (n, height, width, channels). A PatchArray stays lazy.

    Raises
    ------
    TypeError
        If X is a data set, a loader, an iterator or a mapping.
    ValueError
        If X is not a valid stack of patches. The stack may be empty.
    """
    return with_channel_axis(as_patches(X, min_patches=0))


def pictures(patches: np.ndarray) -> np.ndarray:
    """Return patches as RGB or RGBA images for Matplotlib, with a common scale.

    - One channel is shown in grey, two as magenta and green, three as RGB and four as
      RGBA. If two channels are equal, the pixel is grey.
    - uint8 and uint16 are shown from 0 to the maximum of the dtype. Other numbers are
      shown from 0 to 1, or over their own range if it is wider.
    """
    if patches.dtype == np.uint16:
        patches = patches / np.iinfo(np.uint16).max
    elif patches.dtype != np.uint8:
        patches = patches.astype(np.float64)
        low, high = patches.min(initial=0), patches.max(initial=1)
        patches = (patches - low) / (high - low)
    channels = {1: [0, 0, 0], 2: [0, 1, 0], 3: [0, 1, 2], 4: [0, 1, 2, 3]}
    return patches[..., channels[patches.shape[3]]]


def text_colour_on(colour: str) -> str:
    """Return black or white, whichever is easier to read on a colour."""
    from matplotlib.colors import to_rgb

    # Relative luminance of WCAG 2.1. At 0.179, black and white have equal contrast.
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in to_rgb(colour)
    ]
    luminance = np.dot(linear, [0.2126, 0.7152, 0.0722])
    return "black" if luminance > 0.179 else "white"


def without_box(ax: "Axes") -> None:
    """Remove the lines at the top and right of axes."""
    ax.spines[["top", "right"]].set_visible(False)
