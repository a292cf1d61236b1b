"""Patches side by side."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length, check_random_state

from skhisto.inspection._drawing import as_images, axes_to_draw_on, colour_of, pictures
from skhisto.inspection._names import names_of
from skhisto.patches._patch_array import as_height_width, center_window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.patches import Rectangle
    from matplotlib.text import Text

_GAP = 0.08  # between patches, in widths of a patch
_LINE = 0.18  # height of a line above a patch, in widths of a patch


class PatchGridDisplay:
    """Patches side by side, with their labels and predictions.

    Make it with `from_arrays`, `from_predictions` or `from_estimator`.

    - The line above a patch names its class. The frame has the colour of that class.
    - With predictions, a second line names the predicted class and its probability. The
      frame then has the colour of the predicted class.
    - A square in the middle shows the part of the patch that the label refers to.

    Parameters
    ----------
    patches : array-like or PatchArray of shape (n, height, width, channels) or \
            (n, height, width)
        Patches of 1 to 4 channels. Two channels are shown as magenta and green.
        uint8 and uint16 are shown from 0 to the maximum of the dtype. Other numbers are
        shown from 0 to 1, or over their range if it is wider.
    y_true : array-like of shape (n,)
        Labels of the patches.
    y_proba : array-like of shape (n, n_classes), default=None
        Probabilities of the classes.
    classes : array-like of shape (n_classes,), default=None
        The labels in the order of `y_proba`. None means the sorted labels of `y_true`.
    display_labels : sequence of str of length n_classes, default=None
        Names of the classes. None means the labels.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the patches, in units of pixels.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    images_ : list of matplotlib AxesImage
        The patches.
    frames_ : list of matplotlib Rectangle
        The frames of the patches.
    centers_ : list of matplotlib Rectangle
        The squares in the middle. Empty with ``center=None``.
    titles_ : list of matplotlib Text
        The lines above the patches.

    Raises
    ------
    TypeError
        If `patches` is a data set, a loader, an iterator or a mapping.
    ValueError
        If `patches` does not hold patches, if numbers of rows differ, or if a label is
        not one of the classes.

    See Also
    --------
    ClassBalanceDisplay : Shows the number of patches of each class.
    CAMDisplay : Shows the evidence for a class in patches.

    Examples
    --------
    >>> from skhisto import PatchGridDisplay, make_patches
    >>> X, y = make_patches(40, random_state=0)
    >>> display = PatchGridDisplay.from_arrays(
    ...     X, y, n_patches=6, display_labels=["normal", "tumour"], random_state=0
    ... )
    >>> len(display.images_)
    12
    """

    __module__ = "skhisto"

    def __init__(
        self,
        patches: ArrayLike,
        *,
        y_true: ArrayLike,
        y_proba: ArrayLike | None = None,
        classes: ArrayLike | None = None,
        display_labels: Sequence[str] | None = None,
    ) -> None:
        self.patches = patches
        self.y_true = y_true
        self.y_proba = y_proba
        self.classes = classes
        self.display_labels = display_labels
        self._row_starts: set[int] = set()

    @classmethod
    def from_arrays(
        cls,
        X: Any,
        y: ArrayLike,
        *,
        n_patches: int = 6,
        display_labels: Sequence[str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        **plot_params: Any,
    ) -> Self:
        """Select patches of each class at random and show one row for each class.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches, see :class:`PatchGridDisplay`. Of a PatchArray, only the patches
            that are shown are decoded.
        y : array-like of shape (n,)
            Labels of the patches.
        n_patches : int, default=6
            Largest number of patches of each class.
        display_labels : sequence of str, default=None
            Names of the classes, in the order of the sorted labels.
        random_state : int, RandomState instance or None, default=None
            Determines which patches are selected.
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : PatchGridDisplay
        """
        X, y = as_images(X), np.asarray(y)
        check_consistent_length(X, y)
        rng = check_random_state(random_state)
        drawn = [
            rng.permutation(np.flatnonzero(y == label))[:n_patches]
            for label in np.unique(y)
        ]
        rows = np.concatenate(drawn)
        display = cls(
            np.asarray(X[rows]),
            y_true=y[rows],
            classes=np.unique(y),
            display_labels=display_labels,
        )
        display._row_starts = set(np.cumsum([len(rows) for rows in drawn]).tolist())
        return display.plot(**{"n_columns": n_patches} | plot_params)

    @classmethod
    def from_predictions(
        cls,
        X: Any,
        y_true: ArrayLike,
        y_proba: ArrayLike,
        *,
        order: str = "mistakes",
        n_patches: int = 12,
        classes: ArrayLike | None = None,
        display_labels: Sequence[str] | None = None,
        random_state: int | np.random.RandomState | None = None,
        **plot_params: Any,
    ) -> Self:
        """Show patches with their predictions.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches, see :class:`PatchGridDisplay`. Of a PatchArray, only the patches
            that are shown are decoded.
        y_true : array-like of shape (n,)
            Labels of the patches.
        y_proba : array-like of shape (n, n_classes) or (n,)
            Output of `predict_proba`. With two classes, its last column is enough.
        order : {"mistakes", "probability", "random"}, default="mistakes"
            Which patches are shown.

            - "mistakes": wrong predictions, the most confident ones first.
            - "probability": patches at equal steps in the ranking by the probability of
              the last class, from the lowest to the highest.
            - "random": a random selection.
        n_patches : int, default=12
            Largest number of patches.
        classes : array-like of shape (n_classes,), default=None
            The labels in the order of `y_proba`. None means the sorted labels of
            `y_true`.
        display_labels : sequence of str, default=None
            Names of the classes, in the order of `classes`.
        random_state : int, RandomState instance or None, default=None
            Determines which patches are selected if `order` is "random".
        **plot_params : dict
            Further parameters of `plot`.

        Returns
        -------
        display : PatchGridDisplay
        """
        X, y_true = as_images(X), np.asarray(y_true)
        classes = np.unique(y_true) if classes is None else np.asarray(classes)
        y_proba = _two_columns(y_proba)
        check_consistent_length(X, y_true, y_proba)
        positions = _positions(y_true, classes, y_proba)
        rng = check_random_state(random_state)
        rows = _choose(positions, y_proba, order, n_patches, rng)
        display = cls(
            np.asarray(X[rows]),
            y_true=y_true[rows],
            y_proba=y_proba[rows],
            classes=classes,
            display_labels=display_labels,
        )
        return display.plot(**plot_params)

    @classmethod
    def from_estimator(
        cls, estimator: Any, X: Any, y: ArrayLike, **params: Any
    ) -> Self:
        """Predict the classes of patches and show the patches with the predictions.

        Parameters
        ----------
        estimator : classifier or Pipeline
            A fitted estimator with `predict_proba`.
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches, see :class:`PatchGridDisplay`.
        y : array-like of shape (n,)
            Labels of the patches.
        **params : dict
            Further parameters of `from_predictions` and of `plot`.

        Returns
        -------
        display : PatchGridDisplay
        """
        return cls.from_predictions(
            X, y, estimator.predict_proba(X), classes=estimator.classes_, **params
        )

    def plot(
        self,
        *,
        ax: "Axes | None" = None,
        n_columns: int = 6,
        center: int | tuple[int, int] | None = 32,
    ) -> Self:
        """Draw the patches.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None makes a new figure.
        n_columns : int, default=6
            Number of patches in a row.
        center : int, tuple of (height, width) or None, default=32
            Size of the square in the middle, in pixels. None draws no square. No square
            is drawn, either, unless the patches are larger than it.

        Returns
        -------
        self : PatchGridDisplay
        """
        patches, labels = as_images(self.patches), np.asarray(self.y_true)
        y_proba = None if self.y_proba is None else _two_columns(self.y_proba)
        check_consistent_length(patches, labels, y_proba)
        classes = np.unique(labels) if self.classes is None else self.classes
        classes = np.asarray(classes)
        true = _positions(labels, classes, y_proba)
        names = names_of(self.display_labels, classes)
        height, width = patches.shape[1:3]
        n_columns = max(min(n_columns, len(patches)), 1)
        places = self._places(len(patches), n_columns)
        n_rows = places[-1][1] + 1 if places else 1
        above = width * _LINE * (1 if y_proba is None else 2)
        step = np.array([width * (1 + _GAP), height + width * _GAP + above])
        size = np.array([n_columns, n_rows]) * step / width * 1.4
        self.figure_, self.ax_ = axes_to_draw_on(
            ax, f"{type(self).__name__}.plot", size
        )
        self.images_: list[AxesImage] = []
        self.frames_: list[Rectangle] = []
        self.centers_: list[Rectangle] = []
        self.titles_: list[Text] = []
        for i, patch in enumerate(pictures(np.asarray(patches))):
            corner = step * places[i]
            proba = None if y_proba is None else y_proba[i]
            self._draw(patch, corner, names, true[i], proba, center)
        if len(patches) == 0:
            self.ax_.text(0, 0, "none", ha="center")
        self.ax_.set(
            xlim=(-width * _GAP, n_columns * step[0]),
            ylim=(n_rows * step[1] - above, -width * _GAP - above),
            aspect="equal",
        )
        self.ax_.set_axis_off()
        self._fit_titles(width * (1 + _GAP))
        return self

    def _places(self, n_patches: int, n_columns: int) -> list[tuple[int, int]]:
        """Return the column and the row of each patch."""
        places: list[tuple[int, int]] = []
        column, row = -1, 0
        for i in range(n_patches):
            column += 1
            if column == n_columns or i in self._row_starts:
                column, row = 0, row + 1
            places.append((column, row))
        return places

    def _fit_titles(self, width: float) -> None:
        """Shrink the text of all titles until the longest one fits into a width."""
        self.ax_.apply_aspect()
        left, right = self.ax_.transData.transform([(0, 0), (width, 0)])[:, 0]
        widths = [title.get_window_extent().width for title in self.titles_]
        shrink = min(1.0, 0.9 * (right - left) / max(widths, default=1))
        for title in self.titles_:
            title.set_fontsize(title.get_fontsize() * shrink)

    def _draw(
        self,
        patch: np.ndarray,
        corner: np.ndarray,
        names: list[str],
        true: int,
        proba: np.ndarray | None,
        center: int | tuple[int, int] | None,
    ) -> None:
        height, width = patch.shape[:2]
        left, top = corner
        extent = (left, left + width, top + height, top)
        self.images_.append(self.ax_.imshow(patch, extent=extent))
        title, shown = names[true], true
        if proba is not None:
            shown = int(proba.argmax())
            title = f"{title}\n\N{RIGHTWARDS ARROW} {names[shown]} {proba[shown]:.2f}"
        self.frames_.append(
            _rectangle(corner, (height, width), colour_of(shown), linewidth=2.5)
        )
        size = (height, width) if center is None else as_height_width(center)
        if size != (height, width) and size[0] <= height and size[1] <= width:
            rows, columns = center_window(height, width, size)
            inner = corner + np.array([columns.start, rows.start])
            self.centers_.append(_rectangle(inner, size, "black", linewidth=1))
            self.ax_.add_patch(self.centers_[-1])
        self.ax_.add_patch(self.frames_[-1])
        self.titles_.append(
            self.ax_.text(
                left,
                top - width * _GAP / 2,
                title,
                fontsize="x-small",
            )
        )


def _rectangle(
    corner: np.ndarray, size: tuple[int, int], colour: str, linewidth: float
) -> "Rectangle":
    from matplotlib.patches import Rectangle

    height, width = size
    return Rectangle(
        tuple(corner), width, height, fill=False, edgecolor=colour, linewidth=linewidth
    )


def _positions(
    labels: np.ndarray, classes: np.ndarray, y_proba: ArrayLike | None
) -> np.ndarray:
    """Return the positions of labels among the classes."""
    known = classes.tolist()
    unknown = sorted(set(labels.tolist()) - set(known))
    if unknown:
        raise ValueError(
            f"y_true holds {unknown}, which are not among the classes {known}."
        )
    if y_proba is not None and np.shape(y_proba)[1] != len(known):
        raise ValueError(
            f"y_proba has {np.shape(y_proba)[1]} columns, but there are {len(known)} "
            f"classes: {known}."
        )
    return np.array([known.index(label) for label in labels.tolist()], dtype=int)


def _two_columns(y_proba: ArrayLike) -> np.ndarray:
    y_proba = np.asarray(y_proba)
    return np.column_stack([1 - y_proba, y_proba]) if y_proba.ndim == 1 else y_proba


def _choose(
    true: np.ndarray,
    y_proba: np.ndarray,
    order: str,
    n_patches: int,
    rng: np.random.RandomState,
) -> np.ndarray:
    """Return the rows of the patches to show."""
    if order == "mistakes":
        wrong = np.flatnonzero(y_proba.argmax(axis=1) != true)
        return wrong[np.argsort(-y_proba[wrong].max(axis=1), kind="stable")][:n_patches]
    if order == "probability":
        ranked = np.argsort(y_proba[:, -1], kind="stable")
        evenly = np.linspace(0, len(ranked) - 1, min(n_patches, len(ranked)))
        return ranked[np.rint(evenly).astype(int)]
    if order == "random":
        return rng.permutation(len(true))[:n_patches]
    raise ValueError(
        f"order must be 'mistakes', 'probability' or 'random'; got {order!r}."
    )
