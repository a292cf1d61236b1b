"""Early stopping."""

from collections.abc import Callable
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skhisto._keras.training_loop import TrainingState


class EarlyStopping:
    """Stop training when the validation loss stops improving, and keep the best epoch.

    Parameters
    ----------
    n_iter_no_change : int
        Number of epochs without improvement after which training stops.
    tol : float
        Minimum decrease of the validation loss that counts as an improvement.
    """

    def __init__(self, n_iter_no_change: int, tol: float) -> None:
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self._best_loss = inf
        self._loss_to_beat = inf
        self._n_no_change = 0

    def begin(self) -> None:
        """Do nothing. Early stopping acts only at the end of an epoch."""

    def end(
        self, state: "TrainingState", predicting: "Callable[[], TrainingState]"
    ) -> bool:
        """Record the validation loss of an epoch, and return whether to stop."""
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
        """Number of the epoch whose weights are kept, counted from 1."""
        return self._best.n_iter

    @property
    def memory(self) -> dict[str, Any]:
        """Numbers that `remember` needs in addition to the state of the best epoch."""
        return {
            "best_loss": self._best_loss,
            "loss_to_beat": self._loss_to_beat,
            "n_no_change": self._n_no_change,
        }

    def remember(self, best: "TrainingState", memory: dict[str, Any]) -> None:
        """Restore `best` and `memory` of another object.

        Raises
        ------
        KeyError, OverflowError, TypeError, ValueError
            If `memory` is invalid. This object is then unchanged.
        """
        best_loss, loss_to_beat = (
            float(memory[name]) for name in ("best_loss", "loss_to_beat")
        )
        self._n_no_change = int(memory["n_no_change"])
        self._best, self._best_loss = best, best_loss
        self._loss_to_beat = loss_to_beat

    def restore_best(self, last: "TrainingState") -> "TrainingState":
        """Return the weights of the best epoch with the history of all epochs."""
        # After an interrupt, the best epoch may be newer than the given state.
        last = max(last, self._best, key=lambda state: state.n_iter)
        return replace(self._best, history=last.history, n_iter=last.n_iter)
