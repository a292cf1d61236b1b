"""Read tensors from files in the legacy format of PyTorch without PyTorch.

Such a file starts with five pickles:

1. a magic number
2. the version of the format
3. properties of the system
4. the object, which refers to storages by their keys
5. the keys of the storages

The values of the storages follow.

A pickle is a program for a stack machine, and unpickling it can execute any code.
Therefore these pickles are not unpickled. `pickletools` splits them into instructions,
and a small interpreter executes the few instructions that build dictionaries of
tensors.
"""

import io
import math
import pickletools
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import numpy as np

MAGIC_NUMBER = 0x1950A86A20F9469CFC6C
PROTOCOL_VERSION = 1001
_MAX_DIMENSIONS = 8

# Dtypes of the values by the legacy names of storages. Files are little-endian.
_STORAGE_DTYPES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


@dataclass(frozen=True)
class _Storage:
    key: str
    dtype: np.dtype
    n_values: int


@dataclass(frozen=True)
class _Tensor:
    """A view of a storage. Offset and strides are numbers of values."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def view(self, values: np.ndarray) -> np.ndarray:
        """Return a copy of the tensor from the values of its storage."""
        lengths = (self.offset, *self.shape, *self.strides)
        if (
            len(self.shape) != len(self.strides)
            or len(self.shape) > _MAX_DIMENSIONS
            or not all(isinstance(n, int) and n >= 0 for n in lengths)
        ):
            raise ValueError("A tensor has an invalid shape, offset or strides.")
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
    """Return the tensors of a file that contains a dictionary of tensors.

    Parameters
    ----------
    content : bytes
        Content of the file, in the format of PyTorch before version 1.6.

    Returns
    -------
    tensors : dict of str to ndarray
        Contiguous arrays of dtype float32 or int64.

    Raises
    ------
    ValueError
        If the content has another format, is incomplete, or contains other objects than
        tensors of these dtypes.
    """
    try:
        return _read(io.BytesIO(content))
    except Exception as error:  # damaged pickles raise many types
        raise ValueError(
            "The file is not a dictionary of tensors in PyTorch's legacy format: "
            f"{error}"
        ) from error


def _read(file: io.BytesIO) -> dict[str, np.ndarray]:
    header = [_Interpreter().run(file) for _ in range(3)]
    if header[0] != MAGIC_NUMBER or header[1] != PROTOCOL_VERSION:
        raise ValueError("The magic number or the version is not supported.")
    if header[2].get("little_endian") is not True:
        raise ValueError("The values are not little-endian.")
    interpreter = _Interpreter()
    tensors = interpreter.run(file)
    keys = _Interpreter().run(file)
    if not isinstance(tensors, dict):
        raise ValueError(f"The object is of type {type(tensors).__name__}.")
    values = {key: _read_values(file, interpreter.storages[key]) for key in keys}
    return {name: t.view(values[t.storage.key]) for name, t in tensors.items()}


def _read_values(file: io.BytesIO, storage: _Storage) -> np.ndarray:
    n_values = int.from_bytes(file.read(8), "little")
    if n_values != storage.n_values:
        raise ValueError(f"Storage {storage.key!r} has another number of values.")
    content = file.read(n_values * storage.dtype.itemsize)
    # Raises an error if values are missing.
    return np.frombuffer(content, storage.dtype, n_values)


def _rebuild_tensor(
    storage: _Storage,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    *_: Any,  # the flag requires_grad, and hooks
) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


# Instructions, grouped by their effect, with the names that `pickletools` uses.
_PUSH_ARGUMENT = {"BINFLOAT", "BININT", "BININT1", "BININT2", "BINUNICODE", "LONG1"}
_PUSH_CONSTANT = {"NONE": None, "NEWFALSE": False, "NEWTRUE": True, "EMPTY_TUPLE": ()}
_PUSH_EMPTY = {"EMPTY_DICT": dict, "EMPTY_LIST": list}
_PUSH_TUPLE = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_STORE = {"BINPUT", "LONG_BINPUT"}
_RECALL = {"BINGET", "LONG_BINGET"}

_NAMES = {
    "collections OrderedDict": OrderedDict,
    "torch._utils _rebuild_tensor_v2": _rebuild_tensor,
    **{f"torch {name}": dtype for name, dtype in _STORAGE_DTYPES.items()},
}


class _Interpreter:
    """Interprets the pickle instructions that dictionaries of tensors need.

    It calls only the functions in `_NAMES`, and does not set attributes.
    """

    def __init__(self) -> None:
        self.storages: dict[str, _Storage] = {}
        self._stack: list[Any] = []
        self._marks: list[int] = []
        self._memo: dict[int, Any] = {}

    def run(self, file: io.BytesIO) -> Any:
        """Return the object of the pickle at the position of the file."""
        for instruction, argument, _ in pickletools.genops(file):
            self._step(instruction.name, argument)
        return self._stack.pop()

    def _step(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _PUSH_ARGUMENT:
            stack.append(argument)
        elif name in _PUSH_CONSTANT:
            stack.append(_PUSH_CONSTANT[name])
        elif name in _PUSH_EMPTY:
            stack.append(_PUSH_EMPTY[name]())
        elif name in _PUSH_TUPLE:
            stack.append(tuple(self._pop(_PUSH_TUPLE[name])))
        elif name in _STORE:
            self._memo[argument] = stack[-1]
        elif name in _RECALL:
            stack.append(self._memo[argument])
        elif hasattr(self, f"_do_{name.lower()}"):
            getattr(self, f"_do_{name.lower()}")(argument)
        elif name not in ("PROTO", "STOP"):
            raise ValueError(f"The instruction {name} is not allowed.")

    def _pop(self, n: int) -> list[Any]:
        if n > len(self._stack):
            raise ValueError("The stack is empty.")
        start = len(self._stack) - n
        items = self._stack[start:]
        del self._stack[start:]
        return items

    def _pop_to_mark(self) -> list[Any]:
        return self._pop(len(self._stack) - self._marks.pop())

    def _do_mark(self, _: None) -> None:
        self._marks.append(len(self._stack))

    def _do_tuple(self, _: None) -> None:
        self._stack.append(tuple(self._pop_to_mark()))

    def _do_append(self, _: None) -> None:
        self._extend(self._pop(1))

    def _do_appends(self, _: None) -> None:
        self._extend(self._pop_to_mark())

    def _extend(self, items: list[Any]) -> None:
        if type(self._stack[-1]) is not list:
            raise ValueError("Items can only be appended to a list.")
        self._stack[-1].extend(items)

    def _do_setitem(self, _: None) -> None:
        self._update(self._pop(2))

    def _do_setitems(self, _: None) -> None:
        self._update(self._pop_to_mark())

    def _update(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], dict):
            raise ValueError("Items can only be set in a dictionary.")
        keys = items[::2]
        # Hashing or printing deeply nested tuples can take very long.
        if not all(isinstance(key, str) for key in keys):
            raise ValueError("A key of a dictionary is not a string.")
        self._stack[-1].update(zip(keys, items[1::2], strict=True))

    def _do_global(self, name: str) -> None:
        if name not in _NAMES:
            raise ValueError(f"{name.replace(' ', '.')} is not allowed.")
        self._stack.append(_NAMES[name])

    def _do_reduce(self, _: None) -> None:
        function, arguments = self._pop(2)
        if function not in (OrderedDict, _rebuild_tensor):
            raise ValueError(f"A {type(function).__name__} must not be called.")
        if function is OrderedDict and arguments:
            raise ValueError("An OrderedDict with arguments is not allowed.")
        self._stack.append(function(*arguments))

    def _do_build(self, _: None) -> None:
        self._pop(1)  # attributes of an object, which are ignored

    def _do_binpersid(self, _: None) -> None:
        """Push a storage. Its values follow the last pickle."""
        (description,) = self._pop(1)
        kind, dtype, key, _device, n_values, view = description
        is_valid = isinstance(dtype, np.dtype) and isinstance(key, str)
        if kind != "storage" or view is not None or not is_valid:
            raise ValueError("The description of a storage is invalid.")
        storage = _Storage(key, dtype, n_values)
        self._stack.append(self.storages.setdefault(key, storage))
