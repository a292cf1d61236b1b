import shutil
import sys

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from skhisto import load_features

h5py = pytest.importorskip("h5py")

RNG = np.random.default_rng(0)
A = RNG.normal(size=(4, 6)).astype(np.float32)
B = RNG.normal(size=(3, 6)).astype(np.float32)
COORDS = np.arange(8).reshape(4, 2)


def write(path, **datasets):
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in datasets.items():
            file[name] = values
    return path


@pytest.mark.parametrize("name", ["features", "feats"])
@pytest.mark.parametrize("leading", [False, True])
def test_a_file_of_features_and_coordinates(name, leading, tmp_path):
    features, coords = (A[None], COORDS[None]) if leading else (A, COORDS)
    path = write(tmp_path / "slide 1.h5", **{name: features}, coords=coords)
    loaded = load_features(path)
    assert_array_equal(loaded.data, A)
    assert loaded.data.dtype == np.float32
    assert_array_equal(loaded.coords, COORDS)
    assert loaded.coords.dtype == np.int64
    assert loaded.groups.tolist() == ["slide 1"] * 4
    assert loaded.names is None
    assert "6 features of 4 patches from 1 slides" in loaded.DESCR


def test_a_folder_of_slides_is_sorted_and_hidden_files_are_skipped(tmp_path):
    write(tmp_path / "b.h5", features=B.astype(np.float16))
    write(tmp_path / "sub" / "a.hdf5", features=A.astype(np.float64))
    (tmp_path / "._b.h5").write_bytes(b"\x00\x05\x16\x07")
    (tmp_path / "notes.txt").write_text("nothing")
    loaded = load_features(tmp_path)
    assert loaded.groups.tolist() == ["b"] * 3 + ["a"] * 4
    assert_array_equal(loaded.data, np.vstack([B.astype(np.float16), A]))
    assert loaded.coords is None
    assert loaded.names is None


def test_files_with_a_generic_name_are_named_by_their_folder(tmp_path, monkeypatch):
    write(tmp_path / "slide_2" / "features.h5", features=A)
    write(tmp_path / "slide_1" / "feats.h5", feats=B)
    loaded = load_features(tmp_path)
    assert loaded.groups.tolist() == ["slide_1"] * 3 + ["slide_2"] * 4
    monkeypatch.chdir(tmp_path / "slide_2")
    assert load_features("features.h5").groups.tolist() == ["slide_2"] * 4


def test_names_and_coordinates_that_some_files_have(tmp_path):
    names = np.array(["x.jpg", "y.jpg", "z.jpg"], dtype=h5py.string_dtype())
    write(tmp_path / "a.h5", features=A, coords=COORDS)
    write(tmp_path / "b.h5", features=B, metadata=names)
    loaded = load_features(tmp_path)
    assert loaded.names.tolist() == [""] * 4 + ["x.jpg", "y.jpg", "z.jpg"]
    assert_array_equal(loaded.coords, np.vstack([COORDS, np.full((3, 2), np.nan)]))


def test_metadata_that_are_not_text_are_not_names(tmp_path):
    path = write(tmp_path / "a.h5", features=A, metadata=np.arange(4))
    assert load_features(path).names is None


def test_a_slide_without_patches_has_no_rows(tmp_path):
    write(tmp_path / "a.h5", features=np.empty((0, 6), np.float32))
    with pytest.raises(ValueError, match=r"features in .* have 0 rows"):
        load_features(tmp_path)
    write(tmp_path / "b.h5", features=B)
    assert load_features(tmp_path).groups.tolist() == ["b"] * 3


@pytest.mark.parametrize(
    ("datasets", "message"),
    [
        (
            {"embeddings": A},
            r"no dataset named 'features' or 'feats'.*\['embeddings'\]",
        ),
        ({"features": A[0]}, r"'features' of .* has the shape \(6,\)"),
        ({"features": np.stack([A, A])}, r"has the shape \(2, 4, 6\)"),
        ({"features": A, "coords": COORDS[:3]}, r"'coords' .*Expected \(4, 2\)"),
        (
            {"features": A, "metadata": np.array([b"a"] * 3)},
            r"'metadata' .*Expected \(4,\)",
        ),
        (
            {"features": np.full((4, 6), np.nan)},
            "NaN .* in 4 of 4 rows. The first is row 0",
        ),
    ],
)
def test_files_with_other_contents_are_errors(datasets, message, tmp_path):
    path = write(tmp_path / "slide.h5", **datasets)
    with pytest.raises(ValueError, match=message) as error:
        load_features(path)
    assert "slide.h5" in str(error.value)


