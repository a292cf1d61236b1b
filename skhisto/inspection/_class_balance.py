"""A display of the number of patches of each class."""

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

_LEAST_SHARE = 0.12  # of the longest bar; shorter parts have no room for text


class ClassBalanceDisplay:
    """Number of patches of each class, for all patches or by slide, patient or fold.

    Make it with `from_arrays`. Each group is a bar. Each class is a part of the bar and
    shows its number of patches and its share of the group.

    Parameters
    ----------
    counts : array-like of shape (n_groups, n_classes)
        Number of patches of each class in each group.
    classes : array-like of shape (n_classes,)
        The labels.
    groups : array-like of shape (n_groups,), default=None
        Names of the slides, patients or folds. None means a single bar without a name.
    display_labels : sequence of str of length n_classes, default=None
        Names of the classes. None means the labels.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    bars_ : list of matplotlib BarContainer
        The parts of the bars, one container for each class.

    Raises
    ------
    ValueError
        If the shape of `counts` does not match `groups` and `classes`, or if the
        numbers of `classes` and `display_labels` differ.

    See Also
    --------
    PatchGridDisplay : Shows the patches.

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
        """Count labels and draw the numbers.

        Parameters
        ----------
        y : array-like of shape (n,)
            Labels of the patches.
        groups : array-like of shape (n,), default=None
            Slide, patient or fold of each patch. None means a single bar.
        display_labels : sequence of str, default=None
            Names of the classes, in the order of the sorted labels.
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.

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
            Axes to draw on. None makes a new figure.

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
                f"classes; got {counts.shape}."
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
