"""Display of a grid of patches."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import check_consistent_length, check_random_state

from skhisto.inspection._drawing import as_images, axes_to_draw_on, colour_of, pictures
from skhisto.inspection._names import names_of
from skhisto.inspection._titles import Line, draw_titles
from skhisto.patches._patch_array import as_height_width, center_window

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage
    from matplotlib.patches import Rectangle

_GAP = 0.08  # gap between patches, in patch widths
_LINE = 0.18  # height of a line above a patch, in patch widths
_INCHES = 1.4  # width of a patch
_LEGEND_LINE = 0.17  # inches
_TALLEST = 18.0  # maximum height in inches, with many rows the patches are smaller


class PatchGridDisplay:
    """Display of a grid of patches with their labels and predictions.

    Create the display with `from_arrays`, `from_predictions` or `from_estimator`.

    - The line above a patch shows its class. The frame has the colour of the class.
    - With predictions, a second line shows the predicted class and its probability. The
      frame then has the colour of the predicted class.
    - Names that are wider than a patch are shortened. A legend then maps the colours to
      the full names.
    - With ``center``, a square in the middle shows the part of the patch that the label
      refers to, such as the central 32x32 pixels in PatchCamelyon.

    Parameters
    ----------
    patches : array-like or PatchArray of shape (n, height, width, channels) or \
            (n, height, width)
        Patches of 1 to 4 channels. Two channels are shown as magenta and green.
        uint8 and uint16 are shown from 0 to the maximum of the dtype. Other numbers are
        shown from 0 to 1, or over their own range if it is wider.
    y_true : array-like of shape (n,)
        Labels of the patches.
    y_proba : array-like of shape (n, n_classes), default=None
        Probabilities of the classes.
    classes : array-like of shape (n_classes,), default=None
        The labels in the order of `y_proba`. None uses the sorted labels of `y_true`.
    display_labels : sequence of str of length n_classes, default=None
        Names of the classes. None uses the labels.
    titles : sequence of str of length n, default=None
        Lines above the patches. None shows the classes and the predictions.

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
        The lines above the patches, or above the rows with ``row_per_class=True``.

    Raises
    ------
    TypeError
        If `patches` is a data set, a loader, an iterator or a mapping.
    ValueError
        If `patches` is not a valid stack of patches, if arguments have different
        lengths, or if a label is not one of the classes.

    See Also
    --------
    ClassBalanceDisplay : Show the number of patches of each class.
    CAMDisplay : Show the evidence for a class in patches.

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
        titles: Sequence[str] | None = None,
    ) -> None:
        self.patches = patches
        self.y_true = y_true
        self.y_proba = y_proba
        self.classes = classes
        self.display_labels = display_labels
        self.titles = titles

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
        """Show a random selection of patches, with one row per class.

        Parameters
        ----------
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches, see :class:`PatchGridDisplay`. Only the selected patches of a
            PatchArray are decoded.
        y : array-like of shape (n,)
            Labels of the patches.
        n_patches : int, default=6
            Maximum number of patches per class.
        display_labels : sequence of str, default=None
            Names of the classes, in the order of the sorted labels.
        random_state : int, RandomState instance or None, default=None
            Determines the selection of patches.
        **plot_params : dict
            Other parameters of `plot`.

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
        defaults = {"n_columns": n_patches, "row_per_class": True}
        return display.plot(**defaults | plot_params)

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
            Patches, see :class:`PatchGridDisplay`. Only the selected patches of a
            PatchArray are decoded.
        y_true : array-like of shape (n,)
            Labels of the patches.
        y_proba : array-like of shape (n, n_classes) or (n,)
            Output of `predict_proba`. With two classes, its last column is sufficient.
        order : {"mistakes", "probability", "random"}, default="mistakes"
            The patches to show.

            - "mistakes": wrong predictions, most confident first.
            - "probability": patches at equal steps in the ranking by the probability of
              the last class, from lowest to highest.
            - "random": a random selection.
        n_patches : int, default=12
            Maximum number of patches.
        classes : array-like of shape (n_classes,), default=None
            The labels in the order of `y_proba`. None uses the sorted labels of
            `y_true`.
        display_labels : sequence of str, default=None
            Names of the classes, in the order of `classes`.
        random_state : int, RandomState instance or None, default=None
            Determines the selection of patches if `order` is "random".
        **plot_params : dict
            Other parameters of `plot`.

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
        """Predict the classes of patches and show them with their predictions.

        Parameters
        ----------
        estimator : classifier or Pipeline
            A fitted estimator with `predict_proba`.
        X : array-like or PatchArray of shape (n, height, width, channels)
            Patches, see :class:`PatchGridDisplay`.
        y : array-like of shape (n,)
            Labels of the patches.
        **params : dict
            Other parameters of `from_predictions` and `plot`.

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
        center: int | tuple[int, int] | None = None,
        row_per_class: bool = False,
    ) -> Self:
        """Draw the patches.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.
        n_columns : int, default=6
            Number of patches in a row.
        center : int, tuple of (height, width) or None, default=None
            Size of the square in the middle in pixels. Use ``center=32`` for
            PatchCamelyon, whose labels refer to the central 32x32 pixels. The square is
            only drawn if it is smaller than the patches. None draws no square.
        row_per_class : bool, default=False
            Whether to start a new row when the class of the patches changes. Unless
            `titles` are given, the class is then written once above its row.

        Returns
        -------
        self : PatchGridDisplay
        """
        patches, labels = as_images(self.patches), np.asarray(self.y_true)
        y_proba = None if self.y_proba is None else _two_columns(self.y_proba)
        check_consistent_length(patches, labels, y_proba, self.titles)
        classes = np.unique(labels) if self.classes is None else self.classes
        classes = np.asarray(classes)
        true = _positions(labels, classes, y_proba)
        names = names_of(self.display_labels, classes)
        shown = true if y_proba is None else y_proba.argmax(axis=1)
        n_columns = max(min(n_columns, len(patches)), 1)
        places = _places(true, n_columns, row_per_class)
        n_rows = places[-1][1] + 1 if places else 1
        height, width = patches.shape[1:3]
        above = width * _LINE * (1 if y_proba is None else 2)
        step = np.array([width * (1 + _GAP), height + width * _GAP + above])
        size = np.array([n_columns, n_rows]) * step / width
        self.figure_, self.ax_ = axes_to_draw_on(
            ax, f"{type(self).__name__}.plot", size * min(_INCHES, _TALLEST / size[1])
        )
        corners = [step * place for place in places]
        self._draw_patches(pictures(np.asarray(patches)), corners, shown, center)
        self.ax_.set(
            xlim=(-width * _GAP, n_columns * step[0]),
            ylim=(n_rows * step[1] - above, -width * _GAP - above),
            aspect="equal",
        )
        self.ax_.set_axis_off()
        titles = self._titles(names, true, y_proba)
        room = step[0]
        if row_per_class and self.titles is None and y_proba is None:
            starts = np.flatnonzero(np.diff(true, prepend=-1))
            titles, corners = [titles[i] for i in starts], [corners[i] for i in starts]
            room *= n_columns
        above_patch = np.array([0, -width * _GAP / 2])
        self.titles_, are_shortened = draw_titles(
            self.ax_, [corner + above_patch for corner in corners], titles, room
        )
        if are_shortened and self.titles is None:
            positions = sorted({*true.tolist(), *shown.tolist()})
            self._draw_legend(names, positions, is_new_figure=ax is None)
        return self

    def _draw_patches(
        self,
        patches: np.ndarray,
        corners: list[np.ndarray],
        shown: np.ndarray,
        center: int | tuple[int, int] | None,
    ) -> None:
        """Draw patches with their frames and squares."""
        self.images_: list[AxesImage] = []
        self.frames_: list[Rectangle] = []
        self.centers_: list[Rectangle] = []
        height, width = patches.shape[1:3]
        size = (height, width) if center is None else as_height_width(center)
        has_center = size != (height, width) and size[0] <= height and size[1] <= width
        for patch, corner, position in zip(patches, corners, shown, strict=True):
            left, top = corner
            extent = (left, left + width, top + height, top)
            self.images_.append(self.ax_.imshow(patch, extent=extent))
            if has_center:
                rows, columns = center_window(height, width, size)
                inner = corner + np.array([columns.start, rows.start])
                self.centers_.append(_rectangle(inner, size, "black", linewidth=1))
            colour = colour_of(int(position))
            self.frames_.append(
                _rectangle(corner, (height, width), colour, linewidth=2.5)
            )
        for rectangle in self.centers_ + self.frames_:
            self.ax_.add_patch(rectangle)
        if len(patches) == 0:
            self.ax_.text(0, 0, "none", ha="center")

    def _titles(
        self, names: list[str], true: np.ndarray, y_proba: np.ndarray | None
    ) -> list[list[Line]]:
        """Return the lines above each patch."""
        if self.titles is not None:
            return [[Line(title)] for title in self.titles]
        titles = [[Line(names[position])] for position in true]
        if y_proba is not None:
            for title, proba in zip(titles, y_proba, strict=True):
                arrow, end = "\N{RIGHTWARDS ARROW} ", f" {proba.max():.2f}"
                title.append(Line(names[proba.argmax()], arrow, end))
        return titles

    def _draw_legend(
        self, names: list[str], positions: list[int], *, is_new_figure: bool
    ) -> None:
        """Draw a legend of the frame colours and the full names of classes."""
        from matplotlib.patches import Patch

        if is_new_figure:  # the patches keep their size
            figure = self.figure_.figure  # the whole figure, not a subfigure
            width, height = figure.get_size_inches()
            figure.set_size_inches(width, height + 0.2 + _LEGEND_LINE * len(positions))
        self.ax_.set_anchor("N")  # leaves unused room at the bottom
        self.ax_.legend(
            handles=[Patch(color=colour_of(i), label=names[i]) for i in positions],
            loc="upper left",
            bbox_to_anchor=(0, 0),
            fontsize="x-small",
            frameon=False,
        )


def _places(
    classes: np.ndarray, n_columns: int, row_per_class: bool
) -> list[tuple[int, int]]:
    """Return the column and the row of each patch."""
    places: list[tuple[int, int]] = []
    column, row = -1, 0
    for i in range(len(classes)):
        column += 1
        is_new = row_per_class and i > 0 and classes[i] != classes[i - 1]
        if column == n_columns or is_new:
            column, row = 0, row + 1
        places.append((column, row))
    return places


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
            f"y_true contains {unknown}, which are not among the classes {known}."
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
        f"order must be 'mistakes', 'probability' or 'random', got {order!r}."
    )
