"""Rows of an HDF5 dataset as a source of patches."""

import gzip
import pickle
import re
import shutil
import sys
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhisto.patches._hdf5 import HDF5Rows, unreadable
from skhisto.patches._patch_array import PatchArray

h5py = pytest.importorskip("h5py")

N, HEIGHT, WIDTH = 11, 6, 8
WHOLE = (slice(0, HEIGHT), slice(0, WIDTH))


@pytest.fixture(scope="module")
def pixels():
    shape = (N, HEIGHT, WIDTH, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(scope="module", params=["contiguous", "chunked and compressed"])
def path(request, pixels, tmp_path_factory):
    path = tmp_path_factory.mktemp("hdf5") / "x.h5"
    options = {}
    if request.param != "contiguous":
        options = {"chunks": (4, HEIGHT, WIDTH, 3), "compression": "gzip"}
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=pixels, **options)
    return path


def spans(length):
    """Strategy for slices of at least one pixel."""
    ends = st.tuples(st.integers(0, length - 1), st.integers(1, length))
    return ends.filter(lambda span: span[0] < span[1]).map(lambda span: slice(*span))


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.integers(0, N - 1), max_size=20),
    window=st.tuples(spans(HEIGHT), spans(WIDTH)),
)
def test_rows_and_windows_are_read_as_numpy_indexes_them(path, pixels, rows, window):
    rows = np.array(rows, dtype=np.intp)
    patches = HDF5Rows(path).read(rows, window)
    assert patches.dtype == np.uint8
    np.testing.assert_array_equal(patches, pixels[rows][:, window[0], window[1]])


def test_shape_and_dtype_are_those_of_the_dataset(path, pixels):
    source = HDF5Rows(path)
    assert source.shape == pixels.shape
    assert source.dtype == pixels.dtype


def test_neighbouring_rows_are_one_reading_and_no_others_are_read(path, monkeypatch):
    source = HDF5Rows(path)
    selections = []
    read_direct = h5py.Dataset.read_direct

    def recorded(self, out, source_sel, dest_sel):
        selections.append(source_sel)
        read_direct(self, out, source_sel, dest_sel)

    monkeypatch.setattr(h5py.Dataset, "read_direct", recorded)
    window = (slice(1, 3), slice(2, 5))
    source.read(np.array([7, 2, 3, 3, 4]), window)
    assert selections == [(slice(2, 5), *window), (slice(7, 8), *window)]


def test_it_is_a_source_of_a_patch_array_that_can_be_pickled(path, pixels):
    X = pickle.loads(pickle.dumps(PatchArray(HDF5Rows(path))))
    np.testing.assert_array_equal(np.asarray(X), pixels)
    np.testing.assert_array_equal(X[-1], pixels[-1])


def test_the_file_is_closed_between_readings(pixels, tmp_path):
    path = tmp_path / "x.h5"
    for value in (1, 2):
        with h5py.File(path, "w") as file:  # fails if the file is open
            file["x"] = np.full_like(pixels, value)
        source = HDF5Rows(path)
        assert (source.read(np.array([0]), WHOLE) == value).all()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"gone\.h5' does not exist"):
        HDF5Rows(tmp_path / "gone.h5")


def test_a_file_that_vanishes_is_named_at_the_next_reading(pixels, tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["x"] = pixels
    source = HDF5Rows(path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"x\.h5' does not exist"):
        source.read(np.array([0]), WHOLE)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder"):
        HDF5Rows(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (gzip.compress(b"anything", mtime=0), "gunzip"),
        (b"anything else", "not HDF5"),
    ],
)
def test_a_file_of_another_kind_is_named_with_the_cause(tmp_path, content, message):
    path = tmp_path / "x.h5"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"x\.h5' cannot be read.*{message}"):
        HDF5Rows(path)


def test_a_truncated_file_is_named(path, tmp_path):
    broken = shutil.copy(path, tmp_path / "half.h5")
    with open(broken, "r+b") as file:
        file.truncate(1000)
    with pytest.raises(ValueError, match=r"half\.h5' cannot be read.*truncated"):
        HDF5Rows(broken)


def test_a_missing_dataset_is_named_with_those_there_are(path):
    with pytest.raises(
        ValueError, match=r"not contain a dataset 'y'. It contains \['x'\]"
    ):
        HDF5Rows(path, dataset="y")


