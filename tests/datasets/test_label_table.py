"""Tables of patches with the user's own columns."""

import csv
import os
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skhisto import load_patch_folder
from skhisto.datasets._label_table import (
    as_integers_if_written_so,
    column_values,
    find_files,
)

seeded = settings(derandomize=True, deadline=None)

words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=6)
paths = st.lists(
    st.tuples(words, words, words).map("/".join), min_size=1, max_size=8, unique=True
)


@pytest.fixture
def folder(tmp_path):
    """Images like those of MHIST, whose red channel counts them."""
    images = tmp_path / "images"
    images.mkdir()
    for value in range(3):
        Image.new("RGB", (5, 4), (value, 0, 0)).save(images / f"MHIST_a{value}.png")
    return images


def write_csv(path, header, *rows):
    with open(path, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


MHIST = ["Image Name", "Majority Vote Label", "Partition"]
ROWS = [["MHIST_a2.png", "SSA", "train"], ["MHIST_a0.png", "HP", "test"]]
COLUMNS = {"path": "Image Name", "label": "Majority Vote Label"}


@pytest.mark.parametrize("as_frame", [False, True])
def test_a_table_has_columns_of_any_name(folder, as_frame):
    table = write_csv(folder.parent / "annotations.csv", MHIST, *ROWS)
    if as_frame:
        table = pd.read_csv(table)
    patches = load_patch_folder(folder, table=table, **COLUMNS, group="Partition")
    assert patches.target.tolist() == ["SSA", "HP"]
    assert patches.groups.tolist() == ["train", "test"]
    assert np.asarray(patches.data)[:, 0, 0, 0].tolist() == [2, 0]
    assert patches.meta["Partition"].tolist() == ["train", "test"]
    assert "layout: a table of files" in patches.DESCR
    assert "files without a row, left out: 1" in patches.DESCR
    assert "column 'Majority Vote Label'" in patches.DESCR


def test_a_selection_of_rows_of_a_data_frame_selects_files(folder):
    table = pd.DataFrame(ROWS, columns=MHIST)
    table = table[table["Partition"] == "test"]
    patches = load_patch_folder(folder, table=table, **COLUMNS)
    assert patches.ids.tolist() == ["MHIST_a0"]


def test_a_pattern_is_searched_for_only_in_the_files_of_the_table(folder):
    Image.new("RGB", (5, 4)).save(folder / "junk.png")
    table = pd.DataFrame(ROWS, columns=MHIST)
    patches = load_patch_folder(
        folder, table=table, **COLUMNS, pattern=r"_a(?P<group>\d)"
    )
    assert patches.target.tolist() == ["SSA", "HP"]
    assert patches.groups.tolist() == [2, 0]
    assert patches.meta["group"].tolist() == ["2", "0"]


def test_rows_without_a_file_are_left_out_on_request_only(folder):
    table = pd.DataFrame([*ROWS, ["gone.png", "HP", "test"]], columns=MHIST)
    with pytest.raises(
        FileNotFoundError,
        match=r"does not contain: 1 Image Name: gone.*on_missing='skip'",
    ):
        load_patch_folder(folder, table=table, **COLUMNS)
    patches = load_patch_folder(folder, table=table, **COLUMNS, on_missing="skip")
    assert patches.target.tolist() == ["SSA", "HP"]
    assert len(patches.meta) == 2
    assert "rows without a file, left out: 1" in patches.DESCR


def test_a_subset_of_the_files_of_kaggle_is_read_on_request(folder):
    folder.rename(folder.parent / "train")
    rows = [(f"MHIST_a{i}", i % 2) for i in range(5)]
    write_csv(folder.parent / "train_labels.csv", ["id", "label"], *rows)
    with pytest.raises(FileNotFoundError, match="does not contain: 2 id"):
        load_patch_folder(folder.parent)
    patches = load_patch_folder(folder.parent, on_missing="skip")
    assert patches.target.tolist() == [0, 1, 0]


def test_files_without_a_row_are_left_out_of_kaggle_on_request(folder):
    folder.rename(folder.parent / "train")
    rows = [("MHIST_a2", 1), ("gone", 0), ("MHIST_a0", 0)]
    write_csv(folder.parent / "train_labels.csv", ["id", "label"], *rows)
    patches = load_patch_folder(folder.parent, on_missing="skip")
    assert patches.ids.tolist() == ["MHIST_a2", "MHIST_a0"]
    assert "files without a row, left out: 1" in patches.DESCR
    write_csv(folder.parent / "train_labels.csv", ["id", "label"], rows[0])
    with pytest.raises(
        ValueError, match=r"no label for 2 ids: MHIST_a0, MHIST_a1 .*on_missing='skip'"
    ):
        load_patch_folder(folder.parent)


@pytest.mark.parametrize("parameter", ["label", "group"])
def test_folder_means_the_folder_if_the_table_has_no_such_column(folder, parameter):
    table = pd.DataFrame({"id": ["images/MHIST_a1"], "y": ["b"]})
    found = "target" if parameter == "label" else "groups"
    patches = load_patch_folder(folder.parent, table=table, **{parameter: "folder"})
    assert patches[found].tolist() == ["images"]
    assert "names of folders" in patches.DESCR
    table["folder"] = ["of the table"]
    patches = load_patch_folder(folder.parent, table=table, **{parameter: "folder"})
    assert patches[found].tolist() == ["of the table"]


def test_the_folder_is_not_class_and_group_at_once_with_a_table_either(folder):
    table = pd.DataFrame({"id": ["images/MHIST_a1"]})
    with pytest.raises(ValueError, match="leave open which level of folders"):
        load_patch_folder(folder.parent, table=table, label="folder", group="folder")


def test_a_table_of_none_of_the_files_is_an_error_in_any_case(folder):
    table = pd.DataFrame({"id": ["x", "y"]})
    with pytest.raises(FileNotFoundError, match="does not contain: 2 ids: x, y"):
        load_patch_folder(folder, table=table, on_missing="skip")


@pytest.mark.parametrize(
    "labels",
    [
        [1, 2, 3],
        [0.5, 1.5, 2.5],
        [True, False, True],
        ["a", "b", "c"],
        pd.Categorical(["a", "b", "a"]),
    ],
)
def test_labels_of_a_data_frame_keep_their_type(folder, labels):
    table = pd.DataFrame({"id": [f"MHIST_a{i}" for i in range(3)], "y": labels})
    target = load_patch_folder(folder, table=table, label="y").target
    assert target.tolist() == list(labels)
    assert target.dtype.kind == np.asarray(list(labels)).dtype.kind


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([["a", "1"], ["MHIST_a0", ""]], "does not contain: 1 id: a"),
        (
            [["MHIST_a0", ""]],
            r"missing, infinite or too large .* for 1 id: MHIST_a0.* ''",
        ),
        ([["MHIST_a0", "1"], ["MHIST_a0", "2"]], "more than one row for 1 id"),
        ([["MHIST_a0", "1"], ["MHIST_a0.png", "2"]], "for 1 file: MHIST_a0.png"),
        ([["", "1"]], "1 row: 1 without an id"),
    ],
)
def test_a_bad_row_is_named(folder, rows, message):
    table = write_csv(folder.parent / "table.csv", ["id", "label"], *rows)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        load_patch_folder(folder, table=table, label="label")


