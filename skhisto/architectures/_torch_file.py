"""Tensors from files of PyTorch's legacy format, without PyTorch.

Such a file consists of five pickles (a magic number, the version of the format,
properties of the system, the object itself, and the keys of its storages), followed by
the values of the storages. The object refers to storages by their keys.

Unpickling can execute code. Therefore the unpickler resolves only the four names that
a dictionary of tensors needs.
"""

import io
import math
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
_MAX_DIMENSIONS = 8

# Legacy names of storages, and what their values are. Files are little-endian.
_STORAGE_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype
    n_values: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage: offset, shape and strides in numbers of values."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def view(self, values: np.ndarray) -> np.ndarray:
        """Copy the tensor out of the values of its storage."""
        lengths = (self.offset, *self.shape, *self.strides)
        if (
            len(self.shape) != len(self.strides)
            or len(self.shape) > _MAX_DIMENSIONS
            or not all(isinstance(n, int) and n >= 0 for n in lengths)
        ):
            raise ValueError(f"A tensor has the shape {self.shape!r}.")
        if math.prod(self.shape) == 0:
            return np.empty(self.shape, values.dtype)
        steps = zip(self.shape, self.strides, strict=True)
        last = self.offset + sum((n - 1) * stride for n, stride in steps)
        if last >= len(values) or math.prod(self.shape) > len(values):
            raise ValueError("A tensor is larger than its storage.")
        strides = [stride * values.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(
            values[self.offset :], self.shape, strides
        ).copy()


def read_torch_file(content: bytes) -> dict[str, np.ndarray]:
    """Return the tensors of a file that holds a dictionary of tensors.

    Parameters
    ----------
    content : bytes
        The whole file, in the format of PyTorch before version 1.6.

    Returns
    -------
    tensors : dict of str to ndarray
        Contiguous arrays of dtype float32 or int64.

    Raises
    ------
    ValueError
        If the content has another format, is incomplete, or refers to anything but
        tensors of these dtypes.
    """
    try:
        return _read(io.BytesIO(content))
    except Exception as error:  # pickles that are damaged raise many types
        raise ValueError(
            "The file is not a dictionary of tensors in PyTorch's legacy format: "
            f"{error}"
        ) from error


def _read(file: io.BytesIO) -> dict[str, np.ndarray]:
    header = [_Unpickler(file).load() for _ in range(3)]
    if header[0] != MAGIC_NUMBER or header[1] != PROTOCOL_VERSION:
        raise ValueError("The magic number or the version is different.")
    if header[2].get("little_endian") is not True:
        raise ValueError("The values are not little-endian.")
    unpickler = _Unpickler(file)
    tensors = unpickler.load()
    keys = _Unpickler(file).load()
    if not isinstance(tensors, dict):
        raise ValueError(f"The object is of type {type(tensors).__name__}.")
    values = {key: _read_values(file, unpickler.storages[key]) for key in keys}
    return {name: t.view(values[t.storage.key]) for name, t in tensors.items()}


def _read_values(file: io.BytesIO, storage: _Storage) -> np.ndarray:
    n_values = int.from_bytes(file.read(8), "little")
    if n_values != storage.n_values:
        raise ValueError(f"Storage {storage.key!r} has another number of values.")
    content = file.read(n_values * storage.dtype.itemsize)
    # Raises an error unless all values are there.
    return np.frombuffer(content, storage.dtype, n_values)


class _Unpickler(pickle.Unpickler):
    """An unpickler of tensors that cannot execute code."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        """Resolve the few names that are allowed."""
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGE_DTYPES:
            return _STORAGE_DTYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed.")

    def persistent_load(self, pid: Any) -> _Storage:
        """Describe a storage, whose values come after the last pickle."""
        kind, dtype, key, _, n_values, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"{pid!r} is not a storage.")
        return self.storages.setdefault(key, _Storage(key, dtype, n_values))


def _rebuild_tensor(
    storage: _Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *_: Any,  # whether it needs a gradient, and hooks
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)
