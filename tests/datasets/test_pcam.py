"""PatchCamelyon in its HDF5 files."""

import re
import shutil

import numpy as np
import pytest

from skhisto.datasets import load_pcam
from skhisto.patches._patch_array import PatchArray

h5py = pytest.importorskip("h5py")

STEM = "camelyonpatch_level_2_split_valid"
META = """\
coord_y,coord_x,tumor_patch,center_tumor_patch,wsi
1,2,True,True,camelyon16_train_tumor_001
3,4,False,False,0010
5,6,True,False,NA
"""


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


def test_names_of_slides_stay_text_also_if_all_are_numbers(folder):
    meta = folder / f"{STEM}_meta.csv"
    meta.write_text("wsi\n010\n10\n010\n")
    assert load_pcam(folder, subset="valid").groups.tolist() == ["010", "10", "010"]


def test_without_meta_file_there_are_no_groups(folder):
    (folder / f"{STEM}_meta.csv").unlink()
    pcam = load_pcam(folder, subset="valid")
    assert pcam.groups is None
    assert pcam.meta is None


def test_return_x_y_gives_patches_and_labels_alone(folder):
    X, y = load_pcam(folder, subset="valid", return_X_y=True)
    assert X.shape == (3, 96, 96, 3)
    assert y.tolist() == [1, 0, 0]


@pytest.mark.parametrize("part", ["x", "y"])
def test_a_missing_file_is_named(folder, part):
    (folder / f"{STEM}_{part}.h5").unlink()
    with pytest.raises(FileNotFoundError, match=rf"{STEM}_{part}\.h5' does not exist"):
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
            r"dtype float64, but .* The first are \[0\.0, nan, 0\.5\]",
        ),
        ([b"0", b"1", b"1"], r"dtype \|S1, but integers or booleans were expected"),
        ([0, 7, -1], r"not in 2 rows: 1, 2 \(counted from 0\); the first is 7\."),
    ],
)
def test_labels_other_than_0_and_1_are_an_error(folder, labels, message):
    with h5py.File(folder / f"{STEM}_y.h5", "w") as file:
        file["y"] = np.array(labels).reshape(3, 1, 1, 1)
    with pytest.raises(ValueError, match=rf"labels in '.*{STEM}_y\.h5' .*{message}"):
        load_pcam(folder, subset="valid")


@pytest.mark.parametrize("shape", [(0, 96, 96, 3), (3, 96, 96, 0), (3, 96, 96, 5)])
def test_files_without_patches_or_with_other_channels_are_an_error(folder, shape):
    with h5py.File(folder / f"{STEM}_x.h5", "w") as file:
        file["x"] = np.zeros(shape, dtype=np.uint8)
    message = rf"{STEM}_x\.h5' have shape {re.escape(str(shape))}, but .* 1 to 4 chan"
    with pytest.raises(ValueError, match=message):
        load_pcam(folder, subset="valid")


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        (META.replace("wsi", "slide"), "no column 'wsi'"),
        (META + "7,8,False,False,z\n", "slides of 4 patches, but there are 3"),
        (META.replace("0010", ""), "slides of 2 patches, but there are 3"),
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
    with pytest.raises(ValueError, match=rf"{pointer}' cannot be read.*git lfs pull"):
        load_pcam(tmp_path, subset="test")
