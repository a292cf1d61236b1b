"""Folders of patch files with a CSV file of labels."""

import csv
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skhisto.datasets import load_patch_folder
from skhisto.datasets._id_table import listed, read_id_table
from skhisto.datasets._label_table import column_values
from skhisto.patches._patch_array import PatchArray

# Any text on one line. Lone surrogates cannot be written in UTF-8.
words = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)


def write_patches(folder, names, subset="train"):
    (folder / subset).mkdir(exist_ok=True)
    for value, name in enumerate(names):
        Image.new("RGB", (5, 4), (value, 0, 0)).save(folder / subset / name)


@pytest.fixture
def folder(tmp_path):
    """Three patches whose red is 0, 1, 2; labels in another order; ids like numbers."""
    write_patches(tmp_path, ["00123.tif", "1e5.tif", "NA.tif"])
    (tmp_path / "train_labels.csv").write_text("id,label\nNA,1\n00123,0\n1e5,1\n")
    return tmp_path


def test_patches_labels_and_names_are_in_the_order_of_the_label_file(folder):
    patches = load_patch_folder(folder)
    assert isinstance(patches.data, PatchArray)
    assert patches.data.shape == (3, 4, 5, 3)
    assert np.asarray(patches.data)[:, 0, 0, 0].tolist() == [2, 0, 1]
    assert patches.target.tolist() == [1, 0, 1]
    assert patches.target.dtype == np.int64
    assert patches.filenames.tolist() == [
        str(folder / "train" / f"{name}.tif") for name in patches.ids
    ]


def test_ids_stay_as_they_are_written(folder):
    assert load_patch_folder(folder).ids.tolist() == ["NA", "00123", "1e5"]


def test_the_description_says_what_was_loaded(folder):
    descr = load_patch_folder(folder).DESCR
    assert "3 patches of 4x5 pixels with 3 channels (uint8)" in descr
    assert str(folder / "train_labels.csv") in descr


def test_return_x_y_gives_patches_and_labels_alone(folder):
    X, y = load_patch_folder(folder, return_X_y=True)
    assert isinstance(X, PatchArray)
    assert y.tolist() == [1, 0, 1]


def test_without_label_file_rows_are_in_the_order_of_file_names(tmp_path):
    write_patches(tmp_path, ["b.png", "a.png", "c.png"], subset="test")
    patches = load_patch_folder(tmp_path, subset="test")
    assert patches.ids.tolist() == ["a", "b", "c"]
    assert patches.data[0][0, 0, 0] == 1
    assert patches.target is None


def test_labels_cannot_be_returned_where_there_are_none(tmp_path):
    write_patches(tmp_path, ["a.png"], subset="test")
    with pytest.raises(FileNotFoundError, match=r"test_labels\.csv' does not exist"):
        load_patch_folder(tmp_path, subset="test", return_X_y=True)


def test_hidden_files_and_other_files_are_no_patches(folder):
    for name in ("._00123.tif", ".hidden.png", "Thumbs.db", "readme.txt"):
        (folder / "train" / name).write_bytes(b"anything")
    (folder / "train" / "nested").mkdir()
    assert len(load_patch_folder(folder).data) == 3


def test_suffixes_may_differ_in_kind_and_case(tmp_path):
    write_patches(tmp_path, ["a.TIF", "b.png", "c.d.bmp"])
    assert load_patch_folder(tmp_path).ids.tolist() == ["a", "b", "c.d"]


def test_the_mode_is_handed_on(tmp_path):
    (tmp_path / "train").mkdir()
    Image.new("L", (5, 4)).save(tmp_path / "train" / "a.png")
    assert load_patch_folder(tmp_path, mode="L", n_jobs=2).data.shape == (1, 4, 5, 1)


# Groups


def test_there_are_no_groups_unless_a_file_tells_them(folder):
    assert load_patch_folder(folder).groups is None


def test_slide_folds_are_the_groups_where_they_exist(folder):
    text = "id,slide_fold\n1e5,3\n00123,2\nNA,0\nother,7\n"
    (folder / "slide_folds.csv").write_text(text)
    groups = load_patch_folder(folder).groups
    assert groups.tolist() == [0, 2, 3]
    assert groups.dtype == np.int64