def test_a_dataset_of_another_rank_is_an_error(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["x"] = np.zeros((5, 4))
    with pytest.raises(ValueError, match=r"has shape \(5, 4\)"):
        HDF5Rows(tmp_path / "x.h5")


def test_a_file_that_may_not_be_read_keeps_its_error():
    error = PermissionError("not yours")
    assert unreadable("patches.h5", error) is error


def test_memory_that_is_not_enough_is_not_taken_for_damage(path, monkeypatch):
    def fail(*args):
        raise MemoryError

    monkeypatch.setattr(h5py.Dataset, "read_direct", fail)
    with pytest.raises(MemoryError):
        HDF5Rows(path, "x").read(np.arange(1), (slice(None), slice(None)))


def test_without_h5py_the_error_says_how_to_install_it(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"pip install \"skhisto\[hdf5\]\""):
        HDF5Rows(path)


def test_the_git_lfs_pointer_of_the_real_data_is_recognised(real_data):
    (pointer,) = (real_data / "badfiles").glob("*.h5")
    with pytest.raises(ValueError, match="git lfs pull"):
        HDF5Rows(pointer)


def pixels_in_another_file(folder, kind):
    """A file whose dataset "x" has its values in the file "other.h5"."""
    h5py = pytest.importorskip("h5py")
    values = np.ones((2, 4, 4, 3), np.uint8)
    with h5py.File(folder / "other.h5", "w") as file:
        file["x"] = values
    (folder / "other.bin").write_bytes(values.tobytes())
    path = folder / "hostile.h5"
    with h5py.File(path, "w") as file:
        if kind == "link":
            file["x"] = h5py.ExternalLink("other.h5", "/x")
        elif kind == "soft link":
            file["group"] = h5py.ExternalLink("other.h5", "/")
            file["x"] = h5py.SoftLink("/group/x")
        elif kind == "storage":
            external = [(str(folder / "other.bin"), 0, values.nbytes)]
            file.create_dataset("x", values.shape, np.uint8, external=external)
        else:
            layout = h5py.VirtualLayout(values.shape, np.uint8)
            layout[:] = h5py.VirtualSource("other.h5", "x", values.shape, np.uint8)
            file.create_virtual_dataset("x", layout)
    return path


@pytest.mark.parametrize("kind", ["link", "soft link", "storage", "virtual dataset"])
def test_values_in_other_files_are_not_read(tmp_path, kind):
    path = pixels_in_another_file(tmp_path, kind)
    message = r"'x' of '.*hostile\.h5' is a link or refers to another file"
    with pytest.raises(ValueError, match=message):
        HDF5Rows(path)


@pytest.mark.parametrize(
    ("shape", "chunks"),
    [((10**9, 8, 8, 3), (1, 8, 8, 3)), ((10, 2**14, 2**14, 3), (1, 2**14, 2**14, 3))],
)
def test_a_small_file_cannot_exhaust_the_memory(tmp_path, shape, chunks):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", shape, np.uint8, chunks=chunks)
    with pytest.raises(
        ValueError, match=r"bomb\.h5' takes [\d,]* bytes of memory, but"
    ):
        HDF5Rows(path)


def test_one_row_cannot_exhaust_the_memory(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("x", (1, 2**16, 2**16, 3), np.uint8)
    with pytest.raises(ValueError, match=r"bomb\.h5' takes 12,884,901,888 bytes"):
        HDF5Rows(tmp_path / "bomb.h5")


def test_texts_are_not_numbers(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "bomb.h5", "w") as file:
        file.create_dataset("x", (10, 1, 1, 1), "S1000000000")
    with pytest.raises(ValueError, match=r"dtype \|S1000000000, but numbers"):
        HDF5Rows(tmp_path / "bomb.h5")


def chunk_with(path, stored, filters=(), n_pixels=2**17, **settings):
    """A file of one chunk whose stored bytes are given."""
    h5py = pytest.importorskip("h5py")
    shape = (1, 1, 1, n_pixels)
    properties = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    for number in filters:
        properties.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (9,))
    with h5py.File(path, "w") as file:
        settings |= {"chunks": shape, "dcpl": properties}
        data = file.create_dataset("x", shape, np.uint8, **settings)
        data.id.write_direct_chunk((0, 0, 0, 0), stored)
    return path


def compressed_zeros(n_bytes):
    compress = zlib.compressobj(9)
    parts = [compress.compress(bytes(2**20)) for _ in range(n_bytes // 2**20)]
    return b"".join(parts) + compress.flush()


def test_a_chunk_cannot_decompress_to_more_than_its_pixels(tmp_path):
    stored = compressed_zeros(2**28)
    path = chunk_with(tmp_path / "bomb.h5", stored, compression="gzip")
    assert path.stat().st_size < 300_000
    with pytest.raises(ValueError, match=r"bomb\.h5' decompresses to more than its"):
        HDF5Rows(path)


@pytest.mark.parametrize("fletcher32", [False, True])
def test_a_large_chunk_that_decompresses_to_its_pixels_is_read(tmp_path, fletcher32):
    h5py = pytest.importorskip("h5py")
    pixels = np.random.default_rng(0).integers(0, 256, (1, 1, 1, 2**18), np.uint8)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        settings = {"compression": "gzip", "shuffle": True, "fletcher32": fletcher32}
        file.create_dataset("x", data=pixels, chunks=pixels.shape, **settings)
    rows = HDF5Rows(tmp_path / "x.h5")
    window = (slice(0, 1), slice(0, 1))
    np.testing.assert_array_equal(rows.read(np.array([0]), window), pixels)


@pytest.mark.parametrize("filters", [(1, 1), (32000, 1), (6,)])
def test_filters_that_could_exhaust_the_memory_are_refused(tmp_path, filters):
    path = chunk_with(tmp_path / "bomb.h5", b"\0", filters)
    message = rf"bomb\.h5' has the HDF5 filters {re.escape(str(list(filters)))}\. Only"
    with pytest.raises(ValueError, match=message):
        HDF5Rows(path)


def test_damaged_rows_are_an_error_that_names_the_file(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "damaged.h5"
    with h5py.File(path, "w") as file:
        settings = {"chunks": (1, 8, 8, 3), "compression": "gzip"}
        data = file.create_dataset("x", (2, 8, 8, 3), np.uint8, **settings)
        data[:] = 7
        offset = data.id.get_chunk_info(1).byte_offset
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(bytes(8))
    rows = HDF5Rows(path)
    window = (slice(0, 8), slice(0, 8))
    assert rows.read(np.array([0]), window).max() == 7
    with pytest.raises(ValueError, match=r"damaged\.h5' is truncated or damaged"):
        rows.read(np.array([1]), window)
