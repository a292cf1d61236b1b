"""What all displays share: Matplotlib, colours, and patches as pictures."""

from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from skhisto.patches._patch_array import PatchArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Those of Okabe and Ito but yellow, too light for lines on white, in an order in which
# neighbours differ with any kind of colour vision. https://jfly.uni-koeln.de/color
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def colour_of(position: int) -> str:
    """Return the colour of a class or a curve."""
    return COLOURS[position % len(COLOURS)]


def axes_to_draw_on(
    ax: "Axes | None", caller: str, size: tuple[float, float] | None = None
) -> "tuple[Figure | SubFigure, Axes]":
    """Return axes and their figure: new ones, of a size in inches, if there are none.

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


def as_images(X: Any) -> np.ndarray | PatchArray:
    """Return patches of shape (n, height, width, channels), lazily read ones as such.

    Raises
    ------
    ValueError
        If X are no patches of 1, 3 or 4 channels.
    """
    X = X if isinstance(X, PatchArray) else np.asarray(X)
    if X.ndim == 3:
        X = X[..., np.newaxis]
    if X.ndim != 4 or X.shape[3] not in (1, 3, 4):
        raise ValueError(
            "X must be patches of shape (n, height, width, channels) with 1, 3 or 4 "
            f"channels, but it is of shape {X.shape}."
        )
    return X


def pictures(patches: np.ndarray) -> np.ndarray:
    """Return patches as RGB(A) that Matplotlib shows as it is, all on one scale.

    Pixels are shown from 0 to the largest of their dtype, other numbers from 0 to 1, or
    over their range where they exceed that, as patches do that were normalised.
    """
    if patches.dtype == np.uint16:
        patches = patches / np.iinfo(np.uint16).max
    elif patches.dtype != np.uint8:
        low = min(patches.min(initial=0), 0)
        high = max(patches.max(initial=1), 1)
        patches = (patches.astype(np.float64) - low) / (high - low)
    return np.repeat(patches, 3, axis=3) if patches.shape[3] == 1 else patches


def text_colour_on(colour: str) -> str:
    """Return black or white, whichever is easier to read on a colour."""
    from matplotlib.colors import to_rgb

    # Relative luminance, and the one of equal contrast with both, of WCAG 2.1.
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in to_rgb(colour)
    ]
    luminance = np.dot(linear, [0.2126, 0.7152, 0.0722])
    return "black" if luminance > 0.179 else "white"


def without_box(ax: "Axes") -> None:
    """Leave out the lines that bound axes above and to the right."""
    ax.spines[["top", "right"]].set_visible(False)
