"""Conversion of the parameter `backbone` to a backbone object."""

import os
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator

from skhisto._classifier.fitting import fitted_spec
from skhisto._classifier.patch_cnn import PatchCNNClassifier
from skhisto.architectures import Architecture
from skhisto.architectures._names import ARCHITECTURES
from skhisto.embedding._backbones import (
    Backbone,
    FunctionBackbone,
    NamedBackbone,
    NetworkBackbone,
    NormalisedBackbone,
)

if TYPE_CHECKING:
    from skhisto._keras.features import FeatureExtractor

PatchShape = tuple[int, int, int]


def classifier_of(backbone: Any) -> PatchCNNClassifier | None:
    """Return the classifier of a backbone, which may be inside a FrozenEstimator."""
    if isinstance(backbone, FrozenEstimator):
        backbone = backbone.estimator
    return backbone if isinstance(backbone, PatchCNNClassifier) else None


def resolve(
    embedder: BaseEstimator,
    patch_shape: PatchShape,
    pixel_dtype: str,
    example: Callable[[], np.ndarray],
) -> Backbone:
    """Return the backbone object of an embedder.

    Parameters
    ----------
    embedder : PatchEmbedder
    patch_shape : tuple of int (height, width, channels)
        Shape of the input patches of the backbone, after resizing.
    pixel_dtype : {"uint8", "uint16", "float32"}
        Dtype of the input patches.
    example : callable
        Returns one input patch, of shape (1, *patch_shape).
    """
    backbone = embedder.backbone
    if _is_path(backbone):
        return _from_file(embedder, patch_shape, pixel_dtype)
    for name in ("mean", "std", "layout"):
        if getattr(embedder, name) is not None:
            raise ValueError(
                f"{name} can only be used if the backbone is an ONNX or Keras file. "
                f"Other backbones scale pixels themselves. Set {name}=None."
            )
    classifier = classifier_of(backbone)
    if classifier is not None:
        return _from_classifier(embedder, classifier, patch_shape, pixel_dtype)
    settings = (
        patch_shape,
        pixel_dtype,
        embedder.precision,
        embedder.pooling,
        embedder.engine or "keras",
    )
    if isinstance(backbone, str):
        _check_name(backbone)
        return NamedBackbone(backbone, partial(_named_extractor, backbone, *settings))
    if isinstance(backbone, Architecture):
        extractor = _extractor(backbone, *settings)
        return NetworkBackbone(extractor, is_pretrained_on_pixels=True)
    if isinstance(backbone, type) or not callable(backbone):
        raise TypeError(
            "backbone must be a name, an architecture with weights, a fitted "
            "PatchCNNClassifier, the path of an ONNX or Keras file, or a function that "
            f"returns an array, got {backbone!r}."
        )
    _check_float32(embedder, "a function")
    if embedder.engine is not None:
        raise ValueError(
            f"engine={embedder.engine!r} has no effect if the backbone is a function. "
            "Set engine=None."
        )
    return FunctionBackbone(backbone, example())


def _is_path(backbone: Any) -> bool:
    is_file = isinstance(backbone, str) and backbone.endswith((".onnx", ".keras"))
    return is_file or isinstance(backbone, os.PathLike)


def _check_name(name: str) -> None:
    if name not in ARCHITECTURES:
        raise ValueError(
            f"Unknown backbone {name!r}. Available names: "
            f"{', '.join(map(repr, ARCHITECTURES))}. Paths of files must end with "
            "'.onnx' or '.keras'."
        )


def _check_float32(embedder: BaseEstimator, what: str) -> None:
    if embedder.precision != "float32":
        raise ValueError(
            f"precision={embedder.precision!r} has no effect if the backbone is "
            f"{what}, because it determines its own precision. Set "
            "precision='float32'."
        )


def _named_extractor(name: str, *settings: Any) -> "FeatureExtractor":
    return _extractor(ARCHITECTURES[name](), *settings)


def _extractor(architecture: Architecture, *settings: Any) -> "FeatureExtractor":
    # The weights of installed packages do not change while Python runs.
    if getattr(architecture, "weights", None) == "imagenet":
        return _installed_extractor(_Key(architecture), *settings)
    return _pretrained_extractor(architecture, *settings)


class _Key:
    """A hashable copy of an architecture."""

    def __init__(self, architecture: Architecture) -> None:
        self.architecture = clone(architecture)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.architecture == other.architecture

    def __hash__(self) -> int:
        return hash(type(self.architecture))


# Cached, because searches fit the same embedder many times.
@lru_cache(maxsize=2)
def _installed_extractor(key: _Key, *settings: Any) -> "FeatureExtractor":
    return _pretrained_extractor(key.architecture, *settings)


