"""Files of checkpoints: round trips, damage and simultaneous writers."""

import errno
import json
import os
import struct
import threading
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from skhisto._classifier.checkpoint_file import CheckpointFile

DOCUMENT = {"seed": 1, "history": {"loss": [0.1, None]}, "text": "ü"}
ARRAYS = {"a": np.arange(6.0).reshape(2, 3), "b": np.array(3), "c": np.zeros(0, "i4")}

dtypes = st.sampled_from(["<f4", "<f8", "<f2", "<i4", "<i8", "<u4", "?"])
some_arrays = st.dictionaries(
    st.from_regex(r"[a-z_0-9]{1,9}", fullmatch=True),
    arrays(dtypes, array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)),
    max_size=4,
)
numbers = st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
documents = st.dictionaries(
    st.text(max_size=5).filter(lambda key: key not in ("arrays", "sha256")),
    numbers | st.text() | st.lists(numbers),
    max_size=4,
)


@pytest.fixture
def file(tmp_path):
    written = CheckpointFile(tmp_path / "folder")
    written.write(DOCUMENT, ARRAYS)
    return written


def assert_same(found, arrays):
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=documents, arrays=some_arrays)
def test_what_is_written_is_read(tmp_path, document, arrays):
    file = CheckpointFile(tmp_path)
    file.write(document, arrays)
    found, found_arrays = file.read()
    assert found == document | {"arrays": list(arrays)}
    assert_same(found_arrays, arrays)


def test_numpy_and_json_read_the_file(file):
    with np.load(file.path, allow_pickle=False) as stored:
        document = json.loads(stored["checkpoint.json"])
        assert_same({name: stored[name] for name in document["arrays"]}, ARRAYS)
    assert document["history"] == DOCUMENT["history"]


def test_no_file_is_no_error(tmp_path):
    assert CheckpointFile(tmp_path / "none").read() is None


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_an_error_or_reads_as_before(file, data):
    whole = bytearray(file.path.read_bytes())
    length = data.draw(st.integers(0, len(whole)))
    damaged = whole[:length] if data.draw(st.booleans()) else whole[:]
    for _ in range(data.draw(st.integers(0, 3)) if damaged else 0):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(
            st.integers(0, 255)
        )
    other = CheckpointFile(file.path.parent / "damaged")
    other.path.parent.mkdir(exist_ok=True)
    other.path.write_bytes(damaged)
    with suppress(ValueError):
        document, arrays = other.read()
        assert document == DOCUMENT | {"arrays": list(ARRAYS)}
        assert_same(arrays, ARRAYS)


def rewritten(file, change):
    """Change the members of a file, with valid checksums of the ZIP format."""
    with zipfile.ZipFile(file.path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(file.path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def flip_an_array(members):
    members["a.npy"] = members["a.npy"][:-1] + b"\1"


def change_the_seed(members):
    text = members["checkpoint.json"].replace(b'"seed": 1', b'"seed": 2')
    members["checkpoint.json"] = text


def claim_a_huge_array(members):
    text = members["a.npy"].replace(b"(2, 3)", b"(2, 9999999999)")
    members["a.npy"] = text


def drop_an_array(members):
    del members["b.npy"]


def nest_deeply(members):
    members["checkpoint.json"] = b"[" * 100_000


@pytest.mark.parametrize(
    "change",
    [flip_an_array, change_the_seed, claim_a_huge_array, drop_an_array, nest_deeply],
)
def test_changed_members_are_an_error_although_the_zip_file_is_valid(file, change):
    rewritten(file, change)
    with pytest.raises(ValueError, match="it is truncated or corrupt"):
        file.read()


def test_compressed_members_are_an_error(file):
    with zipfile.ZipFile(file.path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("more.npy", bytes(1000))
    with pytest.raises(ValueError, match=r"more\.npy is compressed"):
        file.read()


def test_pickled_arrays_are_an_error(file):
    objects = np.array([None])
    with pytest.raises(ValueError, match="allow_pickle"):
        file.write({}, {"objects": objects})
    np.savez(file.path, objects=objects)
    with pytest.raises(ValueError, match="truncated or corrupt"):
        file.read()


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_after_an_error_the_file_is_as_before(file, monkeypatch, function):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, function, full)
        with pytest.raises(OSError, match="No space"):
            file.write({"seed": 2}, {})
    assert file.read()[0]["seed"] == 1
    assert os.listdir(file.path.parent) == [file.path.name]


def test_a_full_disk_within_an_array_leaves_the_file(file, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(np.lib.format, "write_array", full)
        with pytest.raises(OSError, match="No space"):
            file.write({"seed": 2}, ARRAYS)
    assert file.read()[0]["seed"] == 1
    assert os.listdir(file.path.parent) == [file.path.name]


def test_the_file_is_synced_before_it_gets_its_name(file, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        original = getattr(os, name)
        monkeypatch.setattr(
            os,
            name,
            lambda *args, name=name, original=original: (
                calls.append(name),
                original(*args),
            ),
        )
    file.write({"seed": 2}, ARRAYS)
    assert calls == (["fsync", "replace", "fsync"] if os.name != "nt" else calls)


def test_simultaneous_writers_leave_a_whole_file(tmp_path):
    files = [CheckpointFile(tmp_path) for _ in range(4)]

    def write(number):
        for _ in range(20):
            files[number].write({"n": number}, {"a": np.full(2000, number)})

    threads = [threading.Thread(target=write, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        stored = files[0].read()
        if stored is not None:
            assert (stored[1]["a"] == stored[0]["n"]).all()
    assert os.listdir(tmp_path) == ["checkpoint.npz"]


def test_leftovers_of_killed_processes_are_removed(file):
    leftover = file.path.with_name("checkpoint.npz.0123.tmp")
    leftover.touch()
    (file.path.parent / "other.tmp").touch()
    file.remove_leftovers()
    assert sorted(os.listdir(file.path.parent)) == ["checkpoint.npz", "other.tmp"]


def test_an_array_that_is_named_twice_is_an_error(file):
    with np.load(file.path) as stored:
        document = json.loads(stored["checkpoint.json"])
    document["arrays"] += ["a"] * 1000
    with zipfile.ZipFile(file.path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file.path, "w") as archive:
        for name, content in members.items():
            is_document = name == "checkpoint.json"
            archive.writestr(name, json.dumps(document) if is_document else content)
    with pytest.raises(ValueError, match="lists an array twice"):
        file.read()


def test_members_that_overlap_are_an_error(file):
    # The directory of the archive is repeated, and its entries point to the same data.
    content = file.path.read_bytes()
    end = content.rindex(b"PK\x05\x06")
    n_entries = int.from_bytes(content[end + 8 : end + 10], "little")
    size, start = struct.unpack_from("<II", content, end + 12)
    directory = content[start : start + size]
    n = 100 * n_entries
    last = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, n, n, size * 100, start, 0)
    file.path.write_bytes(content[:start] + directory * 100 + last)
    with pytest.raises(ValueError, match=r"larger than the file|[Oo]verlap"):
        file.read()
