"""Display of loss and metrics by epoch."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from skhisto.inspection._drawing import axes_to_draw_on, colour_of, without_box
from skhisto.inspection._estimators import classifier_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D

History = Mapping[str, Sequence[float]]
_PARTS = {"": "training", "val_": "validation"}


class TrainingCurveDisplay:
    """Loss or accuracy by epoch, for one fit or the folds of a cross-validation.

    Create the display with `from_estimator`. Several fits are shown as their mean and a
    band from the lowest to the highest value. The mean of an epoch only includes fits
    that reached it before early stopping. Dots mark the epochs whose weights were kept.

    Parameters
    ----------
    histories : sequence of dict of str to list of float
        The `history_` of each classifier: one value per epoch of "loss", "accuracy"
        and, with validation, "val_loss" and "val_accuracy".
    metric : {"loss", "accuracy"}, default="loss"
        The metric to show.
    kept_epochs : sequence of int or None, default=None
        For each fit, the epoch whose weights were kept, counted from 1, or None for no
        mark. If `kept_epochs` itself is None, no marks are drawn.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curves.
    figure_ : matplotlib Figure
        Figure that contains the axes.
    lines_ : dict of str to matplotlib Line2D
        The curves. The keys are "training" and "validation".
    bands_ : dict of str to matplotlib PolyCollection
        The bands. Empty for a single fit.
    dots_ : list of matplotlib Line2D
        The marks of kept epochs.

    Raises
    ------
    ValueError
        If `histories` is empty, or if a fit does not have the metric.

    See Also
    --------
    sklearn.model_selection.LearningCurveDisplay : Scores by the number of samples.
    sklearn.model_selection.ValidationCurveDisplay : Scores by a parameter.

    Examples
    --------
    >>> from skhisto import PatchCNNClassifier, ReferenceCNN
    >>> from skhisto import TrainingCurveDisplay, make_patches
    >>> X, y = make_patches(40, size=24, random_state=0)
    >>> small = ReferenceCNN(filters=(8, 16), dense_units=16)
    >>> clf = PatchCNNClassifier(architecture=small, epochs=3, random_state=0)
    >>> display = TrainingCurveDisplay.from_estimator(clf.fit(X, y))
    >>> display.lines_["training"].get_xdata()
    array([1, 2, 3])
    """

    __module__ = "skhisto"

    def __init__(
        self,
        histories: Sequence[History],
        *,
        metric: str = "loss",
        kept_epochs: Sequence[int | None] | None = None,
    ) -> None:
        self.histories = histories
        self.metric = metric
        self.kept_epochs = kept_epochs

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        metric: str = "loss",
        ax: "Axes | None" = None,
    ) -> Self:
        """Draw the training curves of one or several fitted classifiers.

        Parameters
        ----------
        estimator : PatchCNNClassifier, Pipeline, or sequence of these
            Fitted estimators, such as the entry "estimator" in the result of
            ``cross_validate(..., return_estimator=True)``.
        metric : {"loss", "accuracy"}, default="loss"
            The metric to show.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.

        Returns
        -------
        display : TrainingCurveDisplay

        Raises
        ------
        TypeError
            If an estimator is neither a PatchCNNClassifier nor a Pipeline that ends in
            one.
        NotFittedError
            If an estimator is not fitted.
        """
        estimators = estimator if isinstance(estimator, list | tuple) else [estimator]
        classifiers = [classifier_of(each) for each in estimators]
        kept = [each.best_epoch_ for each in classifiers]
        histories = [each.history_ for each in classifiers]
        return cls(histories, metric=metric, kept_epochs=kept).plot(ax=ax)

    def plot(self, *, ax: "Axes | None" = None) -> Self:
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.

        Returns
        -------
        self : TrainingCurveDisplay
        """
        found = [_metrics(history) for history in self.histories]
        if not found:
            raise ValueError("histories must contain at least one fit.")
        if any(self.metric not in metrics for metrics in found):
            available = sorted(set.intersection(*found))
            raise ValueError(
                f"Unknown metric {self.metric!r}. Available metrics: "
                f"{', '.join(available)}."
            )
        self.figure_, self.ax_ = axes_to_draw_on(ax, f"{type(self).__name__}.plot")
        from matplotlib.ticker import MaxNLocator

        self.lines_: dict[str, Line2D] = {}
        self.bands_: dict[str, PolyCollection] = {}
        self.dots_: list[Line2D] = []
        for position, (prefix, part) in enumerate(_PARTS.items()):
            name = f"{prefix}{self.metric}"
            if all(name in history for history in self.histories):
                curves = _table([history[name] for history in self.histories])
                self._draw(part, curves, colour_of(position))
        if self.kept_epochs is not None and "validation" in self.lines_:
            self._mark(self.kept_epochs)
        self.ax_.set(xlabel="epoch", ylabel=self.metric)
        self.ax_.xaxis.set_major_locator(MaxNLocator(integer=True))
        self.ax_.legend(frameon=False)
        without_box(self.ax_)
        return self

    def _draw(self, part: str, curves: np.ndarray, colour: str) -> None:
        epochs = np.arange(1, curves.shape[1] + 1)
        marker = "o" if len(epochs) == 1 else None  # a single point has no visible line
        (self.lines_[part],) = self.ax_.plot(
            epochs, curves.mean(axis=0), color=colour, label=part, marker=marker
        )
        if len(curves) > 1:
            self.bands_[part] = self.ax_.fill_between(
                epochs,
                curves.min(axis=0),
                curves.max(axis=0),
                color=colour,
                alpha=0.2,
                linewidth=0,
            )

    def _mark(self, kept_epochs: Sequence[int | None]) -> None:
        for history, epoch in zip(self.histories, kept_epochs, strict=True):
            if epoch is None:
                continue
            label = None if self.dots_ else "kept by early stopping"
            value = history[f"val_{self.metric}"][epoch - 1]
            self.dots_ += self.ax_.plot(epoch, value, "ko", label=label, zorder=3)


def _metrics(history: History) -> set[str]:
    """Return the names of the metrics of training patches."""
    return {name for name in history if not name.startswith("val_")}


def _table(curves: Sequence[Sequence[float]]) -> np.ma.MaskedArray:
    """Return curves as rows. Missing values and values after the end are masked."""
    table = np.full((len(curves), max(map(len, curves))), np.nan)
    for row, curve in zip(table, curves, strict=True):
        row[: len(curve)] = curve
    return np.ma.masked_invalid(table)
