"""Epochs as tasks of scikit-learn's callbacks."""

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.callback import CallbackContext


class EpochTasks:
    """Tell the callbacks of an estimator when an epoch begins and ends.

    Parameters
    ----------
    estimator : estimator
    context : sklearn.callback.CallbackContext
        The context of the estimator's fit.
    data : dict
        What the callbacks get to see of the training data.
    fitted_attributes : callable
        Gets the state of the training, gives the attributes of a fitted estimator.
    n_done : int, default=0
        Number of epochs that another process has trained. The callbacks are not told of
        them, but the numbers of the tasks continue after them.
    """

    def __init__(
        self,
        estimator: BaseEstimator,
        context: CallbackContext,
        data: dict[str, Any],
        fitted_attributes: Callable[[Any], dict[str, Any]],
        n_done: int = 0,
    ) -> None:
        self.estimator = estimator
        self.context = context
        self.data = data
        self.fitted_attributes = fitted_attributes
        for _ in range(n_done):
            context.subcontext(task_name="epoch")

    def begin(self) -> None:
        """Begin the next epoch."""
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end(self, state: Any, predicting: Callable[[], Any]) -> bool:
        """End the epoch; return whether a callback asks to stop."""
        return self.epoch.call_on_fit_task_end(
            estimator=self.estimator,
            **self.data,
            reconstruction_attributes=lambda: self.fitted_attributes(predicting()),
        )
