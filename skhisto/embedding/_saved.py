"""Conversion of backbones to plain data.

Saved embedders contain dicts, arrays, strings and numbers instead of the private
classes of backbones. As a result, loading a skops file only requires trust in
`PatchEmbedder`, and the classes can be moved without breaking files.
"""

from functools import partial
from importlib import import_module
from typing import Any

from skhisto.embedding._resolve import _named_extractor

_CLASS = "skhisto:class"
_LOADER = "skhisto:loader"
_MODULES = {
    "FunctionBackbone": "skhisto.embedding._backbones",
    "NamedBackbone": "skhisto.embedding._backbones",
    "NetworkBackbone": "skhisto.embedding._backbones",
    "NormalisedBackbone": "skhisto.embedding._backbones",
    "OnnxBackbone": "skhisto.embedding._onnx",
    "OnnxFile": "skhisto.embedding._onnx",
    "FeatureExtractor": "skhisto._keras.features",
    "NetworkSpec": "skhisto._keras.network",
    "Ends": "skhisto._keras.network",
}
"""The module of each class that can be part of a backbone."""


def to_plain(value: Any) -> Any:
    """Return a backbone, or a part of one, as plain data."""
    kind = type(value)
    if isinstance(value, partial) and value.func is _named_extractor:
        return {_LOADER: list(value.args)}
    if _MODULES.get(kind.__name__) != kind.__module__:
        return value
    state = {name: to_plain(part) for name, part in value.__getstate__().items()}
    return {_CLASS: kind.__name__, **state}


def from_plain(value: Any) -> Any:
    """Invert `to_plain`.

    Raises
    ------
    ValueError
        If the data names an unknown class.
    """
    if not isinstance(value, dict):
        return value
    if _LOADER in value:
        return partial(_named_extractor, *value[_LOADER])
    if _CLASS not in value:
        return value
    name = value[_CLASS]
    if name not in _MODULES:
        raise ValueError(
            f"The saved PatchEmbedder contains a backbone of the unknown class {name!r}"
            ". Fit the embedder again, or use the version of skhisto that saved it."
        )
    backbone = object.__new__(getattr(import_module(_MODULES[name]), name))
    # Attributes of frozen dataclasses can only be set through their dict.
    vars(backbone).update(
        {key: from_plain(part) for key, part in value.items() if key != _CLASS}
    )
    return backbone