def test_slide_folds_of_another_subset_are_no_groups(folder):
    write_patches(folder, ["x.tif"], subset="test")
    (folder / "slide_folds.csv").write_text("id,slide_fold\n1e5,3\n00123,2\nNA,0\n")
    assert load_patch_folder(folder, subset="test").groups is None


def test_groups_may_come_from_another_file_under_any_name(folder, tmp_path):
    path = tmp_path / "slides.csv"
    path.write_text("slide,id\n01,1e5\n1,00123\nwsi_3,NA\n")
    assert load_patch_folder(folder, groups=path).groups.tolist() == [
        "wsi_3",
        "1",
        "01",
    ]


def test_groups_that_differ_only_in_zeros_stay_apart(folder, tmp_path):
    path = tmp_path / "slides.csv"
    path.write_text("id,slide\n1e5,01\n00123,1\nNA,2\n")
    assert load_patch_folder(folder, groups=path).groups.tolist() == ["2", "1", "01"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,slide\n1e5,1\n", r"no group for 2 ids: NA, 00123\."),
        ("id,slide\nx,1\n", "no group for 3 ids"),
        ("id\n1e5\n", r"exactly one other.*\[\]"),
        ("id,slide,fold\n1e5,1,2\n", r"exactly one other.*\['slide', 'fold'\]"),
    ],
)
def test_a_bad_file_of_groups_is_named(folder, tmp_path, text, message):
    path = tmp_path / "slides.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"slides\.csv' .*{message}"):
        load_patch_folder(folder, groups=path)


def test_a_missing_file_of_groups_is_named(folder):
    with pytest.raises(FileNotFoundError, match=r"gone\.csv' does not exist"):
        load_patch_folder(folder, groups=folder / "gone.csv")


# Folders and labels that do not fit


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"valid' does not exist"):
        load_patch_folder(tmp_path, subset="valid")


def test_a_folder_without_images_is_named(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "._a.tif").write_bytes(b"")
    with pytest.raises(ValueError, match=r"train' does not contain image files.*\.tif"):
        load_patch_folder(tmp_path)


def test_two_files_of_one_id_are_an_error(folder):
    write_patches(folder, ["NA.png"])
    with pytest.raises(ValueError, match=r"more than one file for 1 id: NA\."):
        load_patch_folder(folder)


def test_labels_without_file_are_counted_and_named(folder):
    rows = "".join(f"x{i},1\n" for i in range(12))
    with open(folder / "train_labels.csv", "a") as file:
        file.write(rows)
    message = (
        "does not contain: 12 ids: x0, x1, x2, x3, x4, x5, x6, x7, x8, x9 and 2 more"
    )
    with pytest.raises(FileNotFoundError, match=message):
        load_patch_folder(folder)


def test_files_without_label_are_counted_and_named(folder):
    write_patches(folder, ["x.tif", "y.tif"])
    with pytest.raises(ValueError, match=r"labels\.csv' has no label for 2 ids: x, y"):
        load_patch_folder(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("id,label\n", "has a header but no rows"),
        ("name,label\na,1\n", r"\['id', 'label'\].*\['name', 'label'\]"),
        ("id,target\na,1\n", r"\['id', 'label'\].*\['id', 'target'\]"),
        ("id,label,label\na,1,0\n", "no column may occur twice"),
        ("id,label\na,1\na,0\nb,1\nb,1\n", r"more than one row for 2 ids: a, b\."),
        ("id,label\na,1\n,0\n", r"1 row: 2 without an id"),
        ("id,label\na,1\nb\n", "different number of cells in 1 row: 2"),
        ("id,label\na,1,0\nb,1,0\n", "different number of cells in 2 rows: 1, 2"),
        (
            "id,label\nNA,\n00123,0\n1e5,1\n",
            r"missing, infinite or too large .* 1 id: NA\. .*''",
        ),
        (
            "id,label\nNA,NaN\n00123,0\n1e5,1\n",
            r"missing, infinite or too large .* 1 id: NA\. .*'NaN'",
        ),
        ("id,label\nNA,0.5\n00123,inf\n1e5,1\n", r"for 1 id: 00123\. .*'inf'"),
        ("id,label\nNA,1" + "0" * 30 + "\n00123,0\n1e5,1\n", "for 1 id: NA"),
    ],
)
def test_a_bad_label_file_is_named_with_the_reason(folder, text, message):
    (folder / "train_labels.csv").write_text(text)
    with pytest.raises(ValueError, match=rf"(?s)train_labels\.csv' .*{message}"):
        load_patch_folder(folder)


