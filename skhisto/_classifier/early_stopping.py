"""When to stop training, and which epoch to keep."""

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

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
        """Do nothing at the start of an epoch."""

    def end(
        self, state: "TrainingState", predicting: "Callable[[], TrainingState]"
    ) -> bool:
        """Look at the loss after an epoch; return whether to stop."""
        loss = state.history["val_loss"][-1]
        if loss < self._best_loss:
            self._best = state
            self._best_loss = loss
        if loss < self._loss_to_beat - self.tol:
            self._loss_to_beat = loss
            self._n_no_change = 0
        else:
            self._n_no_change += 1
        return self._n_no_change >= self.n_iter_no_change

    @property
    def best(self) -> "TrainingState":
        """The state after the best epoch."""
        return self._best

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are kept, from 1."""
        return self._best.n_iter

    @property
    def memory(self) -> dict[str, Any]:
        """What `remember` needs besides the state after the best epoch, as numbers."""
        return {
            "best_loss": self._best_loss,
            "loss_to_beat": self._loss_to_beat,
            "n_no_change": self._n_no_change,
        }

    def remember(self, best: "TrainingState", memory: dict[str, Any]) -> None:
        """Continue from what another object had in `best` and `memory`.

        Raises
        ------
        KeyError, OverflowError, TypeError, ValueError
            If `memory` is not such a dict. This object is then as before.
        """
        best_loss, loss_to_beat = (
            float(memory[name]) for name in ("best_loss", "loss_to_beat")
        )
        self._n_no_change = int(memory["n_no_change"])
        self._best, self._best_loss = best, best_loss
        self._loss_to_beat = loss_to_beat

    def restore_best(self, last: "TrainingState") -> "TrainingState":
        """Return the best epoch's weights with the history of all epochs."""
        # An interrupt may come when an epoch is already known here and not elsewhere.
        last = max(last, self._best, key=lambda state: state.n_iter)
        return replace(self._best, history=last.history, n_iter=last.n_iter)
