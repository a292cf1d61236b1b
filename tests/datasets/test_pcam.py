"""PatchCamelyon in its HDF5 files."""

import gzip
import hashlib
import re
import shutil
import warnings

import numpy as np
import pytest

from skhisto.datasets import _pcam_files, load_pcam
from skhisto.patches._patch_array import PatchArray

h5py = pytest.importorskip("h5py")

STEM = "camelyonpatch_level_2_split_valid"
META = """\
coord_y,coord_x,tumor_patch,center_tumor_patch,wsi
1,2,True,True,camelyon16_train_tumor_001
3,4,False,False,0010
5,6,True,False,NA
"""


@pytest.fixture(autouse=True)
def published(monkeypatch):
    """Three patches were published, not thousands."""
    monkeypatch.setitem(_pcam_files.N_PUBLISHED, "valid", 3)


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path, pixels):
    with h5py.File(tmp_path / f"{STEM}_x.h5", "w") as file:
        file["x"] = pixels
    with h5py.File(tmp_path / f"{STEM}_y.h5", "w") as file:
        file["y"] = np.array([1, 0, 0], dtype=np.uint8).reshape(3, 1, 1, 1)
    (tmp_path / f"{STEM}_meta.csv").write_text(META)
    return tmp_path


def test_patches_and_labels_are_those_of_the_files(folder, pixels):
    pcam = load_pcam(folder, subset="valid")
    assert isinstance(pcam.data, PatchArray)
    np.testing.assert_array_equal(np.asarray(pcam.data), pixels)
    assert pcam.target.tolist() == [1, 0, 0]
    assert pcam.target.dtype == np.int64
    assert [pcam.target_names[label] for label in pcam.target[:2]] == [
        "tumour",
        "normal",
    ]
    assert pcam.rows.tolist() == [0, 1, 2]
    assert "3 patches of 96x96 pixels with 3 channels (uint8)" in pcam.DESCR


def test_slides_are_the_groups(folder):
    pcam = load_pcam(folder, subset="valid")
    assert pcam.groups.tolist() == ["camelyon16_train_tumor_001", "0010", "NA"]
    assert pcam.meta["center_tumor_patch"].tolist() == [True, False, False]
    assert pcam.meta["coord_x"].tolist() == [2, 4, 6]


@pytest.mark.parametrize("return_X_y", [False, True])
def test_the_patches_contain_their_slides_and_coordinates(folder, return_X_y):
    pcam = load_pcam(folder, subset="valid", return_X_y=return_X_y)
    data = pcam[0] if return_X_y else pcam.data
    assert data.groups.tolist() == ["camelyon16_train_tumor_001", "0010", "NA"]
    assert data[1:].coords.tolist() == [[4, 3], [6, 5]]
    if not return_X_y:
        assert pcam.coords.tolist() == data.coords.tolist()


def test_names_of_slides_stay_text_also_if_all_are_numbers(folder):
    meta = folder / f"{STEM}_meta.csv"
    meta.write_text("wsi\n010\n10\n010\n")
    assert load_pcam(folder, subset="valid").groups.tolist() == ["010", "10", "010"]


def test_without_meta_file_there_are_no_groups(folder):
    (folder / f"{STEM}_meta.csv").unlink()
    pcam = load_pcam(folder, subset="valid")
    assert pcam.groups is pcam.data.groups is None
    assert pcam.coords is pcam.data.coords is None
    assert pcam.meta is None


def test_return_x_y_gives_patches_and_labels_alone(folder):
    X, y = load_pcam(folder, subset="valid", return_X_y=True)
    assert X.shape == (3, 96, 96, 3)
    assert y.tolist() == [1, 0, 0]


@pytest.mark.parametrize("part", ["x", "y"])
def test_a_missing_file_is_named(folder, part):
    (folder / f"{STEM}_{part}.h5").unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"{STEM}_{part}\.h5' does not exist"
    ) as error:
        load_pcam(folder, subset="valid")
    assert str(error.value).count("does not exist") == 1
    assert f"needs the files {STEM}_x.h5 and {STEM}_y.h5." in str(error.value)
    assert "https://github.com/basveeling/pcam" in str(error.value)


