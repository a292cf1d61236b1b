"""The data of a fit: one call that checks everything a user passes to it."""

from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.multiclass import unique_labels

from skhisto._data.checks import (
    check_patch_shape,
    check_patches,
    pixel_dtype_of,
    plain_strings,
)
from skhisto._data.samples import Samples
from skhisto._data.validation_split import validation_split
from skhisto._types import PatchShape
from skhisto.patches._definition import Patches
from skhisto.patches._patch_array import PatchArray
from skhisto.patches._views import check_square


@dataclass(frozen=True)
class TrainingData:
    """Checked data of one fit.

    Attributes
    ----------
    samples : Samples
        The rows to train on, with their final weights.
    validation : Samples or None
        The rows to validate with.
    all_samples : Samples
        All rows that were passed, before class weights and the validation split.
    feature_names : ndarray of str, or None
        Names of the columns, if X was a data frame with string names.
    """

    samples: Samples
    validation: Samples | None
    all_samples: Samples
    feature_names: np.ndarray | None

    @property
    def classes(self) -> np.ndarray:
        """All labels, sorted."""
        return self.samples.classes

    @property
    def patch_shape(self) -> PatchShape:
        """Height and width in pixels, and the number of channels."""
        return self.samples.X.shape[1:]

    @property
    def pixel_dtype(self) -> str:
        """How the numbers are taken, see `pixel_dtype_of`."""
        return pixel_dtype_of(self.samples.X)


def check_fit_data(
    classifier: BaseEstimator,
    X: Any,
    y: Any,
    *,
    sample_weight: Any,
    groups: Any,
    validation: tuple[Any, Any, Any],
    is_continued: bool,
) -> TrainingData:
    """Check all data of `PatchCNNClassifier.fit`, before `with_validation`.

    Parameters
    ----------
    classifier : PatchCNNClassifier
        Its parameters and, if `is_continued`, its fitted attributes are read. It is not
        changed.
    validation : tuple (X_val, y_val, sample_weight_val)
    is_continued : bool
        Whether the fit continues from a previous one, so that the data must match it.
    """
    patches, features = _check_patches_of(classifier, X, is_continued)
    if groups is None and isinstance(patches, PatchArray):
        groups = patches.groups
    all_samples = Samples.from_arrays(
        patches,
        y,
        classes=classifier.classes_ if is_continued else None,
        sample_weight=sample_weight,
        groups=groups,
    )
    class_weight = all_samples.class_weight(classifier.class_weight)
    samples = all_samples.weighted(class_weight)
    if len(np.unique(samples.target)) < 2:
        raise ValueError(
            f"{type(classifier).__name__} needs samples of at least 2 classes, but y "
            f"holds only one class with a weight above zero: {samples.y.tolist()[0]!r}."
        )
    held_out = _check_validation(features, *validation, samples)
    if held_out is not None:
        held_out = held_out.weighted(class_weight)
    return TrainingData(
        samples, held_out, all_samples, getattr(features, "feature_names_in_", None)
    )


def with_validation(
    classifier: BaseEstimator, data: TrainingData, seed: int
) -> TrainingData:
    """Set rows aside for early stopping, unless validation patches were passed.

    Parameters
    ----------
    classifier : PatchCNNClassifier
        It is not changed.
    data : TrainingData
        From `check_fit_data`.
    seed : int
        Determines the split.

    Returns
    -------
    data : TrainingData
        The training rows have a mean weight of one.
    """
    samples, held_out = data.samples, data.validation
    if classifier.early_stopping and held_out is None:
        rows, validation_rows = validation_split(
            samples.target, samples.groups, classifier.validation_fraction, seed
        )
        samples, held_out = samples[rows], samples[validation_rows]
    return replace(data, samples=samples.with_mean_weight_one(), validation=held_out)


def check_partial_fit_data(
    classifier: BaseEstimator,
    X: Any,
    y: Any,
    *,
    classes: Any,
    sample_weight: Any,
    is_continued: bool,
) -> TrainingData:
    """Check all data of `PatchCNNClassifier.partial_fit`.

    Unlike in `fit`, one class is enough, the scale of the weights is kept, and there
    are no validation rows.
    """
    if classifier.early_stopping:
        raise ValueError(
            "partial_fit does not support early_stopping=True: the caller decides when "
            "to stop."
        )
    if classifier.class_weight == "balanced":
        raise ValueError(
            "partial_fit does not support class_weight='balanced', because it does not "
            "see all samples. Give a dict of weights, made with "
            "sklearn.utils.class_weight.compute_class_weight."
        )
    patches, features = _check_patches_of(classifier, X, is_continued)
    all_samples = Samples.from_arrays(
        patches,
        y,
        classes=_check_classes(classes, getattr(classifier, "classes_", None)),
        sample_weight=sample_weight,
    )
    class_weight = all_samples.class_weight(classifier.class_weight)
    samples = all_samples.weighted(class_weight)
    return TrainingData(
        samples, None, all_samples, getattr(features, "feature_names_in_", None)
    )


def _check_patches_of(
    classifier: BaseEstimator, X: Any, is_continued: bool
) -> tuple[Patches, BaseEstimator]:
    """Return the patches, and an estimator that holds the features of X.

    scikit-learn's checks record the number and names of features on an estimator. Here
    it is a copy, because a failed fit must not change the classifier.
    """
    features = classifier if is_continued else copy(classifier)
    patch_shape = check_patch_shape(classifier.patch_shape)
    if is_continued:
        if patch_shape not in (None, classifier.patch_shape_):
            raise ValueError(
                f"patch_shape={patch_shape} differs from the patches of the previous "
                f"fit, {classifier.patch_shape_}, from which this fit continues."
            )
        patch_shape = classifier.patch_shape_
    patches = check_patches(
        features,
        X,
        patch_shape=patch_shape,
        pixel_dtype=classifier.pixel_dtype_ if is_continued else None,
        reset=not is_continued,
    )
    if classifier.tta is not None:
        check_square(patches.shape[1:], f"tta={classifier.tta!r}")
    return patches, features


def _check_validation(
    features: BaseEstimator,
    X_val: Any,
    y_val: Any,
    sample_weight_val: Any,
    samples: Samples,
) -> Samples | None:
    if X_val is None and y_val is None:
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val needs X_val and y_val.")
        return None
    if X_val is None or y_val is None:
        raise ValueError("X_val and y_val must be given together.")
    try:
        patches = check_patches(
            features,
            X_val,
            patch_shape=samples.X.shape[1:],
            pixel_dtype=pixel_dtype_of(samples.X),
            reset=False,
        )
        return Samples.from_arrays(
            patches, y_val, classes=samples.classes, sample_weight=sample_weight_val
        )
    except ValueError as error:
        raise ValueError(f"In X_val, y_val or sample_weight_val: {error}") from error


def _check_classes(classes: Any, known: np.ndarray | None) -> np.ndarray:
    if classes is None:
        if known is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return known
    classes = unique_labels(plain_strings(classes))
    if len(classes) < 2:
        raise ValueError(
            f"classes must hold at least 2 classes, but got {classes.tolist()}."
        )
    if known is not None and not np.array_equal(classes, known):
        raise ValueError(
            f"partial_fit got classes={classes}, but the classifier is fitted on the "
            f"classes {known}."
        )
    return classes
