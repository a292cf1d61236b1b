"""Check all data that a user passes to `fit` or `partial_fit`."""

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
        Training rows with their final weights.
    validation : Samples or None
        Validation rows.
    all_samples : Samples
        All rows that the user passed, before class weights and the validation split.
    feature_names : ndarray of str, or None
        Names of the columns, if X is a data frame with string names.
    """

    samples: Samples
    validation: Samples | None
    all_samples: Samples
    feature_names: np.ndarray | None

    @property
    def classes(self) -> np.ndarray:
        """Labels of all classes, sorted."""
        return self.samples.classes

    @property
    def patch_shape(self) -> PatchShape:
        """Height and width in pixels, and the number of channels."""
        return self.samples.X.shape[1:]

    @property
    def pixel_dtype(self) -> str:
        """Dtype that the network receives, see `pixel_dtype_of`."""
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
        Provides the parameters and, if `is_continued` is True, the fitted attributes.
        It is not changed.
    validation : tuple (X_val, y_val, sample_weight_val)
    is_continued : bool
        Whether the fit continues a previous fit. The data must then match that fit.
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
            f"{type(classifier).__name__} needs samples of at least 2 classes, but "
            "only one class in y has a weight above zero: "
            f"{samples.y.tolist()[0]!r}."
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
    """Hold out rows for early stopping, unless the user passed validation patches.

    Parameters
    ----------
    classifier : PatchCNNClassifier
        Provides the parameters. It is not changed.
    data : TrainingData
        Result of `check_fit_data`.
    seed : int
        Determines the split.

    Returns
    -------
    data : TrainingData
        The weights of the training rows have a mean of one.
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

    This differs from `check_fit_data` in three ways:

    - y may contain a single class.
    - The scale of the weights is kept.
    - No rows are held out for validation.
    """
    if classifier.early_stopping:
        raise ValueError(
            "partial_fit does not support early_stopping=True, because the caller "
            "decides when to stop. Set early_stopping=False."
        )
    if classifier.class_weight == "balanced":
        raise ValueError(
            "partial_fit does not support class_weight='balanced', because it does not "
            "see all samples. Pass a dict of weights. Compute it with "
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
    """Return the patches, and an estimator with the feature names of X.

    scikit-learn's checks set the number and the names of the features on an estimator.
    In a first fit they set them on a copy, so that a failed fit does not change the
    classifier.
    """
    features = classifier if is_continued else copy(classifier)
    patch_shape = check_patch_shape(classifier.patch_shape)
    if is_continued:
        if patch_shape not in (None, classifier.patch_shape_):
            raise ValueError(
                f"patch_shape={patch_shape} differs from the shape "
                f"{classifier.patch_shape_} of the patches in the previous fit, which "
                "this fit continues."
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
            raise ValueError("sample_weight_val requires X_val and y_val.")
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
            f"classes must contain at least 2 labels; got {classes.tolist()}."
        )
    if known is not None and not np.array_equal(classes, known):
        raise ValueError(
            f"partial_fit received classes={classes}, but the classifier was fitted "
            f"with the classes {known}."
        )
    return classes