def _pretrained_extractor(
    architecture: Architecture,
    patch_shape: PatchShape,
    pixel_dtype: str,
    precision: str,
    pooling: str,
    engine: str,
) -> "FeatureExtractor":
    from skhisto._keras.features import pretrained_extractor
    from skhisto._keras.network import Ends
    from skhisto._keras.precision import resolve
    from skhisto._keras.runtime import check_runtime

    check_runtime()
    ends = Ends(patch_shape, 1, pixel_dtype)
    return pretrained_extractor(architecture, ends, resolve(precision), pooling, engine)


def _from_classifier(
    embedder: BaseEstimator,
    classifier: PatchCNNClassifier,
    patch_shape: PatchShape,
    pixel_dtype: str,
) -> Backbone:
    if not hasattr(classifier, "weights_"):
        raise NotFittedError(
            "The classifier used as backbone is not fitted. Fit it first. If it was "
            "fitted, it has been cloned. In that case, pass "
            "sklearn.frozen.FrozenEstimator(classifier)."
        )
    fitted = (classifier.patch_shape_, classifier.pixel_dtype_)
    if (patch_shape, pixel_dtype) != fitted:
        raise ValueError(
            f"The classifier used as backbone was fitted on patches of shape "
            f"{fitted[0]} and dtype {fitted[1]}, but it would receive patches of shape "
            f"{patch_shape} and dtype {pixel_dtype}. Resize them with the parameter "
            "size, or convert them."
        )
    from skhisto._keras.features import FeatureExtractor
    from skhisto._keras.precision import resolve

    spec = replace(fitted_spec(classifier), precision=resolve(embedder.precision))
    extractor = FeatureExtractor(
        spec,
        classifier.weights_,
        embedder.pooling,
        fitted_range=classifier.value_range_,
        engine=embedder.engine or "keras",
    )
    return NetworkBackbone(extractor, is_pretrained_on_pixels=False)


def _from_file(
    embedder: BaseEstimator, patch_shape: PatchShape, pixel_dtype: str
) -> Backbone:
    path, pooling, engine = embedder.backbone, embedder.pooling, embedder.engine
    _check_float32(embedder, "a file")
    if os.fspath(path).endswith(".onnx"):
        from skhisto.embedding._onnx import OnnxBackbone

        backbone: Backbone = OnnxBackbone(
            path, patch_shape, embedder.layout, pooling, engine or "onnxruntime"
        )
        dtype = backbone.pixel_dtype
    elif os.fspath(path).endswith(".keras"):
        if embedder.layout not in (None, "NHWC"):
            raise ValueError(
                f"layout={embedder.layout!r} can only be used with ONNX files. Keras "
                "networks take channels last. Set layout=None."
            )
        backbone = _from_keras_file(path, patch_shape, pooling, engine or "keras")
        dtype = backbone.pixel_dtype
    else:
        raise ValueError(f"The file '{path}' must end with '.onnx' or '.keras'.")
    if dtype == "float32":
        mean = _for_each_channel("mean", embedder.mean, 0.0, patch_shape[2])
        std = _for_each_channel("std", embedder.std, 1.0, patch_shape[2])
        return NormalisedBackbone(backbone, mean, std)
    if dtype != pixel_dtype or embedder.mean is not None or embedder.std is not None:
        raise ValueError(
            f"The network in '{path}' takes unchanged pixels of dtype {dtype}. Pass "
            f"patches of this dtype (X has {pixel_dtype}), and set mean=None and "
            "std=None."
        )
    return backbone


def _from_keras_file(
    path: Any, patch_shape: PatchShape, pooling: str, engine: str
) -> NetworkBackbone:
    from skhisto._keras.features import extractor_from_file
    from skhisto._keras.runtime import check_runtime

    check_runtime()
    if not os.path.isfile(path):
        raise FileNotFoundError(f"The Keras file '{path}' does not exist.")
    extractor = extractor_from_file(path, patch_shape, pooling, engine)
    return NetworkBackbone(extractor, is_pretrained_on_pixels=True)


def _for_each_channel(
    name: str, value: Any, default: float, n_channels: int
) -> np.ndarray:
    """Return `mean` or `std` as one number per channel."""
    values = np.asarray(default if value is None else value, dtype=np.float64)
    if values.shape not in ((), (n_channels,)) or not np.isfinite(values).all():
        raise ValueError(
            f"{name} must be a number or {n_channels} numbers, one per channel, got "
            f"{value!r}."
        )
    if name == "std" and (values <= 0).any():
        raise ValueError(f"std must be positive, got {value!r}.")
    return np.broadcast_to(values, n_channels).copy()
