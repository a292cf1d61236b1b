"""Report epochs to the callbacks of scikit-learn."""

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.callback import CallbackContext


class EpochTasks:
    """Report the start and the end of each epoch to the callbacks of an estimator.

    Parameters
    ----------
    estimator : estimator
        The estimator that is being fitted.
    context : sklearn.callback.CallbackContext
        The context of the fit.
    data : dict
        The training data that the callbacks receive.
    fitted_attributes : callable
        Maps the state of training to the attributes of a fitted estimator.
    n_done : int, default=0
        Number of epochs that were trained by another process. They are not reported,
        but the numbers of the tasks include them.
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
        """Report the start of an epoch."""
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(estimator=self.estimator, **self.data)

    def end(self, state: Any, predicting: Callable[[], Any]) -> bool:
        """Report the end of an epoch, and return whether a callback requests a stop."""
        return self.epoch.call_on_fit_task_end(
            estimator=self.estimator,
            **self.data,
            reconstruction_attributes=lambda: self.fitted_attributes(predicting()),
        )
