"""Train the network of a classifier and return the attributes of the fit."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator
from sklearn.callback import CallbackContext
from sklearn.exceptions import ConvergenceWarning

from skhisto._classifier.early_stopping import EarlyStopping
from skhisto._classifier.epoch_tasks import EpochTasks
from skhisto._classifier.network_size import warn_if_large
from skhisto._classifier.saved_fit import SavedFit
from skhisto._data.training_data import TrainingData
from skhisto.architectures._names import as_builder, needs_pixels
from skhisto.augmentation._augment import as_augmentation

if TYPE_CHECKING:
    from skhisto._keras.network import InitialNetwork, NetworkSpec
    from skhisto._keras.training_loop import Observer, TrainingPlan, TrainingState

# Batch sizes of "auto". The largest with at least this many steps in an epoch is used.
_BATCH_SIZES = (64, 32, 16)
_MIN_STEPS = 32
_MIN_BATCH_SIZE = 8


def fit_network(
    classifier: BaseEstimator,
    data: TrainingData,
    *,
    seed: int,
    is_continued: bool,
    is_partial: bool,
    keep: Callable[[dict[str, Any]], None],
    context: CallbackContext | None = None,
    saved: SavedFit | None = None,
) -> None:
    """Train the network of a classifier and pass on the attributes of the fit.

    Parameters
    ----------
    classifier : PatchCNNClassifier
        Provides the parameters. It is not changed.
    data : TrainingData
        The checked data.
    seed : int
        Determines all random numbers.
    is_continued : bool
        Whether to continue the previous fit of the classifier.
    is_partial : bool
        Whether this is `partial_fit`. It trains one epoch with a constant learning
        rate, and batch normalisation keeps its running statistics.
    keep : callable
        Receives the attributes of the fit. If a KeyboardInterrupt ends training after a
        complete epoch, it receives the attributes of the last good state, and the
        interrupt is raised again.
    context : sklearn.callback.CallbackContext, default=None
        The context of the fit. Each epoch is reported to its callbacks.
    saved : SavedFit, default=None
        The checkpoint of the fit.

    Warns
    -----
    ConvergenceWarning
        If training diverges after a complete epoch. The weights of that epoch are kept.
    """
    from skhisto._keras.runtime import check_runtime
    from skhisto._keras.training_loop import train

    check_runtime()
    initial = _initial_network(classifier, data, seed)
    if not is_continued:
        warn_if_large(initial.weights, data.patch_shape)
    start = _start(classifier, initial, is_continued)
    plan = _plan(classifier, data, seed, start.n_iter, is_partial, saved is not None)
    fixed = _fixed_attributes(initial.spec, data, plan)
    has_optimizer_state = is_partial or classifier.warm_start
    early_stopping = None
    if classifier.early_stopping:
        early_stopping = EarlyStopping(classifier.n_iter_no_change, classifier.tol)

    def attributes(state: "TrainingState") -> dict[str, Any]:
        return fixed | _attributes_of(state, has_optimizer_state)

    def keep_best(state: "TrainingState") -> None:
        if early_stopping is None:
            return keep(attributes(state))
        best = {"best_epoch_": early_stopping.best_epoch}
        return keep(attributes(early_stopping.restore_best(state)) | best)

    state = start
    if saved is not None:
        state = saved.resume(initial, start, early_stopping)
        if saved.is_finished:
            return keep_best(state)
    observers: list[Observer] = []
    if context is not None:
        callback_data = data.all_samples.callback_data
        n_done = state.n_iter - start.n_iter
        observers.append(
            EpochTasks(classifier, context, callback_data, attributes, n_done)
        )
    if early_stopping is not None:
        observers.append(early_stopping)
    state, problem = train(
        initial.spec,
        plan,
        data,
        state,
        observers,
        on_interrupt=keep_best,
        on_epoch=None if saved is None else partial(saved.save, early_stopping),
    )
    if saved is not None and problem is None:
        saved.finish(early_stopping, state)
    keep_best(state)
    if problem is not None:
        _warn_of_divergence(problem, state, early_stopping)


def _warn_of_divergence(
    problem: str, state: "TrainingState", early_stopping: EarlyStopping | None
) -> None:
    kept = f"epoch {state.n_iter}, the last one with finite loss and weights"
    if early_stopping is not None:
        kept = f"epoch {early_stopping.best_epoch}, the best epoch"
    warnings.warn(
        f"Training has diverged: {problem}. The classifier keeps the weights of "
        f"{kept}. Use a lower learning_rate, or scale X to the order of 1.",
        ConvergenceWarning,
        stacklevel=2,
    )


def fitted_spec(classifier: BaseEstimator) -> "NetworkSpec":
    """Return the description of the network of a fitted classifier.

    Raises
    ------
    ValueError
        If the network could not be stored and `architecture` builds another network.
    """
    from skhisto._keras.network import Ends, NetworkSpec
    from skhisto._keras.precision import resolve
    from skhisto._keras.runtime import check_runtime

    check_runtime()
    ends = Ends.of(
        classifier.patch_shape_, classifier.classes_, classifier.pixel_dtype_
    )
    precision = resolve(classifier.precision)
    if classifier.network_config_ is not None:
        return NetworkSpec(ends, precision, classifier.network_config_)
    spec = NetworkSpec(
        ends,
        precision,
        None,
        classifier.network_hash_,
        as_builder(classifier.architecture),
    )
    spec.check_builder()
    return spec


def _initial_network(
    classifier: BaseEstimator, data: TrainingData, seed: int
) -> "InitialNetwork":
    from skhisto._keras.network import Ends, initial_network
    from skhisto._keras.precision import resolve

    initial = initial_network(
        as_builder(classifier.architecture),
        Ends.of(data.patch_shape, data.classes, data.pixel_dtype),
        resolve(classifier.precision),
        seed,
    )
    if classifier.precision not in ("auto", initial.spec.precision):
        warnings.warn(
            f"precision={classifier.precision!r} has no effect, because all layers of "
            "the network compute in float32. Possible reasons: architecture loads a "
            "saved network, calls clear_session(), or sets the dtype of its layers.",
            stacklevel=2,
        )
    return initial


def _plan(
    classifier: BaseEstimator,
    data: TrainingData,
    seed: int,
    first_epoch: int,
    is_partial: bool,
    is_resumable: bool,
) -> "TrainingPlan":
    from skhisto._keras.training_loop import TrainingPlan

    schedule = "constant" if is_partial else classifier.learning_rate_schedule
    return TrainingPlan(
        first_epoch=first_epoch,
        n_epochs=1 if is_partial else classifier.epochs,
        batch_size=_batch_size(classifier.batch_size, len(data.samples)),
        optimizer=classifier.optimizer,
        learning_rate=classifier.learning_rate,
        learning_rate_schedule=schedule,
        optimizer_params=classifier.optimizer_params,
        augment=as_augmentation(classifier.augment, data.patch_shape, data.pixel_dtype),
        callbacks=classifier.callbacks,
        verbose=int(classifier.verbose),
        seed=seed,
        measures_statistics=not is_partial,
        is_resumable=is_resumable,
        needs_pixels=needs_pixels(classifier.architecture),
    )


def _batch_size(batch_size: int | str, n_samples: int) -> int:
    """Return the number of patches in a training step."""
    if not isinstance(batch_size, str):
        return int(batch_size)
    for size in _BATCH_SIZES:
        if n_samples >= _MIN_STEPS * size:
            return size
    return _MIN_BATCH_SIZE


def _fixed_attributes(
    spec: "NetworkSpec", data: TrainingData, plan: "TrainingPlan"
) -> dict[str, Any]:
    """Return the fitted attributes that are known before the first epoch."""
    height, width, n_channels = data.patch_shape
    attributes = {
        "classes_": data.classes,
        "patch_shape_": data.patch_shape,
        "pixel_dtype_": data.pixel_dtype,
        "n_features_in_": height * width * n_channels,
        "precision_": spec.precision,
        "batch_size_": plan.batch_size,
        "network_config_": spec.config,
        "network_hash_": spec.graph_hash,
        "needs_pixels_": plan.needs_pixels,
        "best_epoch_": None,
    }
    if data.feature_names is not None:
        attributes["feature_names_in_"] = data.feature_names
    return attributes


def _attributes_of(state: "TrainingState", has_optimizer_state: bool) -> dict[str, Any]:
    attributes = {
        "weights_": state.weights,
        "history_": state.history,
        "n_iter_": state.n_iter,
        "layers_": state.layers,
        "value_range_": state.value_range,
    }
    if has_optimizer_state:
        attributes["optimizer_state_"] = state.optimizer_state
    return attributes


def _start(
    classifier: BaseEstimator, initial: "InitialNetwork", is_continued: bool
) -> "TrainingState":
    """Return the state that training starts from."""
    from skhisto._keras.training_loop import TrainingState
    from skhisto._keras.weights import check_same_weights

    if not is_continued:
        return TrainingState(initial.weights, None, {}, 0, initial.layers)
    check_same_weights(initial.weights, classifier.weights_)
    return TrainingState(
        classifier.weights_,
        getattr(classifier, "optimizer_state_", None),
        classifier.history_,
        classifier.n_iter_,
        initial.layers,
        classifier.value_range_,
    )