def test_different_numbers_of_features_are_an_error(tmp_path):
    write(tmp_path / "a.h5", features=A)
    write(tmp_path / "b.h5", features=B[:, :5])
    with pytest.raises(ValueError, match=r"b\.h5' has 5 features, but .*a\.h5' has 6"):
        load_features(tmp_path)


def test_two_files_of_one_slide_are_an_error(tmp_path):
    write(tmp_path / "1" / "a.h5", features=A)
    write(tmp_path / "2" / "a.h5", features=A)
    with pytest.raises(ValueError, match="have the same slide name 'a'"):
        load_features(tmp_path)


def test_missing_files_and_other_files_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.h5' does not exist"):
        load_features(tmp_path / "no.h5")
    with pytest.raises(FileNotFoundError, match="contains no files that"):
        load_features(tmp_path)
    (tmp_path / "text.h5").write_text("version https://git-lfs.github.com/spec/v1")
    with pytest.raises(ValueError, match="it is a Git LFS pointer"):
        load_features(tmp_path)


def test_without_h5py_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    path = write(tmp_path / "a.h5", features=A)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r'pip install "skhisto\[hdf5\]"'):
        load_features(path)


def test_real_files(real_data):
    loaded = load_features(real_data / "tiles" / "tcga")
    assert loaded.data.shape == (957, 512)
    slides, counts = np.unique(loaded.groups, return_counts=True)
    assert slides.tolist() == ["TCGA-3X-AAVA-01Z-00-DX1", "TCGA-AD-6964-01Z-00-DX1"]
    assert counts.tolist() == [180, 777]
    assert loaded.names[0] == "0_0_0_506.jpg"
    assert np.isnan(loaded.coords[:180]).all()
    assert loaded.coords[180].tolist() == [10240, 21504]


def test_a_real_git_lfs_pointer_is_an_error(real_data, tmp_path):
    shutil.copy(
        real_data / "badfiles" / "camelyonpatch_level_2_split_test_x.h5", tmp_path
    )
    with pytest.raises(ValueError, match=r"Git LFS pointer.*Run 'git lfs pull'"):
        load_features(tmp_path)


def test_a_link_to_another_file_is_not_followed(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["features"] = np.zeros((2, 3), np.float32)
    with h5py.File(tmp_path / "slide.h5", "w") as file:
        file["features"] = h5py.ExternalLink("other.h5", "/features")
    with pytest.raises(ValueError, match=r"slide\.h5' is a link or refers to another"):
        load_features(tmp_path / "slide.h5")


def test_a_small_file_that_states_a_huge_table_is_refused(tmp_path):
    with h5py.File(tmp_path / "slide.h5", "w") as file:
        file.create_dataset("features", (10**6, 1000), np.float32, chunks=(10, 10))
    with pytest.raises(ValueError, match=r"takes 4,036,000,000 bytes of memory, but"):
        load_features(tmp_path / "slide.h5")


@pytest.mark.parametrize("shape", [(2**26, 1), (2**32, 0)])
def test_rows_that_are_hardly_stored_cannot_exhaust_the_memory(shape, tmp_path):
    # Such as a name of the slide for each row.
    path = tmp_path / "slide.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("features", shape, np.uint8)
    with pytest.raises(ValueError, match=r"'features' of '.*slide\.h5'"):
        load_features(path)
    assert path.stat().st_size < 10_000


def test_a_chunk_that_is_larger_than_its_table_is_refused(tmp_path):
    with h5py.File(tmp_path / "slide.h5", "w") as file:
        settings = {"maxshape": (None, None), "chunks": (2**14, 2**14)}
        file.create_dataset("features", (6, 4), np.float32, **settings)
    with pytest.raises(ValueError, match="takes 1,073,741,824 bytes of memory, but"):
        load_features(tmp_path / "slide.h5")


def test_one_long_name_cannot_lengthen_all_others(tmp_path, monkeypatch):
    path = tmp_path / "slide.h5"
    write(path, features=np.zeros((2000, 1)), metadata=["x"] * 1999 + ["x" * 1000])
    assert len(load_features(path).names) == 2000
    # The table fits, its texts do not.
    monkeypatch.setattr("skhisto.patches._hdf5._ALWAYS_PLAUSIBLE_BYTES", 2_000_000)
    monkeypatch.setattr("skhisto.patches._hdf5._PLAUSIBLE_COMPRESSION", 0.01)
    with pytest.raises(ValueError, match=r"'metadata' of .* takes 8,000,000 bytes"):
        load_features(path)


def test_a_name_that_is_not_a_name_is_refused(tmp_path):
    write(tmp_path / "slide.h5", features=A, metadata=["a", "b", "x" * 1001, "d"])
    message = r"'metadata' of '.*slide\.h5' contains a name of 1,001 characters"
    with pytest.raises(ValueError, match=message):
        load_features(tmp_path / "slide.h5")
