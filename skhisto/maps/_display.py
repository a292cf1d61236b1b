"""Plots of a map over its slide."""

from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skhisto.inspection._drawing import axes_to_draw_on
from skhisto.maps._outlines import outlines
from skhisto.maps._result import ProbabilityMap
from skhisto.slides import Slide

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LINE = "#D55E00"
_LONGEST_BAR = 0.3  # of the width of the slide


class SlideMapDisplay:
    """A probability map over a thumbnail of its slide.

    Cells that were not scored are transparent. Cells whose probability reaches the
    threshold are outlined. Axes are in level-0 pixels.

    Parameters
    ----------
    probability_map : ProbabilityMap
        The map.
    thumbnail : ndarray of shape (height, width, 3), default=None
        Picture of the whole slide, uint8. None draws on white.
    class_ : label, default=None
        The class to show. For two classes, None means the second one. For more classes,
        it is required.
    threshold : float or None, default=0.5
        Minimum probability of outlined cells. None draws no outlines.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the map.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    image_ : matplotlib AxesImage
        Image of the map.
    thumbnail_ : matplotlib AxesImage or None
        Image of the slide.
    outlines_ : matplotlib LineCollection or None
        Outlines of cells that reach the threshold.
    scale_bar_ : matplotlib Rectangle or None
        The scale bar. None if the resolution is unknown.
    colorbar_ : matplotlib Colorbar
        The colour scale, from 0 to 1.

    See Also
    --------
    ProbabilityMap : The map.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto import ProbabilityMap, SlideMapDisplay
    >>> tumour = np.array([[0.1, 0.9], [0.2, np.nan]])
    >>> result = ProbabilityMap(
    ...     probabilities=np.stack([1 - tumour, tumour], axis=2),
    ...     classes=["normal", "tumour"],
    ...     origin=(32, 32),
    ...     stride=32,
    ...     window=(96, 96),
    ...     slide_shape=(128, 128),
    ...     mpp=0.97,
    ...     tissue=~np.isnan(tumour),
    ...     slide_name="a",
    ...     slide_fingerprint="",
    ...     model_fingerprint="",
    ...     way="windows",
    ...     reason="An example.",
    ... )
    >>> SlideMapDisplay.from_map(result).colorbar_.ax.get_ylabel()
    'probability of tumour'
    """

    __module__ = "skhisto"

    def __init__(
        self,
        probability_map: ProbabilityMap,
        thumbnail: np.ndarray | None = None,
        *,
        class_: Any = None,
        threshold: float | None = 0.5,
    ) -> None:
        self.probability_map = probability_map
        self.thumbnail = thumbnail
        self.class_ = class_
        self.threshold = threshold

    @classmethod
    def from_map(
        cls,
        probability_map: ProbabilityMap,
        slide: Any = None,
        *,
        class_: Any = None,
        threshold: float | None = 0.5,
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw a map over the thumbnail of its slide.

        Parameters
        ----------
        probability_map : ProbabilityMap
            The map.
        slide : Slide, path or ndarray of shape (height, width, 3), default=None
            The slide or the pixels that were mapped. None draws on white.
        class_ : label, default=None
            The class to show, see `SlideMapDisplay`.
        threshold : float or None, default=0.5
            Minimum probability of outlined cells. None draws no outlines.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.

        Returns
        -------
        display : SlideMapDisplay

        Raises
        ------
        ValueError
            If the sizes of slide and map differ, or if `threshold` is outside [0, 1].
        """
        if slide is not None and not isinstance(slide, Slide):
            slide = Slide(slide)
        if slide is not None and slide.shape != probability_map.slide_shape:
            raise ValueError(
                f"The map belongs to a slide of shape {probability_map.slide_shape}, "
                f"but '{slide.name}' has shape {slide.shape}. Pass the slide that was "
                "mapped."
            )
        thumbnail = None if slide is None else slide.thumbnail(1024)
        display = cls(probability_map, thumbnail, class_=class_, threshold=threshold)
        return display.plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.

        Returns
        -------
        self : SlideMapDisplay

        Raises
        ------
        ValueError
            If `threshold` is outside [0, 1].
        """
        shown = self.probability_map
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(
                f"threshold must be None or in [0, 1], got {self.threshold!r}."
            )
        probability = shown.of(self.class_)
        name = shown.classes[shown.position_of(self.class_)]
        height, width = shown.slide_shape
        caller = f"{type(self).__name__}.plot"
        self.figure_, self.ax_ = axes_to_draw_on(ax, caller, (7, 6))
        whole = (0, width, height, 0)
        self.thumbnail_ = None
        if self.thumbnail is not None:
            self.thumbnail_ = self.ax_.imshow(self.thumbnail, extent=whole)
        x, y = shown.origin
        n_rows, n_columns = probability.shape
        right, bottom = x + n_columns * shown.stride, y + n_rows * shown.stride
        self.image_ = self.ax_.imshow(
            np.ma.masked_invalid(probability),
            cmap="viridis",
            vmin=0,
            vmax=1,
            alpha=1.0 if self.thumbnail is None else 0.5,
            extent=(x, right, bottom, y),
            interpolation="nearest",
        )
        self._draw_outlines(probability)
        self.ax_.set(xlim=(0, width), ylim=(height, 0), aspect="equal")
        self.ax_.set(xticks=[], yticks=[], title=shown.slide_name)
        self._draw_scale_bar()
        self.colorbar_ = self.figure_.colorbar(
            self.image_, ax=self.ax_, label=f"probability of {name}", shrink=0.8
        )
        return self

    def _draw_outlines(self, probability: np.ndarray) -> None:
        from matplotlib.collections import LineCollection

        self.outlines_ = None
        if self.threshold is None:
            return
        rings, _, _ = outlines(probability >= self.threshold)
        corner, stride = self.probability_map.origin, self.probability_map.stride
        lines = [corner + stride * np.vstack([ring, ring[:1]]) for ring in rings]
        self.outlines_ = LineCollection(lines, colors=_LINE, linewidths=1.2)
        self.ax_.add_collection(self.outlines_, autolim=False)

    def _draw_scale_bar(self) -> None:
        from matplotlib.patches import Rectangle

        self.scale_bar_ = None
        mpp, (height, width) = (
            self.probability_map.mpp,
            self.probability_map.slide_shape,
        )
        if mpp is None:
            return
        microns, label = _round_length(_LONGEST_BAR * width * mpp)
        # The bar is below the slide, so that it does not cover any tissue.
        self.scale_bar_ = Rectangle(
            (0, 1.02 * height), microns / mpp, 0.012 * height, color="black"
        )
        self.scale_bar_.set_clip_on(False)
        self.ax_.add_patch(self.scale_bar_)
        self.ax_.annotate(
            label,
            (microns / mpp, 1.026 * height),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            annotation_clip=False,
        )


def _round_length(longest: float) -> tuple[float, str]:
    """Return the largest 1, 2 or 5 times a power of ten in microns, and its label."""
    power = 10.0 ** np.floor(np.log10(longest))
    microns = power * max(step for step in (1, 2, 5) if step * power <= longest)
    if microns >= 1000:
        return microns, f"{microns / 1000:g} mm"
    return microns, f"{microns:g} \N{MICRO SIGN}m"
