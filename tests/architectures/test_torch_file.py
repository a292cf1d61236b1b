"""Files of PyTorch's legacy format, read without PyTorch."""

import io
import os
import pickle
import struct
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhisto.architectures._torch_file import (
    MAGIC_NUMBER,
    PROTOCOL_VERSION,
    read_torch_file,
)


def torch_name(module, name, base=object):
    """A class that is pickled as a name of a module that is not installed."""
    named = type(name, (base,), {"__module__": module})
    sys.modules.setdefault(module, types.ModuleType(module))
    setattr(sys.modules[module], name, named)
    return named


@pytest.fixture(scope="module")
def torch_names():
    """The names of PyTorch that such files refer to."""
    before = {name: sys.modules.get(name) for name in ("torch", "torch._utils")}
    for name in before:
        sys.modules[name] = types.ModuleType(name)
    yield {
        "rebuild": torch_name("torch._utils", "_rebuild_tensor_v2"),
        "<f4": torch_name("torch", "FloatStorage"),
        "<i8": torch_name("torch", "LongStorage"),
    }
    for name, module in before.items():
        if module is None:
            del sys.modules[name]
        else:
            sys.modules[name] = module


class Storage:
    def __init__(self, key, values):
        self.key, self.values = key, values


class Tensor:
    def __init__(self, names, storage, offset, shape, strides):
        self.rebuild = names["rebuild"]
        self.arguments = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return self.rebuild, self.arguments


