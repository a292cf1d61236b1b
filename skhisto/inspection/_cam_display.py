"""Display of patches with maps of the evidence for a class."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from skhisto.inspection._class_activation_map import class_activation_map
from skhisto.inspection._drawing import as_images, axes_to_draw_on, pictures
from skhisto.inspection._estimators import classifier_of, seen_patches

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

_GAP = 0.06  # gap between patches, in patch widths
_LUMINANCE = (0.299, 0.587, 0.114)  # weights of red, green and blue, ITU-R BT.601


class CAMDisplay:
    """Display of patches, each with a map of the evidence for a class below it.

    Use `from_estimator` to compute the maps, or pass the maps of `class_activation_map`
    or `occlusion_map`. All maps share one colour scale.

    Parameters
    ----------
    patches : array-like or PatchArray of shape (n, height, width, channels) or \
            (n, height, width)
        Patches of 1 to 4 channels. Two channels are shown as magenta and green.
        uint8 and uint16 are shown from 0 to the maximum of the dtype. Other numbers are
        shown from 0 to 1, or over their own range if it is wider.
    maps : array-like of shape (n, height, width)
        One number per pixel. If a number is negative, a diverging colour scale is used.
    label : str, default="evidence"
        Label of the colour scale.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with patches and maps, in units of pixels.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    images_ : list of matplotlib AxesImage
        The patches.
    maps_ : list of matplotlib AxesImage
        The maps.
    colorbar_ : matplotlib Colorbar
        The colour scale.

    Raises
    ------
    TypeError
        If `patches` is a data set, a loader, an iterator or a mapping.
    ValueError
        If `patches` is not a valid stack of at least one patch, or if the shape of
        `maps` does not match.

    See Also
    --------
    class_activation_map : Compute maps from gradients of the network.
    occlusion_map : Compute maps by covering parts of the patches.

    Examples
    --------
    >>> from skhisto import CAMDisplay, PatchCNNClassifier, ReferenceCNN, make_patches
    >>> X, y = make_patches(40, size=24, random_state=0)
    >>> small = ReferenceCNN(filters=(8, 16), dense_units=16)
    >>> clf = PatchCNNClassifier(architecture=small, epochs=2, random_state=0)
    >>> display = CAMDisplay.from_estimator(clf.fit(X, y), X[:4])
    >>> len(display.maps_)
    4
    """

    __module__ = "skhisto"

    def __init__(
        self, patches: ArrayLike, maps: ArrayLike, *, label: str = "evidence"
    ) -> None:
        self.patches = patches
        self.maps = maps
        self.label = label

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        X: Any,
        *,
        target: Any = None,
        method: str = "hires_cam",
        ax: "Axes | None" = None,
    ) -> Self:
        """Compute class activation maps and draw them.

        Parameters
        ----------
        estimator : PatchCNNClassifier or Pipeline
            A fitted classifier, or a fitted Pipeline that ends in one. The patches that
            reach the classifier are shown.
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches, or the input of the Pipeline.
        target : label, default=None
            The class, see `class_activation_map`.
        method : {"hires_cam", "grad_cam"}, default="hires_cam"
            Method for the maps, see `class_activation_map`.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.

        Returns
        -------
        display : CAMDisplay
        """
        classifier, patches = classifier_of(estimator), seen_patches(estimator, X)
        maps = class_activation_map(classifier, patches, target=target, method=method)
        patches = np.asarray(patches)
        return cls(patches, maps, label="evidence, in logits").plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw patches and maps.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.

        Returns
        -------
        self : CAMDisplay
        """
        patches, maps = as_images(self.patches), np.asarray(self.maps)
        if len(patches) == 0:
            raise ValueError("At least one patch is required to draw a map.")
        if maps.shape != patches.shape[:3]:
            raise ValueError(
                f"Patches of shape {patches.shape} need maps of shape "
                f"{patches.shape[:3]}, got maps of shape {maps.shape}."
            )
        n, height, width = maps.shape
        step = np.array([width, height]) + width * _GAP
        size = np.array([n * step[0], 2 * step[1]]) / width * 1.3 + (0.8, 0)
        self.figure_, self.ax_ = axes_to_draw_on(
            ax, f"{type(self).__name__}.plot", size
        )
        high = float(np.abs(maps).max()) or 1.0
        is_signed = maps.min() < 0
        self.images_: list[AxesImage] = []
        self.maps_: list[AxesImage] = []
        shown = pictures(np.asarray(patches))
        for i, (patch, values) in enumerate(zip(shown, maps, strict=True)):
            left, top = i * step[0], step[1]
            below = (left, left + width, top + height, top)
            self.images_.append(
                self.ax_.imshow(patch, extent=(left, left + width, height, 0))
            )
            self.ax_.imshow(_grey(patch), cmap="gray", vmin=0, vmax=1, extent=below)
            over_it = self.ax_.imshow(
                values,
                cmap="PuOr_r" if is_signed else "viridis",
                vmin=-high if is_signed else 0,
                vmax=high,
                alpha=0.5,
                extent=below,
            )
            self.maps_.append(over_it)
        self.ax_.set(
            xlim=(-1, n * step[0] - width * _GAP + 1),
            ylim=(2 * step[1] - width * _GAP + 1, -1),
            aspect="equal",
        )
        self.ax_.set_axis_off()
        self.colorbar_ = self.figure_.colorbar(
            self.maps_[-1], ax=self.ax_, label=self.label, shrink=0.8
        )
        return self


def _grey(shown: np.ndarray) -> np.ndarray:
    """Return the luminance of an image, from 0 to 1."""
    rgb = shown[..., :3] / (255 if shown.dtype == np.uint8 else 1)
    return rgb @ np.array(_LUMINANCE)
