"""A hash of all that the probabilities of an estimator depend on."""

import hashlib
import pickle
from typing import Any

import joblib
import numpy as np
from sklearn.pipeline import Pipeline

from skhisto._classifier.patch_cnn import PatchCNNClassifier
from skhisto.embedding import PatchEmbedder
from skhisto.maps._windows import unwrapped

# Of an embedder, what its features do not depend on, or the fingerprint contains.
_IGNORED = {"backbone", "memory", "verbose"}


def fingerprint_of(estimator: Any) -> str:
    """Return a SHA-256 for an estimator.

    It is the same in every process. An empty string means that the estimator cannot be
    pickled, and therefore has no fingerprint.
    """
    try:
        return _hash(_contents(estimator))
    except (pickle.PicklingError, TypeError, AttributeError):
        return ""


def _contents(estimator: Any) -> Any:
    """Return what to hash of an estimator."""
    estimator = unwrapped(estimator)
    if isinstance(estimator, Pipeline):
        return [_contents(step) for _, step in estimator.steps]
    if isinstance(estimator, PatchCNNClassifier):
        return _of_classifier(estimator)
    if isinstance(estimator, PatchEmbedder) and estimator.fingerprint_ is not None:
        params = estimator.get_params(deep=False)
        used = {name: params[name] for name in sorted(set(params) - _IGNORED)}
        return [estimator.fingerprint_, estimator.patch_shape_, used]
    return estimator


def _of_classifier(classifier: PatchCNNClassifier) -> list[Any]:
    from skhisto._keras.precision import resolve

    return [
        classifier.network_config_ or classifier.network_hash_,
        resolve(classifier.precision),
        classifier.engine,
        classifier.tta,
        classifier.patch_shape_,
        classifier.pixel_dtype_,
        np.asarray(classifier.classes_).tolist(),
        list(classifier.weights_.values()),
    ]


def _hash(contents: Any) -> str:
    # joblib hashes arrays by their values, and gives MD5 or SHA-1.
    return hashlib.sha256(joblib.hash(contents, "sha1").encode()).hexdigest()