def test_a_label_file_that_is_not_text_is_named(folder):
    (folder / "train_labels.csv").write_bytes(b"id,label\n\xff\xfe,1\n")
    with pytest.raises(ValueError, match=r"labels\.csv' cannot be read as CSV"):
        load_patch_folder(folder)


def test_labels_of_any_integers_are_taken(folder):
    text = "id,label\r\nNA,-1\r\n00123,2.0\r\n\r\n1e5,10\r\n"
    (folder / "train_labels.csv").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert load_patch_folder(folder).target.tolist() == [-1, 2, 10]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["tumour", "0", "1"], ["tumour", "0", "1"]),
        (["0.5", "2", "1e3"], [0.5, 2.0, 1000.0]),
        (["True", "False", "True"], ["True", "False", "True"]),
        (["Grade II", "ä, ö", "癌"], ["Grade II", "ä, ö", "癌"]),
    ],
)
def test_labels_may_be_text_or_numbers(folder, labels, expected):
    rows = zip(["NA", "00123", "1e5"], labels, strict=True)
    with open(folder / "train_labels.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "label"), *rows])
    assert load_patch_folder(folder).target.tolist() == expected


@pytest.mark.parametrize("name", ["subset", "groups", "mode", "n_jobs", "return_X_y"])
def test_a_bad_parameter_is_named(folder, name):
    with pytest.raises(
        ValueError, match=f"The '{name}' parameter of load_patch_folder"
    ):
        load_patch_folder(folder, **{name: 1.5})


# Tables of ids


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(
        st.tuples(words, st.integers(-(2**40), 2**40)),
        min_size=1,
        unique_by=lambda row: row[0],
    )
)
def test_ids_and_labels_survive_csv(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "labels.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("id", "label"), *rows])
    table = read_id_table(path, ["label"])
    assert list(table.index) == [name for name, _ in rows]
    labels = column_values(path, table["label"], table.index, are_names=False)
    assert labels.tolist() == [label for _, label in rows]


@given(st.lists(words, min_size=1, max_size=30, unique=True))
def test_things_are_counted_and_at_most_ten_named(names):
    text = listed(names, "id")
    assert text.startswith(f"{len(names)} id")
    assert text.endswith(" more") == (len(names) > 10)


@pytest.mark.parametrize(
    "name", ["../secret.png", "{parent}/secret.png", "x/../../secret", "a\0"]
)
def test_a_table_cannot_name_files_outside_of_the_folder(tmp_path, name):
    folder = tmp_path / "patches"
    folder.mkdir()
    for path in (tmp_path / "secret.png", folder / "a.png"):
        Image.new("RGB", (4, 4)).save(path)
    name = name.format(parent=tmp_path)
    (tmp_path / "table.csv").write_text(f"id,label\na,1\n{name},2\n")
    message = rf"does not contain: 1 id: {re.escape(name)}\. Use"
    with pytest.raises(FileNotFoundError, match=message):
        load_patch_folder(folder, table=tmp_path / "table.csv", label="label")
    patches = load_patch_folder(
        folder, table=tmp_path / "table.csv", label="label", on_missing="skip"
    )
    assert patches.filenames.tolist() == [str(folder / "a.png")]


# Real patches


def test_real_patches_have_labels_and_slide_folds(real_data):
    patches = load_patch_folder(real_data / "pcam")
    assert patches.data.shape == (2482, 96, 96, 3)
    assert 0.37 < patches.target.mean() < 0.39
    assert set(patches.groups) == {0, 1, 2, 3}
    assert patches.data[5].std() > 0


def test_a_git_lfs_pointer_among_the_patches_is_named(real_data, tmp_path):
    write_patches(tmp_path, ["a.tif"])
    (pointer,) = (real_data / "badfiles").glob("*.h5")
    (tmp_path / "train" / "b.tif").write_bytes(pointer.read_bytes())
    with pytest.raises(ValueError, match=r"b\.tif' cannot be read.*git lfs pull"):
        load_patch_folder(tmp_path)


def test_many_classes_are_counted_and_not_listed(tmp_path):
    for i in range(21):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{i:02}.png")
    descr = load_patch_folder(tmp_path, pattern=r"(?P<label>\d+)").DESCR
    assert "(number of different labels: 21)" in descr