def test_a_missing_folder_is_named_with_the_files_that_are_needed(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"folder '.*gone' does no") as error:
        load_pcam(tmp_path / "gone", subset="valid")
    assert f"needs the files {STEM}_x.h5 and {STEM}_y.h5." in str(error.value)


def test_compressed_files_must_be_decompressed(folder):
    for part in "xy":
        path = folder / f"{STEM}_{part}.h5"
        path.rename(f"{path}.gz")
    with pytest.raises(FileNotFoundError, match=r"_x\.h5' does .*_y\.h5' .*gunzip"):
        load_pcam(folder, subset="valid")


def test_labels_of_another_number_are_an_error(folder):
    with h5py.File(folder / f"{STEM}_y.h5", "w") as file:
        file["y"] = np.zeros((4, 1, 1, 1), dtype=np.uint8)
    with pytest.raises(ValueError, match=r"_y\.h5' have shape \(4, 1, 1, 1\).* 3 patc"):
        load_pcam(folder, subset="valid")


def test_labels_of_any_integers_or_booleans_are_integers(folder):
    for dtype in (np.bool_, np.int8, np.uint64):
        with h5py.File(folder / f"{STEM}_y.h5", "w") as file:
            file["y"] = np.array([1, 0, 0], dtype=dtype).reshape(3, 1, 1, 1)
        target = load_pcam(folder, subset="valid").target
        assert target.tolist() == [1, 0, 0]
        assert target.dtype == np.int64


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [0.0, np.nan, 0.5],
            r"dtype float64\. .* The first labels are \[0\.0, nan, 0\.5\]",
        ),
        ([b"0", b"1", b"1"], r"dtype \|S1, but numbers were expected"),
        ([0, 7, -1], r"not in 2 rows: 1, 2 \(counted from 0\)\. The first is 7\."),
    ],
)
def test_labels_other_than_0_and_1_are_an_error(folder, labels, message):
    with h5py.File(folder / f"{STEM}_y.h5", "w") as file:
        file["y"] = np.array(labels).reshape(3, 1, 1, 1)
    with pytest.raises(ValueError, match=rf"'.*{STEM}_y\.h5' .*{message}"):
        load_pcam(folder, subset="valid")


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((0, 96, 96, 3), "u1"),
        ((3, 96, 96, 1), "u1"),
        ((3, 32, 32, 3), "u1"),
        ((3, 96, 96, 3), "f4"),
    ],
)
def test_patches_of_another_shape_or_dtype_are_an_error(folder, shape, dtype):
    with h5py.File(folder / f"{STEM}_x.h5", "w") as file:
        file["x"] = np.zeros(shape, dtype=dtype)
    message = (
        rf"{STEM}_x\.h5' have shape {re.escape(str(shape))} and dtype .*, 96, 96, 3"
    )
    with pytest.raises(ValueError, match=message):
        load_pcam(folder, subset="valid")


# Comparison with the published files


@pytest.mark.parametrize("return_X_y", [False, True])
def test_another_number_of_patches_is_a_warning_that_names_the_file(
    folder, monkeypatch, return_X_y
):
    monkeypatch.setitem(_pcam_files.N_PUBLISHED, "valid", 4)
    message = rf"{STEM}_x\.h5' contains 3 patches, but the published file contains 4"
    with pytest.warns(UserWarning, match=message) as caught:
        load_pcam(folder, subset="valid", return_X_y=return_X_y)
    assert len(caught) == 1
    with pytest.raises(ValueError, match=message):
        load_pcam(folder, subset="valid", verify=True)


