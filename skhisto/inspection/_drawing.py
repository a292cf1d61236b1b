"""What all displays share: Matplotlib, colours, and patches as pictures."""

from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from skhisto._images.patch_array import PatchArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

# Those of Okabe and Ito that are dark enough for text on white, in an order in which
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
            'pip install "skhisto[plot]"'
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


def picture(patch: np.ndarray) -> np.ndarray:
    """Return a patch as RGB(A) that Matplotlib shows as it is.

    Numbers that are no pixels, as of patches that were normalised, are stretched over
    the range from black to white if they exceed it.
    """
    if patch.dtype != np.uint8:
        low, high = 0.0, 1.0
        if patch.dtype.kind in "ui":
            high = float(np.iinfo(patch.dtype).max)
        elif patch.min() < 0 or patch.max() > 1:
            low, high = float(patch.min()), float(patch.max())
        patch = (patch.astype(np.float64) - low) / (high - low)
    return np.repeat(patch, 3, axis=2) if patch.shape[2] == 1 else patch


def without_box(ax: "Axes") -> None:
    """Leave out the lines that bound axes above and to the right."""
    ax.spines[["top", "right"]].set_visible(False)
