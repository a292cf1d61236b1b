"""Networks in ONNX files, run by ONNX Runtime or OpenVINO."""

import hashlib
import os
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from skhisto.embedding._backbones import Backbone
from skhisto.embedding._onnx_engines import ENGINES, OnnxEngine, Port
from skhisto.patches._views import view

_BATCH_SIZE = 24
_MAX_BATCH_SIZE = 4096
_DTYPES = ("float32", "float16", "uint8")
# Encoding of the name of an external weight file in protocol buffers.
_LOCATION = re.compile(rb"\x0a\x08location\x12")


class OnnxFile:
    """An ONNX file and its external weight files.

    A pickle contains the file if it stores all of its weights. Otherwise, the pickle
    contains the path, and the files must not be moved.

    Parameters
    ----------
    path : str or path-like

    Attributes
    ----------
    fingerprint : str
        A hash of the content.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)
        if not os.path.isfile(self.path):
            raise FileNotFoundError(f"The ONNX file '{path}' does not exist.")
        content = Path(self.path).read_bytes()
        self._weight_files = _weight_files(Path(self.path), content)
        self._content = None if self._weight_files else content
        self.fingerprint = self._hash()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OnnxFile) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def load(self, engine: str) -> OnnxEngine:
        """Load the network."""
        if self._content is None and self._hash() != self.fingerprint:
            raise ValueError(
                f"The ONNX file '{self.path}' or its weight files have changed since "
                "this PatchEmbedder was fitted. Restore them, or fit again."
            )
        try:
            return ENGINES[engine](self._content or self.path)
        except ImportError:
            raise
        except Exception as error:  # the engines raise many types
            raise ValueError(
                f"'{self.path}' cannot be read as an ONNX file: {error}"
            ) from error

    def _hash(self) -> str:
        digest = hashlib.sha256(self._content or b"")
        files = [self.path, *self._weight_files] if self._content is None else []
        for name in files:
            try:
                with open(name, "rb") as file:
                    digest.update(hashlib.file_digest(file, "sha256").digest())
            except FileNotFoundError:
                raise FileNotFoundError(
                    f"The ONNX file '{self.path}' needs the file '{name}', which does "
                    "not exist."
                ) from None
        return digest.hexdigest()


def _weight_files(path: Path, content: bytes) -> list[str]:
    """Return the weight files that an ONNX file refers to."""
    names = set()
    for match in _LOCATION.finditer(content):
        # The length is encoded in one byte, or in two bytes of 7 bits each.
        low, high = [*content[match.end() : match.end() + 2], 0, 0][:2]
        is_long = low >= 128
        length = low - 128 + 128 * high if is_long else low
        start = match.end() + 1 + is_long
        names.add(content[start : start + length].decode("utf-8", "replace"))
    for name in names:
        if os.path.isabs(name) or ".." in Path(name).parts or "\0" in name:
            raise ValueError(
                f"The ONNX file '{path}' refers to the file {name!r} outside its "
                "folder. Such files are not read. Save the weights of the network in "
                "the folder of the ONNX file."
            )
    return [str(path.parent / name) for name in sorted(names)]


# Cached, because searches fit the same embedder many times.
@lru_cache(maxsize=2)
def _loaded(file: OnnxFile, engine: str) -> OnnxEngine:
    return file.load(engine)


class OnnxBackbone(Backbone):
    """A network in an ONNX file with one input and one output.

    Parameters
    ----------
    path : str or path-like
    patch_shape : tuple of int (height, width, channels)
    layout : {"NHWC", "NCHW"} or None
        Order of the axes of the input. None derives it from the file.
    pooling : {"avg", "max", "cls"}
        How feature vectors of several positions are combined.
    engine : {"onnxruntime", "openvino"}
        The library that runs the network.
    """

    is_pretrained_on_pixels = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        patch_shape: tuple[int, int, int],
        layout: str | None,
        pooling: str,
        engine: str,
    ) -> None:
        self._file = OnnxFile(path)
        self._engine = engine
        self.fingerprint = self._file.fingerprint
        self._pooling = pooling
        given = _only_input(_loaded(self._file, engine), path)
        self._layout = layout or _layout_of(given.shape, patch_shape[2], path)
        _check_shape(given, self._layout, patch_shape, path)
        if given.dtype not in _DTYPES:
            raise ValueError(
                f"The network in '{path}' takes inputs of type {given.dtype}. "
                f"Supported types are {', '.join(_DTYPES)}."
            )
        self._dtype = np.dtype(given.dtype)
        self.pixel_dtype = "uint8" if given.dtype == "uint8" else "float32"
        # A file may be exported for a fixed number of images.
        n = given.shape[0]
        self._batch_size = n if isinstance(n, int) else _BATCH_SIZE
        if not 1 <= self._batch_size <= _MAX_BATCH_SIZE:
            raise ValueError(
                f"The network in '{path}' has a fixed batch size of {n}. Supported "
                f"sizes are 1 to {_MAX_BATCH_SIZE}. Export the network with a dynamic "
                "batch size."
            )
        self.n_features = self._run(np.zeros((1, *patch_shape), np.uint8)).shape[1]

    @property
    def identity(self) -> dict[str, Any]:
        """All that features depend on, apart from the patches."""
        return {
            "weights": self.fingerprint,
            "layout": self._layout,
            "pooling": self._pooling,
            "engine": self._engine,
        }

    def features(self, patches: np.ndarray, views: Sequence[int]) -> np.ndarray:
        """Return features of views of patches, (n_views, n, n_features)."""
        features = np.empty((len(views), len(patches), self.n_features), np.float32)
        for start in range(0, len(patches), self._batch_size):
            rows = slice(start, start + self._batch_size)
            for position, number in enumerate(views):
                features[position, rows] = self._run(view(patches[rows], number))
        return features

    def _run(self, patches: np.ndarray) -> np.ndarray:
        """Return the features of up to one batch."""
        # Batches are padded, because other batch sizes would round differently.
        n = len(patches)
        shape = (self._batch_size, *patches.shape[1:])
        filled: np.ndarray = np.zeros(shape, self._dtype)
        filled[:n] = patches
        if self._layout == "NCHW":
            filled = filled.transpose(0, 3, 1, 2)
        network = _loaded(self._file, self._engine)
        try:
            features = network.run(np.ascontiguousarray(filled))
        except Exception as error:  # the engines raise many types
            raise ValueError(
                f"The network in '{self._file.path}' cannot be run: {error}"
            ) from error
        if not isinstance(features, np.ndarray) or features.dtype.kind not in "fiub":
            raise ValueError(
                f"The output of the network in '{self._file.path}' is not an array of "
                "numbers. Export the network again with the features as its only "
                "output."
            )
        return _pooled(features[:n], self._pooling, self._layout)


def _only_input(network: OnnxEngine, path: str | os.PathLike[str]) -> Port:
    inputs, outputs = network.inputs, network.outputs
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"The network in '{path}' must have one input, the patches, and one "
            f"output, the features. It has the inputs {[x.name for x in inputs]} and "
            f"the outputs {[x.name for x in outputs]}. Export the network again with "
            "the features as its only output."
        )
    return inputs[0]


def _layout_of(
    shape: Sequence[Any], n_channels: int, path: str | os.PathLike[str]
) -> str:
    """Determine the layout of an input from the position of the channels."""
    first = len(shape) == 4 and shape[1] == n_channels
    last = len(shape) == 4 and shape[3] == n_channels
    if first == last:
        raise ValueError(
            f"The network in '{path}' takes inputs of shape {list(shape)}. The "
            f"position of the {n_channels} channels is unclear. Set layout='NCHW' or "
            "'NHWC', or convert the patches to the required number of channels."
        )
    return "NCHW" if first else "NHWC"


def _check_shape(
    given: Port,
    layout: str,
    patch_shape: tuple[int, int, int],
    path: str | os.PathLike[str],
) -> None:
    height, width, n_channels = patch_shape
    lengths = (
        (n_channels, height, width) if layout == "NCHW" else (height, width, n_channels)
    )
    is_matching = len(given.shape) == 4 and all(
        # Dynamic axes have names instead of lengths.
        not isinstance(expected, int) or expected == length
        for expected, length in zip(given.shape[1:], lengths, strict=True)
    )
    if not is_matching:
        raise ValueError(
            f"The network in '{path}' takes inputs of shape {list(given.shape)} "
            f"({layout}), but the patches have {height}x{width} pixels and "
            f"{n_channels} channels. Resize the patches with the parameter size."
        )


def _pooled(features: np.ndarray, pooling: str, layout: str) -> np.ndarray:
    """Return one vector per patch."""
    if features.ndim == 4 and layout == "NCHW":
        features = features.transpose(0, 2, 3, 1)
    if features.ndim == 2:
        return features
    if features.ndim < 2 or (pooling == "cls" and features.ndim != 3):
        raise ValueError(
            f"The ONNX network returned an output of shape {features.shape}, which "
            f"pooling={pooling!r} does not support. Expected (n, n_features), (n, "
            "n_tokens, n_features) or, for 'avg' and 'max', the shape of images."
        )
    if pooling == "cls":
        return features[:, 0]
    axes = tuple(range(1, features.ndim - 1))
    features = features.astype(np.float32, copy=False)
    return features.mean(axis=axes) if pooling == "avg" else features.max(axis=axes)
