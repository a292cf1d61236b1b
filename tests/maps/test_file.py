import contextlib
import io
import json
import os
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhisto import ProbabilityMap


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.npz"


def rewrite(path, **changes):
    """Write the file again with other arrays."""
    with np.load(path, allow_pickle=False) as content:
        arrays = {name: content[name] for name in content.files}
    np.savez(path, **{**arrays, **changes})


def rewrite_header(path, **changes):
    header = json.loads(str(np.load(path)["header"]))
    rewrite(path, header=json.dumps({**header, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"mpp": None, "slide_name": "Ä \N{SNOWMAN}", "origin": (-3.1, 1 / 3)},
        {"classes": [3, 7]},
        {"classes": [False, True]},
    ],
)
def test_a_map_is_read_as_it_was_written(make_map, path, changes):
    written = make_map(**changes)
    written.save(path)
    read = ProbabilityMap.load(path)
    for name in ("probabilities", "classes", "tissue"):
        was, now = getattr(written, name), getattr(read, name)
        np.testing.assert_array_equal(now, was)
        assert now.dtype == was.dtype
    assert repr(read) == repr(written)  # all other fields


def test_the_file_has_the_name_that_is_given(make_map, tmp_path):
    make_map().save(tmp_path / "map.of.a.slide")
    assert os.listdir(tmp_path) == ["map.of.a.slide"]


def test_the_file_holds_plain_arrays_and_a_header(make_map, path):
    make_map().save(path)
    with np.load(path, allow_pickle=False) as content:
        assert set(content.files) == {"header", "probabilities", "classes", "tissue"}
        header = json.loads(str(content["header"]))
    assert header["format"] == 1


def test_a_failed_save_leaves_the_older_file(
    make_map, make_multiclass_map, path, monkeypatch
):
    make_map().save(path)
    before = path.read_bytes()

    def fail(*_, **__):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        make_multiclass_map().save(path)
    assert path.read_bytes() == before
    assert len(os.listdir(path.parent)) == 1


def test_folders_that_do_not_exist_are_named(make_map, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone' does not exist"):
        make_map().save(tmp_path / "gone" / "a.npz")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        make_map().save(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"b\.npz"):
        ProbabilityMap.load(tmp_path / "b.npz")


def test_a_newer_format_is_refused_by_its_number(make_map, path):
    make_map().save(path)
    rewrite_header(path, format=2)
    with pytest.raises(ValueError, match=r"a\.npz' .* format 2, .* newer skhisto"):
        ProbabilityMap.load(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "something else"},
        {"stride": -1},
        {"stride": float("nan")},
        {"slide_shape": [1, 2, 3]},
        {"way": ["dense"]},
        {"unknown": 1},
    ],
)
def test_headers_with_other_contents_are_refused(make_map, path, changes):
    make_map().save(path)
    rewrite_header(path, **changes)
    with pytest.raises(ValueError, match=r"a\.npz' cannot be read as a Probability"):
        ProbabilityMap.load(path)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


@pytest.mark.parametrize(
    "changes",
    [
        {"header": "[" * 100_000},
        {"header": "3"},
        {"probabilities": np.array([Bomb()], object)},
        {"probabilities": np.full((2, 2, 2), 7.0)},
        {"tissue": np.array("a")},
    ],
    ids=["deep", "number", "pickle", "range", "text"],
)
def test_hostile_arrays_are_refused(make_map, path, changes, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_map().save(path)
    rewrite(path, **changes)
    with pytest.raises(ValueError, match=r"a\.npz' cannot be read as a Probability"):
        ProbabilityMap.load(path)
    assert os.listdir(tmp_path) == ["a.npz"]


def huge_array():
    """The header of an array of a petabyte, without its contents."""
    file = io.BytesIO()
    header = {"descr": "<f4", "fortran_order": False, "shape": (1 << 48, 1, 1)}
    np.lib.format.write_array_header_1_0(file, header)
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"\x93NUMPY", pickle.dumps(Bomb()), b"a,b\n1,2\n"],
    ids=["empty", "zip", "npy", "pickle", "csv"],
)
def test_files_of_other_kinds_are_refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.npz' cannot be read as a Probability"):
        ProbabilityMap.load(path)
    assert not os.path.exists("exploded")


def test_an_array_that_claims_to_be_huge_is_refused(make_map, path):
    make_map().save(path)
    other = path.with_suffix(".other")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            is_it = name == "probabilities.npy"
            new.writestr(name, huge_array() if is_it else old.read(name))
    with pytest.raises(ValueError, match=r"cannot be read as a Probability"):
        ProbabilityMap.load(other)


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_damage_anywhere_gives_one_error_or_a_valid_map(
    make_map, tmp_path_factory, data
):
    path = tmp_path_factory.mktemp("damaged") / "a.npz"
    make_map().save(path)
    content = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[position:]
    else:
        content[position] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    # Damage to the directory of the zip file can go unnoticed.
    error = None
    with contextlib.suppress(ValueError):
        try:
            ProbabilityMap.load(path)
        except Exception as raised:
            error = raised
            raise
    assert error is None or "a.npz' cannot be read as" in str(error)


def test_a_small_file_cannot_exhaust_the_memory(make_map, path):
    make_map().save(path)
    with np.load(path) as content:
        arrays = dict(content)
    arrays["probabilities"] = np.zeros((2**14, 2**12, 1), np.float32)
    np.savez_compressed(path, **arrays)
    assert path.stat().st_size < 2**20
    with pytest.raises(
        ValueError, match=r"268,\d+,\d+ bytes, but the limit is 268,435"
    ):
        ProbabilityMap.load(path)


def test_the_limit_on_the_size_can_be_raised_and_lowered(make_map, path):
    written = make_map()
    written.save(path)
    assert repr(ProbabilityMap.load(path, max_bytes=2**40)) == repr(written)
    with pytest.raises(ValueError, match=r"the limit is 100\. Pass a higher max_bytes"):
        ProbabilityMap.load(path, max_bytes=100)


@pytest.mark.parametrize("length", [1, 2])
def test_labels_of_invalid_characters_are_refused(make_map, path, length):
    make_map().save(path)
    labels = np.full(2 * length, 65, np.uint32)
    labels[-1] = 0x110000
    rewrite(path, classes=labels.view(f"U{length}"))
    with pytest.raises(ValueError, match=r"cannot be read as a Prob.*character"):
        ProbabilityMap.load(path)


def test_labels_of_endless_texts_are_refused(make_map, path):
    with pytest.raises(ValueError, match="at most 1000 characters, got 1001"):
        make_map(classes=["a" * 1001, "b"])
    make_map(classes=["a" * 1000, "b"]).save(path)
    assert ProbabilityMap.load(path).classes[0] == "a" * 1000


@pytest.mark.parametrize("number", [1e308, 10**400])
def test_numbers_that_overflow_are_refused(make_map, path, number):
    make_map().save(path)
    rewrite_header(path, stride=number)
    with pytest.raises(ValueError, match="stride must be 1 positive"):
        ProbabilityMap.load(path)
