"""Training a network: epochs, validation, callbacks, the state that comes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite, nan
from typing import Any, Protocol

import keras

from skhisto._data.training_data import TrainingData
from skhisto._keras.batches import TrainingBatches
from skhisto._keras.compiled_network import CompiledNetwork, Logs, borrow_network
from skhisto._keras.compiling import Callbacks, make_callbacks
from skhisto._keras.inference import predict_logits
from skhisto._keras.network import NetworkSpec
from skhisto._keras.schedules import learning_rates
from skhisto._keras.weights import Layers, Weights
from skhisto._types import AugmentFunction, ValueRange

History = dict[str, list[float]]


@dataclass(frozen=True)
class TrainingState:
    """All that is known after an epoch, as plain data.

    Attributes
    ----------
    weights : dict of str to ndarray
    optimizer_state : dict of str to ndarray, or None
        None to start with a new optimizer.
    history : dict of str to list of float
        One value for each epoch.
    n_iter : int
        Number of epochs so far.
    layers : list of dict
        The layers of the network.
    value_range : tuple of float (minimum, maximum), or None
        Of the values seen in training; None if they are pixels of an integer dtype.
    """

    weights: Weights
    optimizer_state: Weights | None
    history: History
    n_iter: int
    layers: Layers
    value_range: ValueRange | None = None


@dataclass(frozen=True)
class TrainingPlan:
    """How to train.

    Parameters as in `PatchCNNClassifier`, with these differences:

    - `batch_size` is a number;
    - `augment` is a function or None;
    - `seed` determines all random numbers;
    - `measures_statistics` says whether the data are all that batch normalisation
      should take its statistics from. Otherwise it keeps its running statistics;
    - `needs_pixels` says whether numbers outside of [0, 1] are an error.
    """

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
    needs_pixels: bool


class Observer(Protocol):
    """An object that is told when an epoch begins and ends, and may stop training."""

    def begin(self) -> None:
        """Act on the start of an epoch."""

    def end(
        self, state: TrainingState, predicting: Callable[[], TrainingState]
    ) -> bool:
        """Act on the end of an epoch; return whether to stop.

        ``predicting()`` is the state with the statistics of batch normalisation that
        predictions need. Measuring them takes time.
        """


def train(
    spec: NetworkSpec,
    plan: TrainingPlan,
    data: TrainingData,
    state: TrainingState,
    observers: Sequence[Observer],
) -> TrainingState:
    """Train from a state on for some epochs and return the last state.

    Raises
    ------
    ValueError
        If training diverges, or if a callback changes the network.
    """
    with borrow_network(spec, plan.optimizer, plan.optimizer_params) as compiled:
        compiled.load(state.weights, state.optimizer_state, plan.learning_rate)
        run = _Run(spec, plan, data, compiled, observers)
        state, diverged = run.epochs(state)
    if diverged is not None:  # the network itself is fine and has gone back
        raise ValueError(
            f"Training has diverged: after epoch {state.n_iter + 1} the history has "
            f"{diverged}. Use a lower learning_rate, or scale X to the order of 1."
        )
    return state


class _Run:
    """One run of the training loop."""

    def __init__(
        self,
        spec: NetworkSpec,
        plan: TrainingPlan,
        data: TrainingData,
        compiled: CompiledNetwork,
        observers: Sequence[Observer],
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

    def epochs(self, state: TrainingState) -> tuple[TrainingState, Logs | None]:
        """Train; return the last state, and the logs of an epoch that diverged."""
        first = state.n_iter
        callbacks = self._callback_list(last_epoch=first + self.plan.n_epochs)
        callbacks.on_train_begin()
        self._after_callbacks()
        try:
            for epoch in range(first, first + self.plan.n_epochs):
                for observer in self.observers:
                    observer.begin()
                callbacks.on_epoch_begin(epoch)
                logs = self._train_epoch(epoch, epoch - first, callbacks)
                callbacks.on_epoch_end(epoch, dict(logs))
                self._after_callbacks()
                if not all(isfinite(value) for value in logs.values()):
                    return state, logs
                state = self._next_state(state, logs)
                # Every observer is told of the epoch, even if one of them stops.
                stops = [
                    observer.end(state, partial(self._predicting, state))
                    for observer in self.observers
                ]
                if any(stops) or self.compiled.network.stop_training:
                    break
        finally:
            callbacks.on_train_end()
        # Some callbacks of Keras restore earlier weights at the very end.
        self._after_callbacks()
        return self._predicting(state), None

    def _callback_list(self, last_epoch: int) -> keras.callbacks.CallbackList:
        return keras.callbacks.CallbackList(
            _make_callbacks(self.plan),
            add_progbar=self.plan.verbose > 0,
            model=self.compiled.network,
            verbose=self.plan.verbose,
            epochs=last_epoch,
            steps=len(self.batches),
        )

    def _train_epoch(
        self, epoch: int, n_before: int, callbacks: keras.callbacks.CallbackList
    ) -> Logs:
        plan = self.plan
        rates = None
        if self.rates is not None:
            rates = self.rates[n_before * len(self.batches) :]
        logs = self.compiled.epoch(self.batches, plan.seed, epoch, callbacks, rates)
        validation = self.data.validation
        if plan.measures_statistics and (validation is not None or plan.callbacks):
            self.compiled.estimate_statistics(self.batches, plan.seed)
        if validation is not None:
            # One warning is enough.
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
        """Account for what callbacks of Keras may have done to the network."""
        if self.plan.callbacks:
            self.compiled.check_unchanged()
            self.compiled.statistics_are_old = True  # weights may have changed

    def _predicting(self, state: TrainingState) -> TrainingState:
        """Return the state with the statistics that predictions need."""
        if self.plan.measures_statistics:
            self.compiled.estimate_statistics(self.batches, self.plan.seed)
        return replace(state, weights=self.compiled.weights)

    def _next_state(self, state: TrainingState, logs: Logs) -> TrainingState:
        # Every key has a value for every epoch, even if only some were validated.
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
                "rate. Leave the callback out, or use "
                "learning_rate_schedule='constant'."
            )
    return callbacks
