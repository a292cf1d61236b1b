"""Hash of everything that determines the probabilities of an estimator."""

import hashlib
import pickle
from typing import Any

import joblib
import numpy as np
from sklearn.pipeline import Pipeline

from skhisto._classifier.patch_cnn import PatchCNNClassifier
from skhisto.embedding import PatchEmbedder
from skhisto.maps._windows import unwrapped

# Attributes of an embedder that do not change its features, or that its own fingerprint
# contains.
_IGNORED = {"backbone", "memory", "verbose"}


def fingerprint_of(estimator: Any) -> str:
    """Return a SHA-256 that identifies an estimator.

    It is the same in every process. It is an empty string if the estimator cannot be
    pickled.
    """
    try:
        return _hash(_contents(estimator))
    except (pickle.PicklingError, TypeError, AttributeError):
        return ""


def _contents(estimator: Any) -> Any:
    """Return the parts of an estimator that are hashed."""
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
    # joblib hashes arrays by value, but only provides MD5 and SHA-1.
    return hashlib.sha256(joblib.hash(contents, "sha1").encode()).hexdigest()
