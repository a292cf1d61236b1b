"""Create optimizers, callbacks and compiled networks from names and dicts.

This is the only module that uses scikeras. It passes ``random_state=None``, because a
seed would make scikeras enable determinism for the whole process.
"""

import copy
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras


def _import_scikeras() -> type:
    """Import scikeras, and remove the methods that it adds to classes of Keras.

    The methods are kept if the user has imported scikeras before.
    """
    by_user = "scikeras" in sys.modules
    from scikeras.wrappers import KerasClassifier

    if not by_user:
        for patched in (
            keras.Model,
            keras.losses.Loss,
            keras.metrics.Metric,
            keras.optimizers.Optimizer,
        ):
            for name in ("__reduce__", "__deepcopy__"):
                if name in vars(patched):
                    delattr(patched, name)
    return KerasClassifier


KerasClassifier = _import_scikeras()

# New instances of these callbacks continue in the same way as the old instances.
_STATELESS = (
    keras.callbacks.CSVLogger,
    keras.callbacks.LambdaCallback,
    keras.callbacks.LearningRateScheduler,
    keras.callbacks.TerminateOnNaN,
)
# Parameters that replace a callback and are stored in checkpoints.
_INSTEAD = {"EarlyStopping": "early_stopping=True", "ModelCheckpoint": "checkpoint"}

Callbacks = Mapping[str, Mapping[str, Any]] | Sequence[str | keras.callbacks.Callback]


def compile_network(
    network: keras.Model, optimizer: str, optimizer_params: Mapping[str, Any] | None
) -> None:
    """Compile a network with logits in place."""
    loss, accuracy = _loss_and_accuracy(network.output_shape[-1])

    def compile_(compile_kwargs: dict[str, Any]) -> keras.Model:
        # Weighted, so that padding rows are ignored.
        network.compile(**compile_kwargs, weighted_metrics=[accuracy])
        return network

    _check_optimizer(optimizer, optimizer_params)
    _assemble(
        compile_,
        loss=loss,
        loss__from_logits=True,
        optimizer=optimizer,
        **{f"optimizer__{k}": v for k, v in (optimizer_params or {}).items()},
    )


def make_callbacks(callbacks: Callbacks | None) -> list[keras.callbacks.Callback]:
    """Return new callbacks for one fit, given names, parameters or instances."""
    entries = (
        list(callbacks.items())
        if isinstance(callbacks, Mapping)
        else [(entry, {}) for entry in callbacks or ()]
    )
    items: list[Any] = []
    params: dict[str, Any] = {}
    for position, (entry, entry_params) in enumerate(entries):
        if isinstance(entry, str):
            items.append(_callback_class(entry))
            for name, value in (entry_params or {}).items():
                params[f"callbacks__{position}__{name}"] = value
        elif isinstance(entry, keras.callbacks.Callback):
            items.append(copy.deepcopy(entry))
        else:
            raise TypeError(
                "callbacks must contain names of Keras callbacks or instances of "
                f"keras.callbacks.Callback; got {entry!r}."
            )
    if not items:
        return []
    wrapper = _assemble(lambda: keras.Sequential(), callbacks=items, **params)
    # scikeras passes its callbacks only to Model.fit, which is not used here.
    return list(wrapper._fit_callbacks)


def check_stateless(callbacks: Sequence[keras.callbacks.Callback]) -> None:
    """Check that callbacks do not have a state that a checkpoint would lose.

    Raises
    ------
    ValueError
        - If the class of a callback is not known to be stateless.
        - If a CSVLogger would overwrite the epochs before an interruption.
    """
    for callback in callbacks:
        name = type(callback).__name__
        if type(callback) not in _STATELESS:
            instead = _INSTEAD.get(name)
            raise ValueError(
                f"checkpoint does not store the state of the callback {name}, so a "
                "resumed fit would differ. With a checkpoint, the allowed callbacks "
                f"are {', '.join(c.__name__ for c in _STATELESS)}. Remove {name}"
                + (f" and use {instead} of the classifier." if instead else ".")
            )
        if isinstance(callback, keras.callbacks.CSVLogger) and not callback.append:
            raise ValueError(
                "With a checkpoint, the callback CSVLogger needs append=True. "
                "Otherwise a resumed fit overwrites the epochs before the interruption."
            )


def _assemble(model: Callable[..., keras.Model], **params: Any) -> Any:
    """Let scikeras build its components from the smallest data that it accepts."""
    wrapper = KerasClassifier(model, random_state=None, **params)
    return wrapper.initialize([[0.0], [1.0]], [0, 1])


def _loss_and_accuracy(n_outputs: int) -> tuple[type, keras.metrics.Metric]:
    if n_outputs == 1:
        accuracy = keras.metrics.BinaryAccuracy(threshold=0.0, name="accuracy")
        return keras.losses.BinaryCrossentropy, accuracy
    accuracy = keras.metrics.SparseCategoricalAccuracy(name="accuracy")
    return keras.losses.SparseCategoricalCrossentropy, accuracy


def _check_optimizer(optimizer: str, params: Mapping[str, Any] | None) -> None:
    try:
        optimizer_class = type(keras.optimizers.get(optimizer))
    except ValueError as error:
        raise ValueError(
            f"optimizer={optimizer!r} is not the name of a Keras optimizer, such as "
            "'adam', 'sgd', 'rmsprop' or 'adamw'."
        ) from error
    if (params or {}).get("use_ema"):
        raise ValueError(
            "optimizer_params must not contain use_ema, because averages of the "
            "weights are not supported."
        )
    if "learning_rate" in (params or {}):
        raise ValueError(
            "optimizer_params must not contain learning_rate. Set the parameter "
            "learning_rate of the classifier."
        )
    try:
        optimizer_class(**(params or {}))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"optimizer_params={dict(params or {})} are invalid for the optimizer "
            f"{optimizer!r}: {error}"
        ) from error


def _callback_class(name: str) -> type:
    callback = getattr(keras.callbacks, name, None)
    base = keras.callbacks.Callback
    if not (isinstance(callback, type) and issubclass(callback, base)):
        raise ValueError(
            f"callbacks contains {name!r}, which is not the name of a Keras callback, "
            "such as 'ReduceLROnPlateau', 'CSVLogger' or 'TerminateOnNaN'."
        )
    return callback
