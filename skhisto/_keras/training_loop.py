"""Training a network: epochs, validation, callbacks, the state that comes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite, nan
from typing import TYPE_CHECKING, Any, Protocol

import keras

from skhisto._data.samples import Samples
from skhisto._keras.batches import TrainingBatches
from skhisto._keras.compiled_network import Logs, TrainableNetwork, borrow_network
from skhisto._keras.compiling import Callbacks, make_callbacks
from skhisto._keras.inference import predict_logits
from skhisto._keras.network import (
    Layers,
    NetworkSpec,
    Weights,
    build,
    by_name,
    describe_layers,
)
from skhisto._keras.schedules import learning_rates

if TYPE_CHECKING:
    from skhisto.augmentation._augment import AugmentFunction

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
        A value for each epoch.
    n_iter : int
        Epochs since the first one.
    layers : list of dict
        What the network is made of.
    """

    weights: Weights
    optimizer_state: Weights | None
    history: History
    n_iter: int
    layers: Layers


@dataclass(frozen=True)
class Settings:
    """How to train. Parameters as in `PatchCNNClassifier`.

    But for `augment`, which is what becomes of it: a function, or None.
    """

    batch_size: int
    optimizer: str
    learning_rate: float
    learning_rate_schedule: str
    optimizer_params: Mapping[str, Any] | None
    augment: "AugmentFunction | None"
    callbacks: Callbacks | None
    verbose: int


class Observer(Protocol):
    """Somebody who wants to know when an epoch begins and ends, and may stop."""

    def begin(self) -> None:
        """Hear that an epoch begins."""

    def end(
        self, state: TrainingState, predicting: Callable[[], TrainingState]
    ) -> bool:
        """Hear that an epoch has ended; return whether to stop.

        ``predicting()`` is the state with the statistics of batch normalisation that
        predictions need, which take time to measure.
        """


def initial_state(spec: NetworkSpec, seed: int) -> TrainingState:
    """Return the state of a network that has not seen a patch."""
    network = build(replace(spec, precision="float32"), seed)
    return TrainingState(
        by_name(network.weights), None, {}, 0, describe_layers(network)
    )


def train(
    spec: NetworkSpec,
    settings: Settings,
    state: TrainingState,
    samples: Samples,
    *,
    validation: Samples | None,
    n_epochs: int,
    seed: int,
    observers: Sequence[Observer],
    measure_statistics: bool,
) -> TrainingState:
    """Go on from a state for some epochs and return the last state.

    `measure_statistics` says whether `samples` are all that batch normalisation should
    have its statistics from; otherwise those that run along in training are kept.
    """
    batches = TrainingBatches(
        samples,
        batch_size=settings.batch_size,
        pixel_dtype=spec.pixel_dtype,
        augment=settings.augment,
    )
    rates = learning_rates(
        settings.learning_rate_schedule,
        settings.learning_rate,
        n_epochs * len(batches),
    )
    first_epoch = state.n_iter
    with borrow_network(
        spec, settings.optimizer, settings.optimizer_params
    ) as trainable:
        trainable.load(state.weights, state.optimizer_state, settings.learning_rate)
        callbacks = keras.callbacks.CallbackList(
            _make_callbacks(settings),
            add_progbar=settings.verbose > 0,
            model=trainable.network,
            verbose=settings.verbose,
            epochs=first_epoch + n_epochs,
            steps=len(batches),
        )
        callbacks_look = bool(settings.callbacks)

        def predicting(state: TrainingState) -> TrainingState:
            if measure_statistics:
                trainable.estimate_statistics(batches, seed)
            return replace(state, weights=trainable.weights)

        callbacks.on_train_begin()
        try:
            for epoch in range(first_epoch, first_epoch + n_epochs):
                for observer in observers:
                    observer.begin()
                callbacks.on_epoch_begin(epoch)
                n_done = (epoch - first_epoch) * len(batches)
                logs = trainable.epoch(
                    batches,
                    seed,
                    epoch,
                    callbacks,
                    None if rates is None else rates[n_done:],
                )
                if measure_statistics and (validation is not None or callbacks_look):
                    trainable.estimate_statistics(batches, seed)
                if validation is not None:
                    logs |= _evaluate(spec, trainable.weights, validation)
                callbacks.on_epoch_end(epoch, dict(logs))
                # Only now: callbacks may have changed the weights.
                trainable.statistics_are_old |= callbacks_look
                state = _next_state(state, trainable, logs)
                # All hear of the epoch, also where one of them wants to stop.
                stops = [
                    observer.end(state, partial(predicting, state))
                    for observer in observers
                ]
                if any(stops) or trainable.network.stop_training:
                    break
        finally:
            callbacks.on_train_end()
        # Some callbacks of Keras restore former weights at the very end.
        trainable.statistics_are_old |= callbacks_look
        return predicting(state)


def _make_callbacks(settings: Settings) -> list[keras.callbacks.Callback]:
    callbacks = make_callbacks(settings.callbacks)
    schedulers = (
        keras.callbacks.LearningRateScheduler,
        keras.callbacks.ReduceLROnPlateau,
    )
    for callback in callbacks:
        if settings.learning_rate_schedule != "constant" and isinstance(
            callback, schedulers
        ):
            raise ValueError(
                f"The callback {type(callback).__name__} and learning_rate_schedule="
                f"{settings.learning_rate_schedule!r} would both set the learning "
                "rate. Leave the callback out, or use "
                "learning_rate_schedule='constant'."
            )
    return callbacks


def _evaluate(spec: NetworkSpec, weights: Weights, validation: Samples) -> Logs:
    logits = predict_logits(spec, weights, validation.X, validation.rows)
    loss, accuracy = validation.loss_and_accuracy(logits)
    return {"val_loss": loss, "val_accuracy": accuracy}


def _next_state(
    state: TrainingState, trainable: TrainableNetwork, logs: Logs
) -> TrainingState:
    if not all(isfinite(value) for value in logs.values()):
        raise ValueError(
            f"Training has diverged: after epoch {state.n_iter + 1} the history has "
            f"{logs}. Use a lower learning_rate, or scale X to the order of 1."
        )
    # Every key has a value for every epoch, also where only some were validated.
    unknown = [nan] * state.n_iter
    history = {
        key: [*state.history.get(key, unknown), logs.get(key, nan)]
        for key in (logs | state.history)
    }
    return replace(
        state,
        weights=trainable.weights,
        optimizer_state=trainable.optimizer_state,
        history=history,
        n_iter=state.n_iter + 1,
    )