def test_the_published_number_of_patches_is_no_warning(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pcam = load_pcam(folder, subset="valid", verify=True)
    assert "https://github.com/basveeling/pcam with 3 patches" in pcam.DESCR
    assert "The number of patches here is the same" in pcam.DESCR


@pytest.fixture
def archives(folder, monkeypatch):
    """Compressed files beside the others, and their sums as those published."""
    for part in "xy":
        name = f"{STEM}_{part}.h5"
        packed = gzip.compress((folder / name).read_bytes())
        (folder / f"{name}.gz").write_bytes(packed)
        monkeypatch.setitem(
            _pcam_files.PUBLISHED_MD5, f"{name}.gz", hashlib.md5(packed).hexdigest()
        )
    return folder


def test_files_with_the_published_sums_are_fine(archives):
    assert len(load_pcam(archives, subset="valid", verify=True).data) == 3


@pytest.mark.parametrize("part", ["x", "y"])
def test_an_archive_with_another_sum_is_named(archives, part):
    archive = archives / f"{STEM}_{part}.h5.gz"
    archive.write_bytes(archive.read_bytes() + b"more")
    with pytest.raises(ValueError, match=rf"_{part}\.h5\.gz' is not the published"):
        load_pcam(archives, subset="valid", verify=True)
    load_pcam(archives, subset="valid")


def test_pixels_that_differ_from_the_archive_are_found(archives, pixels):
    with h5py.File(archives / f"{STEM}_x.h5", "r+") as file:
        file["x"][2, 95, 95, 2] ^= 1
    with pytest.raises(
        ValueError, match=rf"{STEM}_x\.h5' and the published file .* have different"
    ):
        load_pcam(archives, subset="valid", verify=True)


def test_a_file_that_is_longer_than_the_content_of_the_archive_is_found(archives):
    with open(archives / f"{STEM}_y.h5", "ab") as file:
        file.write(b"more")
    with pytest.raises(
        ValueError, match=rf"{STEM}_y\.h5' and the published file .* have different"
    ):
        load_pcam(archives, subset="valid", verify=True)


def test_damaged_pixels_are_found_without_an_archive(folder, pixels):
    path = folder / f"{STEM}_x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=pixels, chunks=(1, 96, 96, 3), compression="gzip")
        offset = file["x"].id.get_chunk_info(2).byte_offset
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(bytes(100))
    load_pcam(folder, subset="valid")
    with pytest.raises(ValueError, match=rf"{STEM}_x\.h5' is truncated or damaged"):
        load_pcam(folder, subset="valid", verify=True)


def test_the_published_sums_are_those_of_all_six_files():
    assert len(set(_pcam_files.PUBLISHED_MD5.values())) == 6
    for name, md5 in _pcam_files.PUBLISHED_MD5.items():
        assert re.fullmatch(r"camelyonpatch_level_2_split_\w+_[xy]\.h5\.gz", name)
        assert re.fullmatch("[0-9a-f]{32}", md5)


# The meta file


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        (META.replace("wsi", "slide"), "must have a column 'wsi'"),
        (META + "7,8,False,False,z\n", "slides of 4 patches, but there are 3"),
        (META.replace("0010", ""), "slides of 2 patches, but there are 3"),
        (META.replace("3,4", "3,x"), r"in 1 row: 1 \(counted from 0\)"),
        ("", "cannot be read as CSV"),
    ],
)
def test_a_bad_meta_file_is_named(folder, meta, message):
    (folder / f"{STEM}_meta.csv").write_text(meta)
    with pytest.raises(ValueError, match=rf"_meta\.csv' .*({message})"):
        load_pcam(folder, subset="valid")


def test_an_unknown_subset_is_an_error(folder):
    with pytest.raises(ValueError, match="The 'subset' parameter of load_pcam"):
        load_pcam(folder, subset="validation")


def test_a_git_lfs_pointer_of_the_real_data_is_named(real_data, tmp_path):
    pointer = "camelyonpatch_level_2_split_test_x.h5"
    shutil.copy(real_data / "badfiles" / pointer, tmp_path)
    (tmp_path / pointer.replace("_x", "_y")).touch()
    with pytest.raises(ValueError, match=rf"{pointer}' cannot be read.*git lfs pull"):
        load_pcam(tmp_path, subset="test")
