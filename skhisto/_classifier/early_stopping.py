"""When to stop training, and which epoch to keep."""

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from skhisto._keras.training_loop import TrainingState


class EarlyStopping:
    """Keep the epoch with the lowest validation loss and say when to stop.

    Parameters
    ----------
    n_iter_no_change : int
        Epochs without an improvement after which to stop.
    tol : float
        A loss that is lower than the lowest by no more than this is no improvement.
    """

    def __init__(self, n_iter_no_change: int, tol: float) -> None:
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self._best_loss = inf
        self._loss_to_beat = inf
        self._n_no_change = 0

    def begin(self) -> None:
        """Hear that an epoch begins."""

    def end(
        self, state: "TrainingState", predicting: "Callable[[], TrainingState]"
    ) -> bool:
        """Look at the loss after an epoch; return whether to stop."""
        loss = state.history["val_loss"][-1]
        if loss < self._best_loss:
            self._best_loss = loss
            self._best = state
        if loss < self._loss_to_beat - self.tol:
            self._loss_to_beat = loss
            self._n_no_change = 0
        else:
            self._n_no_change += 1
        return self._n_no_change >= self.n_iter_no_change

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are kept, from 1."""
        return self._best.n_iter

    def restore_best(self, last: "TrainingState") -> "TrainingState":
        """Return the best epoch's weights with the history of all epochs."""
        return replace(self._best, history=last.history, n_iter=last.n_iter)