@pytest.mark.parametrize("kind", [str, pd.DataFrame])
def test_a_missing_column_is_named_with_those_that_exist(folder, kind):
    table = write_csv(folder.parent / "table.csv", ["id", "label"], ["MHIST_a0", "1"])
    table = pd.read_csv(table) if kind is pd.DataFrame else str(table)
    with pytest.raises(ValueError, match=r"'grade'.*\['id', 'label'\]"):
        load_patch_folder(folder, table=table, label="grade")


def test_a_missing_label_of_a_data_frame_is_an_error(folder):
    table = pd.DataFrame({"id": ["MHIST_a0", "MHIST_a1"], "y": ["a", None]})
    with pytest.raises(
        ValueError, match=r"The data frame has missing, .* 1 id: MHIST_a1"
    ):
        load_patch_folder(folder, table=table, label="y")


def test_groups_that_differ_only_in_zeros_stay_apart(folder):
    rows = [["MHIST_a0", "01"], ["MHIST_a1", "1"]]
    table = write_csv(folder.parent / "table.csv", ["id", "slide"], *rows)
    groups = load_patch_folder(folder, table=table, group="slide").groups
    assert groups.tolist() == ["01", "1"]


# Which file a row names


@seeded
@given(paths, st.data())
def test_a_row_finds_its_file_with_or_without_suffix_and_folders(names, data):
    files = [f"{name}.png" for name in names]
    for position, name in enumerate(files):
        value = data.draw(
            st.sampled_from(
                [
                    name,
                    os.path.splitext(name)[0],
                    f"./{name}",
                    f"set/{name}",
                    f"/data/set/{name}",
                    name.replace("/", "\\"),
                ]
            )
        )
        assert find_files([value], files, "id", "/data/set").tolist() == [position]


