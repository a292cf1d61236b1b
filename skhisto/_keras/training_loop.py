"""The training loop with epochs, validation and callbacks."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite, nan
from typing import Any, Protocol

import keras
import numpy as np

from skhisto._data.training_data import TrainingData
from skhisto._keras.batches import TrainingBatches
from skhisto._keras.compiled_network import CompiledNetwork, Logs, borrow_network
from skhisto._keras.compiling import Callbacks, check_stateless, make_callbacks
from skhisto._keras.inference import predict_logits
from skhisto._keras.network import NetworkSpec
from skhisto._keras.schedules import learning_rates
from skhisto._keras.weights import Layers, Weights
from skhisto._types import AugmentFunction, ValueRange

History = dict[str, list[float]]


@dataclass(frozen=True)
class TrainingState:
    """The state of training after an epoch, as plain data.

    Attributes
    ----------
    weights : dict of str to ndarray
        Weights of the network.
    optimizer_state : dict of str to ndarray, or None
        Variables of the optimizer. None starts with a new optimizer.
    history : dict of str to list of float
        One value for each epoch.
    n_iter : int
        Number of trained epochs.
    layers : list of dict
        Descriptions of the layers.
    value_range : tuple of float (minimum, maximum), or None
        Range of the training patches. None for integer dtypes.
    """

    weights: Weights
    optimizer_state: Weights | None
    history: History
    n_iter: int
    layers: Layers
    value_range: ValueRange | None = None

    @property
    def is_finite(self) -> bool:
        """Whether all weights are finite numbers."""
        return all(np.isfinite(weight).all() for weight in self.weights.values())


@dataclass(frozen=True)
class TrainingPlan:
    """The settings of training.

    They are equal to the parameters of `PatchCNNClassifier`, with these exceptions:

    - `batch_size` is a number.
    - `augment` is a function or None.
    - `seed` determines all random numbers.
    - `measures_statistics` determines whether the statistics of batch normalisation are
      measured on the training data. Otherwise, running statistics are used.
    - `first_epoch` is the number of epochs before this fit.
    - `is_resumable` determines whether another process may continue this fit. Callbacks
      must then be stateless.
    - `needs_pixels` determines whether numbers outside [0, 1] are an error.
    """

    first_epoch: int
    n_epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    learning_rate_schedule: str
    optimizer_params: Mapping[str, Any] | None
    augment: AugmentFunction | None
    callbacks: Callbacks | None
    verbose: int
    seed: int
    measures_statistics: bool
    is_resumable: bool
    needs_pixels: bool

    @property
    def last_epoch(self) -> int:
        """The number of epochs after this fit."""
        return self.first_epoch + self.n_epochs


StateFunction = Callable[[TrainingState], None]


class Observer(Protocol):
    """Interface of objects that observe epochs and may stop training."""

    def begin(self) -> None:
        """Handle the start of an epoch."""

    def end(
        self, state: TrainingState, predicting: Callable[[], TrainingState]
    ) -> bool:
        """Handle the end of an epoch, and return whether to stop.

        ``predicting()`` measures the statistics of batch normalisation, which takes
        time, and returns the state for predictions.
        """


def train(
    spec: NetworkSpec,
    plan: TrainingPlan,
    data: TrainingData,
    start: TrainingState,
    observers: Sequence[Observer],
    *,
    on_interrupt: StateFunction,
    on_epoch: StateFunction | None = None,
) -> tuple[TrainingState, str | None]:
    """Train from a state to the last epoch of a plan.

    Parameters
    ----------
    spec : NetworkSpec
        The network.
    plan : TrainingPlan
        The settings.
    data : TrainingData
        The checked data.
    start : TrainingState
        The initial state. If it has more epochs than ``plan.first_epoch``, training
        resumes after the last of these epochs.
    observers : sequence of Observer
        Observers of the epochs.
    on_interrupt : callable
        Receives the last good state if a KeyboardInterrupt ends training after a
        complete epoch. The interrupt is raised again afterwards.
    on_epoch : callable, default=None
        Receives the state after each epoch except the last.

    Returns
    -------
    state : TrainingState
        The last good state with the statistics that predictions need.
    problem : str or None
        Description of a divergence after that state, otherwise None.

    Raises
    ------
    ValueError
        If training diverges before any epoch is complete, or if a callback changes the
        network.
    """
    with borrow_network(spec, plan.optimizer, plan.optimizer_params) as compiled:
        if start.n_iter == plan.first_epoch:
            compiled.load(start.weights, start.optimizer_state, plan.learning_rate)
        else:
            compiled.load_resumed(start.weights, start.optimizer_state)
        run = _Run(spec, plan, data, compiled, observers, start)
        try:
            state, problem = run.train(on_epoch)
        except KeyboardInterrupt:
            last_good = run.last_good()
            if last_good is not None:
                on_interrupt(last_good)
            raise
    if state is None:  # raised here, so that the network is returned to the pool
        raise ValueError(
            f"Training has diverged: {problem}. Use a lower learning_rate, or scale X "
            "to the order of 1."
        )
    return state, problem


class _Run:
    """One run of the training loop, which keeps the last good states.

    A state is good if its epoch is complete and its loss and weights are finite. An
    epoch is complete after its validation and all callbacks.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        plan: TrainingPlan,
        data: TrainingData,
        compiled: CompiledNetwork,
        observers: Sequence[Observer],
        start: TrainingState,
    ) -> None:
        self.spec, self.plan, self.data = spec, plan, data
        self.compiled, self.observers = compiled, observers
        self.batches = TrainingBatches(
            data.samples,
            batch_size=plan.batch_size,
            pixel_dtype=spec.ends.pixel_dtype,
            augment=plan.augment,
            needs_pixels=plan.needs_pixels,
        )
        self.rates = learning_rates(
            plan.learning_rate_schedule,
            plan.learning_rate,
            plan.n_epochs * len(self.batches),
        )
        self.start = start
        # Two states are kept, because the weights of the last state may be so large
        # that the statistics of batch normalisation are not finite. These are measured
        # later.
        self.good = deque([start] if start.n_iter > plan.first_epoch else [], maxlen=2)

    def train(
        self, on_epoch: StateFunction | None
    ) -> tuple[TrainingState | None, str | None]:
        """Return the last good state and the description of a divergence, or None."""
        problem = self._epochs(on_epoch)
        if problem is None:
            # Read from the network, because callbacks may change the weights at the
            # end.
            state = self._predicting(self.good[-1])
            if state.is_finite:
                return state, None
            problem = f"after epoch {state.n_iter}, weights are not finite"
        return self.last_good(), problem

    def last_good(self) -> TrainingState | None:
        """Set the network to the last good state, and return this state.

        The state has the statistics that predictions need.
        """
        for state in reversed(self.good):
            self.compiled.load_resumed(state.weights, state.optimizer_state)
            state = self._predicting(state)
            if state.is_finite:
                return state
        return None

    def _epochs(self, on_epoch: StateFunction | None) -> str | None:
        """Train all epochs, or until training diverges. Return the description."""
        state = self.start
        callbacks = self._callback_list()
        callbacks.on_train_begin()
        self._after_callbacks()
        try:
            for epoch in range(state.n_iter, self.plan.last_epoch):
                for observer in self.observers:
                    observer.begin()
                callbacks.on_epoch_begin(epoch)
                logs = self._train_epoch(epoch, callbacks)
                callbacks.on_epoch_end(epoch, dict(logs))
                self._after_callbacks()
                state = self._next_state(state, logs)
                if not all(isfinite(value) for value in logs.values()):
                    return f"after epoch {state.n_iter}, the history contains {logs}"
                if not state.is_finite:
                    return f"after epoch {state.n_iter}, weights are not finite"
                # All observers are called, even if one of them stops training.
                stops = [
                    observer.end(state, partial(self._predicting, state))
                    for observer in self.observers
                ]
                self.good.append(state)
                if any(stops) or self.compiled.network.stop_training:
                    break
                if on_epoch is not None and state.n_iter < self.plan.last_epoch:
                    on_epoch(state)
        finally:
            callbacks.on_train_end()
        # Some Keras callbacks restore earlier weights at the end of training.
        self._after_callbacks()
        return None

    def _callback_list(self) -> keras.callbacks.CallbackList:
        return keras.callbacks.CallbackList(
            _make_callbacks(self.plan),
            add_progbar=self.plan.verbose > 0,
            model=self.compiled.network,
            verbose=self.plan.verbose,
            epochs=self.plan.last_epoch,
            steps=len(self.batches),
        )

    def _train_epoch(self, epoch: int, callbacks: keras.callbacks.CallbackList) -> Logs:
        plan = self.plan
        n_before = epoch - plan.first_epoch
        rates = None
        if self.rates is not None:
            rates = self.rates[n_before * len(self.batches) :]
        logs = self.compiled.epoch(self.batches, plan.seed, epoch, callbacks, rates)
        validation = self.data.validation
        if plan.measures_statistics and (validation is not None or plan.callbacks):
            self.compiled.estimate_statistics(self.batches, plan.seed)
        if validation is not None:
            # Warn only in the first epoch.
            fitted_range = self.batches.value_range if n_before == 0 else None
            logits = predict_logits(
                self.spec,
                self.compiled.weights,
                validation.X,
                validation.rows,
                fitted_range=fitted_range,
                needs_pixels=plan.needs_pixels,
            )
            loss, accuracy = validation.loss_and_accuracy(logits)
            logs |= {"val_loss": loss, "val_accuracy": accuracy}
        return logs

    def _after_callbacks(self) -> None:
        """Check the network after callbacks, which may have changed its weights."""
        if self.plan.callbacks:
            self.compiled.check_unchanged()
            self.compiled.statistics_are_old = True

    def _predicting(self, state: TrainingState) -> TrainingState:
        """Return the state with the statistics that predictions need."""
        if self.plan.measures_statistics:
            self.compiled.estimate_statistics(self.batches, self.plan.seed)
        return replace(state, weights=self.compiled.weights)

    def _next_state(self, state: TrainingState, logs: Logs) -> TrainingState:
        # Each key has a value for each epoch, even if only some epochs were validated.
        unknown = [nan] * state.n_iter
        history = {
            key: [*state.history.get(key, unknown), logs.get(key, nan)]
            for key in (logs | state.history)
        }
        return replace(
            state,
            weights=self.compiled.weights,
            optimizer_state=self.compiled.optimizer_state,
            history=history,
            n_iter=state.n_iter + 1,
            value_range=_union(state.value_range, self.batches.value_range),
        )


def _union(first: ValueRange | None, second: ValueRange | None) -> ValueRange | None:
    if first is None or second is None:
        return first or second
    return min(first[0], second[0]), max(first[1], second[1])


def _make_callbacks(plan: TrainingPlan) -> list[keras.callbacks.Callback]:
    callbacks = make_callbacks(plan.callbacks)
    if plan.is_resumable:
        check_stateless(callbacks)
    schedulers = (
        keras.callbacks.LearningRateScheduler,
        keras.callbacks.ReduceLROnPlateau,
    )
    for callback in callbacks:
        if plan.learning_rate_schedule != "constant" and isinstance(
            callback, schedulers
        ):
            raise ValueError(
                f"The callback {type(callback).__name__} and learning_rate_schedule="
                f"{plan.learning_rate_schedule!r} would both set the learning "
                "rate. Remove the callback, or use learning_rate_schedule='constant'."
            )
    return callbacks
