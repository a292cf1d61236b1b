"""From a classifier and checked samples to the attributes of a fit."""

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.callback import CallbackContext

from skhisto._classifier.early_stopping import EarlyStopping
from skhisto._classifier.epoch_tasks import EpochTasks
from skhisto._data.checks import PatchShape, check_filters, pixel_dtype_of
from skhisto._data.samples import Samples
from skhisto.augmentation._augment import as_augmentation

if TYPE_CHECKING:
    from skhisto._keras import training
    from skhisto._keras.network import Builder, NetworkSpec


def train(
    classifier: BaseEstimator,
    samples: Samples,
    validation: Samples | None,
    *,
    checked: BaseEstimator,
    n_epochs: int,
    seed: int,
    go_on: bool,
    context: CallbackContext | None,
    is_all: bool,
) -> dict[str, Any]:
    """Train the network of a classifier and return the attributes of the fit.

    Parameters
    ----------
    classifier : PatchCNNClassifier
        Is not changed.
    samples, validation : Samples
    checked : estimator
        Has `n_features_in_` and maybe `feature_names_in_` for the samples.
    n_epochs : int
    seed : int
    go_on : bool
        Whether to go on from the classifier's former fit.
    context : sklearn.callback.CallbackContext or None
        The context of the fit, to whose callbacks each epoch is told.
    is_all : bool
        Whether these samples and epochs are all: then the learning rate follows its
        schedule, and statistics of batch norm are measured.
    """
    from skhisto._keras import training

    classes, patch_shape = samples.classes, samples.X.shape[1:]
    pixel_dtype = pixel_dtype_of(samples.X)
    spec = network_spec(classifier, classes, patch_shape, pixel_dtype)
    settings = training.Settings(
        batch_size=_batch_size(classifier.batch_size, len(samples)),
        optimizer=classifier.optimizer,
        learning_rate=classifier.learning_rate,
        learning_rate_schedule=(
            classifier.learning_rate_schedule if is_all else "constant"
        ),
        optimizer_params=classifier.optimizer_params,
        augment=as_augmentation(classifier.augment, patch_shape, pixel_dtype),
        callbacks=classifier.callbacks,
        verbose=int(classifier.verbose),
    )
    data = {
        "classes_": classes,
        "patch_shape_": patch_shape,
        "pixel_dtype_": pixel_dtype,
        "precision_": spec.precision,
        "best_epoch_": None,
    }
    for name in ("n_features_in_", "feature_names_in_"):
        if hasattr(checked, name):
            data[name] = getattr(checked, name)

    def attributes(state: "training.TrainingState") -> dict[str, Any]:
        return data | {
            "weights_": state.weights,
            "optimizer_state_": state.optimizer_state,
            "history_": state.history,
            "n_iter_": state.n_iter,
            "layers_": state.layers,
        }

    observers: list[training.Observer] = []
    if context is not None:
        observers.append(
            EpochTasks(classifier, context, samples.callback_data, attributes)
        )
    early_stopping = None
    if classifier.early_stopping:
        early_stopping = EarlyStopping(classifier.n_iter_no_change, classifier.tol)
        observers.append(early_stopping)
    state = training.train(
        spec,
        settings,
        _former_state(classifier) if go_on else training.initial_state(spec, seed),
        samples,
        validation=validation,
        n_epochs=n_epochs,
        seed=seed,
        observers=observers,
        measure_statistics=is_all,
    )
    if early_stopping is not None:
        data["best_epoch_"] = early_stopping.best_epoch
        state = early_stopping.restore_best(state)
    return attributes(state)


def fitted_spec(classifier: BaseEstimator) -> "NetworkSpec":
    """Describe the network that a fitted classifier has its weights for."""
    return network_spec(
        classifier,
        classifier.classes_,
        classifier.patch_shape_,
        classifier.pixel_dtype_,
    )


def network_spec(
    classifier: BaseEstimator,
    classes: np.ndarray,
    patch_shape: PatchShape,
    pixel_dtype: str,
) -> "NetworkSpec":
    """Describe the network for such patches and classes."""
    from skhisto._keras.network import NetworkSpec
    from skhisto._keras.precision import resolve

    n_outputs = 1 if len(classes) == 2 else len(classes)
    return NetworkSpec(
        classifier.model or _builder(classifier),
        patch_shape,
        n_outputs,
        pixel_dtype,
        resolve(classifier.precision),
    )


def _builder(classifier: BaseEstimator) -> "Builder":
    """Return the function that builds the network which `architecture` names."""
    from skhisto._keras.architectures import compact_network, reference_network

    # Keras does not take NumPy's numbers, which searches try.
    momentum = float(classifier.batch_norm_momentum)
    if classifier.architecture == "compact":
        return partial(compact_network, batch_norm_momentum=momentum)
    return partial(
        reference_network,
        filters=check_filters(classifier.filters),
        kernel_size=int(classifier.kernel_size),
        dense_units=int(classifier.dense_units),
        conv_dropout=float(classifier.conv_dropout),
        dense_dropout=float(classifier.dense_dropout),
        padding=classifier.padding,
        batch_norm_momentum=momentum,
    )


def _batch_size(batch_size: int | str, n_samples: int) -> int:
    """Return the patches of a step; "auto" tries to make 32 steps an epoch."""
    if not isinstance(batch_size, str):
        return int(batch_size)
    for size in (64, 32, 16):
        if n_samples >= 32 * size:
            return size
    return 8


def _former_state(classifier: BaseEstimator) -> "training.TrainingState":
    from skhisto._keras.training_loop import TrainingState

    return TrainingState(
        classifier.weights_,
        getattr(classifier, "optimizer_state_", None),
        classifier.history_,
        classifier.n_iter_,
        classifier.layers_,
    )
