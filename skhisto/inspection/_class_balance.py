"""How many patches of each class there are."""

from collections.abc import Sequence
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

_LEAST_SHARE = 0.12  # of the longest bar: what is shorter has no room for its numbers


class ClassBalanceDisplay:
    """How many patches of each class there are, also by slide or fold.

    Make it with `from_arrays`. Each group is a bar, whose parts are the classes with
    their number of patches and their share of the group.

    Parameters
    ----------
    counts : array-like of shape (n_groups, n_classes)
        Numbers of patches.
    classes : array-like of shape (n_classes,)
        The labels.
    groups : array-like of shape (n_groups,), default=None
        Names of the slides, patients or folds; None for a single bar without a name.
    display_labels : sequence of str of length n_classes, default=None
        Names of the classes; None takes the labels.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure that holds them.
    bars_ : list of matplotlib BarContainer
        For each class, its parts of the bars.

    Raises
    ------
    ValueError
        If numbers of groups, classes and names differ.

    See Also
    --------
    PatchGridDisplay : What the patches look like.

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
        """Count labels and show the numbers.

        Parameters
        ----------
        y : array-like of shape (n,)
            Labels of the patches.
        groups : array-like of shape (n,), default=None
            Slide, patient or fold of each patch.
        display_labels : sequence of str, default=None
            Names of the classes, in the order of the sorted labels.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a figure that fits.

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
            Axes to draw on; None makes a figure that fits.

        Returns
        -------
        self : ClassBalanceDisplay
        """
        counts = np.asarray(self.counts)
        names = names_of(self.display_labels, self.classes)
        groups = [""] if self.groups is None else list(np.asarray(self.groups))
        if counts.shape != (len(groups), len(names)):
            raise ValueError(
                f"counts must have the shape {(len(groups), len(names))} of groups and "
                f"classes, but has {counts.shape}."
            )
        size = (7.0, 1.4 + 0.32 * len(groups))
        self.figure_, self.ax_ = axes_to_draw_on(
            ax, f"{type(self).__name__}.plot", size
        )
        from matplotlib.ticker import MaxNLocator

        totals, left = counts.sum(axis=1), np.zeros(len(groups), dtype=int)
        self.bars_ = []
        for position, name in enumerate(names):
            numbers = counts[:, position]
            bars = self.ax_.barh(
                range(len(groups)),
                numbers,
                left=left,
                height=0.7,
                color=colour_of(position),
                label=name,
            )
            self.bars_.append(bars)
            texts = [
                f"{n:,} ({n / total:.0%})" if n >= _LEAST_SHARE * totals.max() else ""
                for n, total in zip(numbers, totals, strict=True)
            ]
            self.ax_.bar_label(
                bars,
                texts,
                label_type="center",
                color=text_colour_on(colour_of(position)),
                fontsize="small",
            )
            left = left + numbers
        self.ax_.set(xlabel="patches", yticks=range(len(groups)), yticklabels=groups)
        self.ax_.tick_params(axis="y", length=0)
        self.ax_.set_ylim(len(groups) - 0.5, -0.5)  # the first group on top
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        self.ax_.legend(
            loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(names), frameon=False
        )
        without_box(self.ax_)
        return self
