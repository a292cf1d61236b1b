"""The classifier at the end of a pipeline, and the patches that reach it."""

from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skhisto._classifier.patch_cnn import PatchCNNClassifier
from skhisto._data.checks import check_fitted_patches
from skhisto.patches._definition import Patches


def classifier_of(estimator: Any) -> PatchCNNClassifier:
    """Return the fitted classifier, which may be the last step of a Pipeline.

    Raises
    ------
    TypeError
        If the estimator is neither a PatchCNNClassifier nor a Pipeline that ends in
        one.
    NotFittedError
        If the classifier is not fitted.
    """
    last = estimator
    while isinstance(last, Pipeline):
        last = last[-1]
    if not isinstance(last, PatchCNNClassifier):
        raise TypeError(
            "estimator must be a PatchCNNClassifier or a Pipeline that ends in one, "
            f"got {estimator!r}. For a search, pass its best_estimator_."
        )
    check_is_fitted(last, "weights_")
    return last


def seen_patches(estimator: Any, X: Any) -> Patches:
    """Return the patches that reach the classifier of an estimator."""
    classifier = classifier_of(estimator)
    while isinstance(estimator, Pipeline):
        if len(estimator) > 1:
            X = estimator[:-1].transform(X)
        estimator = estimator[-1]
    return check_fitted_patches(classifier, X)
