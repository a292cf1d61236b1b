"""Display of the number of patches of each class."""

from collections.abc import Sequence
from textwrap import fill
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length

from skhisto.inspection._drawing import (
    axes_to_draw_on,
    colour_of,
    text_colour_on,
    without_box,
)
from skhisto.inspection._names import names_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.patches import Rectangle
    from matplotlib.text import Text

_LONGEST_LINE = 28  # characters per line of a name, longer names are wrapped


class ClassBalanceDisplay:
    """Number of patches of each class, in total or by slide, patient or fold.

    Create the display with `from_arrays`.

    - Without groups, there is one bar per class. The number of patches and the share of
      all patches are written at its end.
    - With groups, there is one stacked bar per group, with one part per class. Parts
      with enough room show the number of patches and the share of the group.

    Parameters
    ----------
    counts : array-like of shape (n_groups, n_classes)
        Number of patches of each class in each group.
    classes : array-like of shape (n_classes,)
        The labels.
    groups : array-like of shape (n_groups,), default=None
        Names of the slides, patients or folds. None means no groups, so that `counts`
        has a single row.
    display_labels : sequence of str of length n_classes, default=None
        Names of the classes. None uses the labels.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    bars_ : list of matplotlib BarContainer
        The bars or their parts, one container per class.

    Raises
    ------
    ValueError
        If the shape of `counts` does not match `groups` and `classes`, or if `classes`
        and `display_labels` have different lengths.

    See Also
    --------
    PatchGridDisplay : Show the patches.

    Examples
    --------
    >>> from skhisto import ClassBalanceDisplay, make_patches
    >>> X, y, slides = make_patches(200, size=24, random_state=0, return_groups=True)
    >>> display = ClassBalanceDisplay.from_arrays(
    ...     y, groups=slides, display_labels=["normal", "tumour"]
    ... )
    >>> display.counts.sum(axis=0)
    array([100, 100])
    """

    __module__ = "skhisto"

    def __init__(
        self,
        counts: ArrayLike,
        *,
        classes: ArrayLike,
        groups: ArrayLike | None = None,
        display_labels: Sequence[str] | None = None,
    ) -> None:
        self.counts = counts
        self.classes = classes
        self.groups = groups
        self.display_labels = display_labels

    @classmethod
    def from_arrays(
        cls,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        display_labels: Sequence[str] | None = None,
        ax: "Axes | None" = None,
    ) -> Self:
        """Count labels and draw the bars.

        Parameters
        ----------
        y : array-like of shape (n,)
            Labels of the patches.
        groups : array-like of shape (n,), default=None
            Slide, patient or fold of each patch. None means one bar per class.
        display_labels : sequence of str, default=None
            Names of the classes, in the order of the sorted labels.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.

        Returns
        -------
        display : ClassBalanceDisplay
        """
        check_consistent_length(y, groups)
        classes, columns = np.unique(np.asarray(y), return_inverse=True)
        names, rows = None, np.zeros_like(columns)
        if groups is not None:
            names, rows = np.unique(np.asarray(groups), return_inverse=True)
        counts = np.zeros((1 if names is None else len(names), len(classes)), dtype=int)
        np.add.at(counts, (rows, columns), 1)
        display = cls(
            counts, classes=classes, groups=names, display_labels=display_labels
        )
        return display.plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the bars.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.

        Returns
        -------
        self : ClassBalanceDisplay
        """
        counts = np.asarray(self.counts)
        names = names_of(self.display_labels, self.classes)
        groups = [None] if self.groups is None else np.asarray(self.groups).tolist()
        if counts.shape != (len(groups), len(names)):
            raise ValueError(
                f"counts must have shape (n_groups, n_classes), here "
                f"{(len(groups), len(names))}, got {counts.shape}."
            )
        names = _wrapped(names)
        n_lines = [name.count("\n") + 1 for name in names]
        if self.groups is None:
            size = (7.0, 1.2 + len(names) * max(0.35, 0.17 * max(n_lines)))
        else:
            size = (8.5, max(1.4 + 0.32 * len(groups), 0.6 + 0.19 * sum(n_lines)))
        self.figure_, self.ax_ = axes_to_draw_on(
            ax, f"{type(self).__name__}.plot", size
        )
        if self.groups is None:
            self.bars_ = self._draw_classes(counts[0], names)
        else:
            self.bars_ = self._draw_groups(counts, _wrapped(groups), names)
        from matplotlib.ticker import MaxNLocator

        self.ax_.set_xlabel("patches")
        self.ax_.tick_params(axis="y", length=0)
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        without_box(self.ax_)
        return self

    def _draw_classes(
        self, counts: np.ndarray, names: list[str]
    ) -> "list[BarContainer]":
        """Draw one bar per class, with the first class on top."""
        bars = [
            self.ax_.barh(
                [row], [n], height=0.7, color=colour_of(row), label=names[row]
            )
            for row, n in enumerate(counts)
        ]
        for bar, n in zip(bars, counts, strict=True):
            text = _number_and_share(n, counts.sum())
            self.ax_.bar_label(bar, [text], padding=3, fontsize="small")
        self.ax_.set(yticks=range(len(names)), yticklabels=names)
        self.ax_.set_ylim(len(names) - 0.5, -0.5)
        self.ax_.margins(x=0.2)  # makes room for the text after the longest bar
        return bars

    def _draw_groups(
        self, counts: np.ndarray, groups: list[str], names: list[str]
    ) -> "list[BarContainer]":
        """Draw one bar per group, with the first group on top, and a legend."""
        totals, left = counts.sum(axis=1), np.zeros(len(groups), int)
        all_bars: list[BarContainer] = []
        labelled: list[tuple[Rectangle, Text]] = []
        for position, name in enumerate(names):
            numbers, colour = counts[:, position], colour_of(position)
            bars = self.ax_.barh(
                range(len(groups)),
                numbers,
                left=left,
                height=0.7,
                color=colour,
                label=name,
            )
            texts = self.ax_.bar_label(
                bars,
                [_number_and_share(*n) for n in zip(numbers, totals, strict=True)],
                label_type="center",
                color=text_colour_on(colour),
                fontsize="small",
            )
            all_bars.append(bars)
            labelled += zip(bars, texts, strict=True)
            left = left + numbers
        self.ax_.set(yticks=range(len(groups)), yticklabels=groups)
        self.ax_.set_ylim(len(groups) - 0.5, -0.5)
        self.ax_.legend(
            loc="upper left",
            bbox_to_anchor=(1, 1),
            borderaxespad=0.2,
            fontsize="small" if len(names) > 8 else "medium",
            frameon=False,
        )
        self._remove_texts_without_room(labelled)
        return all_bars

    def _remove_texts_without_room(
        self, labelled: "list[tuple[Rectangle, Text]]"
    ) -> None:
        self.figure_.figure.draw_without_rendering()  # fixes the width of the axes
        for part, text in labelled:
            if text.get_window_extent().width > 0.95 * part.get_window_extent().width:
                text.remove()


def _number_and_share(n: int, total: int) -> str:
    return f"{n:,} ({n / total:.0%})" if total else f"{n}"


def _wrapped(names: Sequence[object]) -> list[str]:
    return [fill(str(name), _LONGEST_LINE) for name in names]