def file_of(names, tensors, storages, magic=MAGIC_NUMBER, little_endian=True):
    """The content of a file, as PyTorch wrote them before version 1.6."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            if isinstance(value, Storage):
                kind = names[value.values.dtype.str]
                n_values = len(value.values)
                return ("storage", kind, value.key, "cpu", n_values, None)
            return None

    file = io.BytesIO()
    system = {"little_endian": little_endian}
    for value in (magic, PROTOCOL_VERSION, system, tensors):
        Pickler(file, protocol=2).dump(value)
    pickle.dump([storage.key for storage in storages], file, protocol=2)
    for storage in storages:
        file.write(struct.pack("<q", len(storage.values)) + storage.values.tobytes())
    return file.getvalue()


def one_tensor(names, offset=0, shape=(2, 3), strides=(3, 1), n_values=6, **settings):
    storage = Storage("0", np.arange(n_values, dtype=np.float32))
    tensor = Tensor(names, storage, offset, shape, strides)
    return file_of(names, OrderedDict(weight=tensor), [storage], **settings)


@given(data=st.data())
def test_tensors_are_read_with_their_offsets_and_strides(torch_names, data):
    shape = data.draw(st.lists(st.integers(1, 4), min_size=0, max_size=4))
    order = data.draw(st.permutations(range(len(shape))))
    offset = data.draw(st.integers(0, 3))
    dtype = data.draw(st.sampled_from(["<f4", "<i8"]))
    n_values = int(np.prod(shape))
    values = np.arange(100, 100 + offset + n_values).astype(dtype)
    # A view whose axes are stored in any order.
    expected = values[offset:].reshape([shape[axis] for axis in order])
    expected = expected.transpose(np.argsort(order))
    strides = tuple(stride // values.itemsize for stride in expected.strides)
    storage = Storage("7", values)
    tensor = Tensor(torch_names, storage, offset, expected.shape, strides)
    read = read_torch_file(file_of(torch_names, {"a": tensor, "b": tensor}, [storage]))
    assert list(read) == ["a", "b"]
    for array in read.values():
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        np.testing.assert_array_equal(array, expected)


def test_values_of_several_storages_are_not_mixed_up(torch_names):
    storages = [
        Storage(key, np.full(n, n, np.float32)) for key, n in [("9", 2), ("1", 3)]
    ]
    tensors = OrderedDict(
        (s.key, Tensor(torch_names, s, 0, (len(s.values),), (1,))) for s in storages
    )
    # The values are in the order of the list of keys.
    read = read_torch_file(file_of(torch_names, tensors, storages[::-1]))
    assert read["9"].tolist() == [2, 2]
    assert read["1"].tolist() == [3, 3, 3]


@pytest.mark.parametrize(
    "view",
    [
        {"offset": 1},
        {"offset": -1},
        {"strides": (3, 2)},
        {"strides": (-3, 1)},
        {"strides": (1,)},
        {"shape": (2, 2**62), "strides": (0, 0)},
        {"shape": (1,) * 9, "strides": (1,) * 9},
        {"shape": (2.0, 3)},
    ],
)
def test_a_tensor_outside_of_its_storage_is_an_error(torch_names, view):
    with pytest.raises(ValueError, match="legacy format: A tensor"):
        read_torch_file(one_tensor(torch_names, **view))


def test_no_code_of_a_file_is_executed(torch_names, tmp_path):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "attacked"),)

    with pytest.raises(ValueError, match=r"posix\.mkdir is not allowed|nt\.mkdir"):
        read_torch_file(file_of(torch_names, {"weight": Attack()}, []))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("position", [0, 1, 2, 4])
def test_every_part_of_a_file_is_unpickled_safely(tmp_path, position):
    class Attack:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "attacked"),)

    parts = [MAGIC_NUMBER, PROTOCOL_VERSION, {"little_endian": True}, {}, []]
    parts[position] = Attack()
    with pytest.raises(ValueError, match="is not allowed"):
        read_torch_file(b"".join(pickle.dumps(part, protocol=2) for part in parts))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("settings", "message"),
    [({"magic": 1}, "magic number"), ({"little_endian": False}, "little-endian")],
)
def test_another_format_is_an_error(torch_names, settings, message):
    with pytest.raises(ValueError, match=f"PyTorch's legacy format: .*{message}"):
        read_torch_file(one_tensor(torch_names, **settings))


@given(data=st.data())
def test_a_file_that_was_cut_off_is_an_error(torch_names, data):
    content = one_tensor(torch_names)
    length = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(ValueError, match="legacy format"):
        read_torch_file(content[:length])


def test_files_are_read_without_unpickling(torch_names, monkeypatch):
    content = one_tensor(torch_names)

    def forbidden(*args, **kwargs):
        raise AssertionError("pickle was used")

    for name in ("load", "loads", "Unpickler"):
        monkeypatch.setattr(pickle, name, forbidden)
    assert read_torch_file(content)["weight"].tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        (b"c__builtin__\neval\n.", "__builtin__.eval is not allowed"),
        (b"ccollections\nOrderedDict\n)\x81.", "NEWOBJ is not allowed"),
        (b"ctorch\nFloatStorage\n)R.", "must not be called"),
        (b"]}\x8c\x01aN\x86s.", "SHORT_BINUNICODE is not allowed"),
        (b")Na.", "only be appended to a list"),
        (b")NNs.", "only be set in a dictionary"),
        (b"0.", "POP is not allowed"),
        (b"R.", "The stack is empty"),
    ],
)
def test_other_instructions_are_errors(program, message):
    with pytest.raises(ValueError, match=f"legacy format: .*{message}"):
        read_torch_file(program)


def nested_tuples(depth):
    """A program that makes a tuple of two times a tuple of two times ..."""
    parts = [b"\x80\x02)q\x00"]
    parts += [b"h\x00h\x00\x86q\x00"] * depth
    return b"".join(parts)


@pytest.mark.parametrize(
    "end",
    [
        b"q\x01}h\x01Ns.",  # as a key
        b"Q.",  # as a storage
        b"ccollections\nOrderedDict\n(h\x00N\x86\x85tR.",  # in an OrderedDict
        b"q\x01h\x01)R.",  # as a function
    ],
)
def test_nested_tuples_are_not_hashed_or_printed(end):
    program = nested_tuples(60) + end
    with pytest.raises(ValueError, match="legacy format"):
        read_torch_file(program)
