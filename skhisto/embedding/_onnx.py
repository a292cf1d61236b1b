"""Networks in ONNX files, run by ONNX Runtime."""

import hashlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from skhisto.embedding._backbones import Backbone
from skhisto.patches._views import view

_BATCH_SIZE = 24
_MAX_BATCH_SIZE = 4096
_TELEMETRY = "ORT_DISABLE_TELEMETRY"
_DTYPES: dict[str, np.dtype[Any]] = {
    "tensor(float)": np.dtype(np.float32),
    "tensor(float16)": np.dtype(np.float16),
    "tensor(uint8)": np.dtype(np.uint8),
}
# How protocol buffers store the name of a file of weights beside the ONNX file.
_LOCATION = re.compile(rb"\x0a\x08location\x12")


class OnnxFile:
    """An ONNX file, with the weights that it stores in other files.

    Pickles contain a file that stores all of its weights. Otherwise they contain the
    path, and the files must stay where they are.

    Parameters
    ----------
    path : str or path-like

    Attributes
    ----------
    fingerprint : str
        A hash of the contents.
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

    def session(self) -> Any:
        """Load the network, with one thread for each core."""
        onnxruntime = _import_onnxruntime()
        if self._content is None and self._hash() != self.fingerprint:
            raise ValueError(
                f"The ONNX file '{self.path}' or its files of weights have changed "
                "since this PatchEmbedder was fitted. Restore them, or fit again."
            )
        try:
            return onnxruntime.InferenceSession(
                self._content or self.path, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises many types
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
    """Return the files of weights that an ONNX file refers to."""
    names = set()
    for match in _LOCATION.finditer(content):
        # The length has one byte, or two bytes of 7 bits.
        low, high = [*content[match.end() : match.end() + 2], 0, 0][:2]
        is_long = low >= 128
        length = low - 128 + 128 * high if is_long else low
        start = match.end() + 1 + is_long
        names.add(content[start : start + length].decode("utf-8", "replace"))
    for name in names:
        if os.path.isabs(name) or ".." in Path(name).parts or "\0" in name:
            raise ValueError(
                f"The ONNX file '{path}' refers to the file {name!r} outside of its "
                "folder, which is not read. Save the network with its weights in the "
                "folder of the ONNX file."
            )
    return [str(path.parent / name) for name in sorted(names)]


# Searches fit the same embedder again and again.
@lru_cache(maxsize=2)
def _session(file: OnnxFile) -> Any:
    return file.session()


class OnnxBackbone(Backbone):
    """A network in an ONNX file with one input and one output.

    Parameters
    ----------
    path : str or path-like
    patch_shape : tuple of int (height, width, channels)
    layout : {"NHWC", "NCHW"} or None
        Order of the axes of the input. None takes it from the file.
    pooling : {"avg", "max", "cls"}
        How features of several positions become one vector.
    """

    is_pretrained_on_pixels = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        patch_shape: tuple[int, int, int],
        layout: str | None,
        pooling: str,
    ) -> None:
        self._file = OnnxFile(path)
        self.fingerprint = self._file.fingerprint
        self._pooling = pooling
        given, output = _only_input_and_output(_session(self._file), path)
        self._layout = layout or _layout_of(given.shape, patch_shape[2], path)
        _check_shape(given, self._layout, patch_shape, path)
        if given.type not in _DTYPES:
            raise ValueError(
                f"The network in '{path}' takes inputs of type {given.type}, but only "
                f"{', '.join(_DTYPES)} are supported."
            )
        self._dtype = _DTYPES[given.type]
        self.pixel_dtype = "uint8" if self._dtype == np.uint8 else "float32"
        self._names = (given.name, output.name)
        # Files that were exported for a fixed number of images keep it.
        n = given.shape[0]
        self._batch_size = n if isinstance(n, int) else _BATCH_SIZE
        if not 1 <= self._batch_size <= _MAX_BATCH_SIZE:
            raise ValueError(
                f"The network in '{path}' takes {n} images at once, but between 1 and "
                f"{_MAX_BATCH_SIZE} are supported. Export it with a dynamic batch size."
            )
        self.n_features = self._run(np.zeros((1, *patch_shape), np.uint8)).shape[1]

    @property
    def identity(self) -> dict[str, Any]:
        """All that features depend on, apart from the patches."""
        return {
            "weights": self.fingerprint,
            "layout": self._layout,
            "pooling": self._pooling,
            "engine": "onnxruntime",
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
        # Filled up: other numbers of rows would be rounded differently.
        n = len(patches)
        shape = (self._batch_size, *patches.shape[1:])
        filled: np.ndarray = np.zeros(shape, self._dtype)
        filled[:n] = patches
        if self._layout == "NCHW":
            filled = filled.transpose(0, 3, 1, 2)
        name, output = self._names
        inputs = {name: np.ascontiguousarray(filled)}
        session = _session(self._file)
        try:
            (features,) = session.run([output], inputs)
        except Exception as error:  # ONNX Runtime raises many types
            raise ValueError(
                f"The network in '{self._file.path}' cannot be run: {error}"
            ) from error
        if not isinstance(features, np.ndarray) or features.dtype.kind not in "fiub":
            raise ValueError(
                f"The output of the network in '{self._file.path}' is not an array of "
                "numbers. Export the network again with only the output that holds the "
                "features."
            )
        return _pooled(features[:n], self._pooling, self._layout)


def _only_input_and_output(session: Any, path: str | os.PathLike[str]) -> Any:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ValueError(
            f"The network in '{path}' has the inputs {[x.name for x in inputs]} and "
            f"the outputs {[x.name for x in outputs]}, but one input and one output "
            "are needed: patches and features. Export the network again with only the "
            "output that holds the features."
        )
    return inputs[0], outputs[0]


def _layout_of(
    shape: Sequence[Any], n_channels: int, path: str | os.PathLike[str]
) -> str:
    """Tell the layout of an input by the place of the channels."""
    first = len(shape) == 4 and shape[1] == n_channels
    last = len(shape) == 4 and shape[3] == n_channels
    if first == last:
        raise ValueError(
            f"The network in '{path}' takes inputs of shape {list(shape)}, which does "
            f"not show where the {n_channels} channels are. Set layout='NCHW' or "
            "'NHWC', or convert the patches to the number of channels that it takes."
        )
    return "NCHW" if first else "NHWC"


def _check_shape(
    given: Any,
    layout: str,
    patch_shape: tuple[int, int, int],
    path: str | os.PathLike[str],
) -> None:
    height, width, n_channels = patch_shape
    lengths = (
        (n_channels, height, width) if layout == "NCHW" else (height, width, n_channels)
    )
    is_matching = len(given.shape) == 4 and all(
        # Lengths that the file leaves open have names.
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
    """Return one vector for each patch."""
    if features.ndim == 4 and layout == "NCHW":
        features = features.transpose(0, 2, 3, 1)
    if features.ndim == 2:
        return features
    if features.ndim < 2 or (pooling == "cls" and features.ndim != 3):
        raise ValueError(
            f"The ONNX network gives an output of shape {features.shape}, of which "
            f"pooling={pooling!r} makes no features: the shape must be (n, n_features)"
            ", (n, n_tokens, n_features) or that of images ('avg' and 'max' only)."
        )
    if pooling == "cls":
        return features[:, 0]
    axes = tuple(range(1, features.ndim - 1))
    features = features.astype(np.float32, copy=False)
    return features.mean(axis=axes) if pooling == "avg" else features.max(axis=axes)


@contextmanager
def _without_telemetry() -> Iterator[None]:
    """Switch off the telemetry of ONNX Runtime, unless the user has decided.

    Since version 1.29, it reports sessions to Microsoft. It reads the environment
    variable once, when it is imported.
    """
    is_decided = _TELEMETRY in os.environ or "onnxruntime" in sys.modules
    if not is_decided:
        os.environ[_TELEMETRY] = "1"
    try:
        yield
    finally:
        if not is_decided:
            os.environ.pop(_TELEMETRY, None)


def _import_onnxruntime() -> ModuleType:
    try:
        with _without_telemetry():
            import onnxruntime
    except ImportError:
        raise ImportError(
            "Embedding with an ONNX file needs ONNX Runtime, which is not installed. "
            'Install it with: pip install "skhisto[onnx]"'
        ) from None
    return onnxruntime