@seeded
@given(paths)
def test_the_name_alone_finds_a_file_or_is_ambiguous(names):
    last = [name.rpartition("/")[2] for name in names]
    for position, name in enumerate(last):
        if last.count(name) == 1:
            assert find_files([name], names, "id", "f").tolist() == [position]
        else:
            with pytest.raises(ValueError, match="more than one file for 1 id"):
                find_files([name], names, "id", "f")


def test_names_that_several_files_have_are_counted():
    names = ["a/1.png", "b/1.png", "b/2.png", "b/2.tif"]
    for value in ("1", "1.png", "b/2", "2", "/data/b/2"):
        with pytest.raises(
            ValueError, match=r"than one file for 1 id: .*suffix or the"
        ):
            find_files([value], names, "id", "/data")
    found = find_files(["a/1", "b/1", "2.png", "b/2.tif"], names, "id", "folder")
    assert found.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("value", ["b/1", "c/a/2.png", "1.tif", "a/1/2"])
def test_a_file_in_another_folder_or_of_another_suffix_is_not_taken(value):
    assert find_files([value], ["a/1.png", "a/b/2.png"], "id", "f").tolist() == [-1]


def test_a_row_of_another_folder_is_a_row_without_a_file(folder):
    folder = folder.rename(folder.parent / "train")
    rows = [["val/MHIST_a0.png", 1], ["train/MHIST_a0.png", 0], ["MHIST_a1", 0]]
    table = pd.DataFrame(rows, columns=["id", "y"])
    with pytest.raises(FileNotFoundError, match="does not contain: 1 id: val/MHIST_a0"):
        load_patch_folder(folder, table=table, label="y")
    for parent, subset in ((folder, None), (folder.parent, "train")):
        patches = load_patch_folder(
            parent, subset=subset, table=table, label="y", on_missing="skip"
        )
        assert patches.ids.tolist() == ["MHIST_a0", "MHIST_a1"]
        assert patches.target.tolist() == [0, 0]
        assert "rows without a file, left out: 1" in patches.DESCR


@pytest.mark.parametrize("value", ["data/1.png", "in/1.png", "/set/1.png", "../1.png"])
def test_folders_that_differ_from_the_end_of_the_path_are_not_dropped(value):
    assert find_files([value], ["1.png"], "id", "/data/train").tolist() == [-1]


@seeded
@given(
    st.lists(st.integers(-(2**40), 2**40), min_size=1)
    | st.lists(st.floats(-1e9, 1e9), min_size=1)
    | st.lists(words.map(lambda word: f"x{word}"), min_size=1)
)
def test_values_survive_text(values):
    column = pd.Series([str(value) for value in values], dtype=str, name="label")
    array = column_values("t.csv", column, column, are_names=False)
    assert array.tolist() == values


@seeded
@given(st.lists(st.text("0123456789-+ ", min_size=1, max_size=4), min_size=1))
def test_names_never_merge(names):
    array = as_integers_if_written_so(names)
    assert len(np.unique(array)) == len(set(names))


def test_a_long_text_in_place_of_a_path_takes_no_quadratic_memory():
    text = "a/" * 60_000
    tracemalloc.start()
    found = find_files([text, "x"], ["x.png"], "id", "folder")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.tolist() == [-1, 0]
    assert peak < 10 * 2**20
