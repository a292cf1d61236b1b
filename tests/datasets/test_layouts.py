"""Folders of classes, of slides and of parts of the data, and what is among them."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score

from skhisto import load_patch_folder
from skhisto.datasets._layouts import as_ids
from skhisto.datasets._listing import list_images
from skhisto.datasets._published_sets import description, recognise

IDC = r"^(?P<group>\d+)_idx5_x(?P<x>\d+)_y(?P<y>\d+)_class(?P<label>\d)"
BREAKHIS = r"SOB_(?P<label>[BM])_(?P<type>\w+)-(?P<group>\d+-\w+)-400"


def write(folder, *names, size=(5, 4)):
    """Write images whose red channel counts them."""
    for value, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (value, 0, 0)).save(path)


# One folder per class or per slide


def test_folders_are_classes_on_request(tmp_path):
    write(tmp_path, "b/1.png", "a/2.png", "a/1.png")
    patches = load_patch_folder(tmp_path, label="folder")
    assert patches.target.tolist() == ["a", "a", "b"]
    assert patches.ids.tolist() == ["a/1", "a/2", "b/1"]
    assert np.asarray(patches.data)[:, 0, 0, 0].tolist() == [2, 1, 0]
    assert patches.groups is None
    assert "layout: one folder per class" in patches.DESCR
    assert "labels: names of folders (a: 2, b: 1)" in patches.DESCR
    assert "The meaning of the labels is not known" in patches.DESCR


def test_folders_are_slides_on_request(tmp_path):
    write(tmp_path, "b/1.png", "a/2.png")
    patches = load_patch_folder(tmp_path, group="folder")
    assert patches.target is None
    assert patches.groups.tolist() == patches.data.groups.tolist() == ["a", "b"]
    assert "layout: one folder per group" in patches.DESCR
    assert "label 1" not in patches.DESCR.lower()


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["0", "1"], [0, 1]), (["00", "1"], ["00", "1"]), (["0", "x"], ["0", "x"])],
)
def test_names_of_folders_become_integers_only_if_no_name_changes(
    tmp_path, names, expected
):
    write(tmp_path, *(f"{name}/a.png" for name in names))
    assert load_patch_folder(tmp_path, label="folder").target.tolist() == expected


def test_classes_come_from_folders_and_slides_from_names(tmp_path):
    write(tmp_path, "a/s1_0.png", "b/s2_0.png", "b/s1_1.png")
    patches = load_patch_folder(tmp_path, label="folder", pattern="(?P<group>s.)_")
    assert patches.target.tolist() == ["a", "b", "b"]
    assert patches.groups.tolist() == ["s1", "s1", "s2"]


@pytest.mark.parametrize("subset", ["train", "val"])
def test_folders_of_classes_may_be_below_parts_of_the_data(tmp_path, subset):
    write(tmp_path, "train/a/1.png", "val/b/1.png", "val/c/1.png")
    patches = load_patch_folder(tmp_path, subset=subset, label="folder")
    assert patches.target.tolist() == {"train": ["a"], "val": ["b", "c"]}[subset]
    assert f"files: {tmp_path / subset}" in patches.DESCR


def test_the_subset_train_is_taken_where_it_exists(tmp_path):
    write(tmp_path, "train/a/1.png", "test/b/1.png")
    assert load_patch_folder(tmp_path, label="folder").target.tolist() == ["a"]


def test_files_of_one_folder_need_no_parameter(tmp_path):
    write(tmp_path, "b.png", "a.png")
    patches = load_patch_folder(tmp_path)
    assert patches.ids.tolist() == ["a", "b"]
    assert patches.target is None
    assert "layout: files in one folder" in patches.DESCR
    assert "labels: none" in patches.DESCR


def test_two_levels_of_folders_are_told_by_a_pattern(tmp_path):
    write(tmp_path, "tumour/s1/a.png", "fat/s2/a.png")
    pattern = "^(?P<label>[^/]+)/(?P<group>[^/]+)/"
    patches = load_patch_folder(tmp_path, pattern=pattern)
    assert patches.target.tolist() == ["fat", "tumour"]
    assert patches.groups.tolist() == ["s2", "s1"]


BREAKHIS_TREE = [
    "benign/SOB/adenosis/SOB_B_A_14-22549AB/40X/SOB_B_A-14-22549AB-40-001.png",
    "benign/SOB/adenosis/SOB_B_A_14-22549AB/400X/SOB_B_A-14-22549AB-400-001.png",
    "malignant/SOB/papillary/SOB_M_PC-14-12465/400X/SOB_M_PC-14-12465-400-008.png",
    "malignant/SOB/papillary/SOB_M_PC-14-12465/100X/SOB_M_PC-14-12465-100-002.png",
    "malignant/SOB/papillary/SOB_M_PC-14-12465/200X/SOB_M_PC-14-12465-200-003.png",
]


def test_files_that_the_pattern_does_not_match_are_left_out_on_request(tmp_path):
    write(tmp_path, *BREAKHIS_TREE)
    pattern = f"{BREAKHIS}-"
    with pytest.raises(
        ValueError, match=r"not match 3 file names: .*on_missing='skip'"
    ):
        load_patch_folder(tmp_path, pattern=pattern)
    patches = load_patch_folder(tmp_path, pattern=pattern, on_missing="skip")
    assert patches.target.tolist() == ["B", "M"]
    assert patches.groups.tolist() == ["14-22549AB", "14-12465"]
    assert np.asarray(patches.data)[:, 0, 0, 0].tolist() == [1, 2]
    assert patches.skipped == {"files that the pattern does not match": 3}
    assert "3 files that the pattern does not match" in patches.DESCR
    assert "without a row" not in patches.DESCR


def test_a_pattern_that_matches_no_file_is_an_error_in_any_case(tmp_path):
    write(tmp_path, "a.png", "b.png")
    with pytest.raises(
        ValueError, match=r"does not match 2 file names: a\.png, b\.png"
    ):
        load_patch_folder(tmp_path, pattern="(?P<group>x)", on_missing="skip")


def test_a_row_is_left_out_with_a_file_that_the_pattern_does_not_match(tmp_path):
    write(tmp_path, "s1_a.png", "b.png", "s2_c.png", "d.png")
    table = pd.DataFrame({"id": ["b", "s2_c", "s1_a"], "y": [0, 1, 2]})
    patches = load_patch_folder(
        tmp_path, table=table, label="y", pattern="(?P<group>s.)_", on_missing="skip"
    )
    assert patches.target.tolist() == patches.meta["y"].tolist() == [1, 2]
    assert patches.groups.tolist() == ["s2", "s1"]
    assert patches.skipped == {"files that the pattern does not match": 1}
    assert "files without a row, left out: 1" in patches.DESCR


# Folders that are not explained


def calls_in(message):
    return [
        line.strip() for line in message.splitlines() if "load_patch_folder(" in line
    ]


def run_call(text):
    return eval(text, {"load_patch_folder": load_patch_folder})


def test_one_level_of_folders_is_never_guessed_but_both_calls_are_shown(tmp_path):
    write(tmp_path, "a/1.png", "b/1.png", "b/2.png")
    with pytest.raises(
        ValueError,
        match=r"'a' \(1\), 'b' \(2\)\.\nThe subfolders may be classes or slides",
    ) as error:
        load_patch_folder(tmp_path)
    calls = calls_in(str(error.value))
    assert run_call(calls[0]).target.tolist() == ["a", "b", "b"]
    assert run_call(calls[1]).groups.tolist() == ["a", "b", "b"]
    assert run_call(calls[2]).data.shape == (1, 4, 5, 3)


def test_two_levels_of_folders_show_a_call_for_each_meaning(tmp_path):
    write(tmp_path, "a/s1/1.png", "b/s2/1.png")
    both = {"label": "folder", "group": "folder"}
    for parameters in ({}, {"label": "folder"}, {"group": "folder"}, both):
        with pytest.raises(ValueError, match=r"with one of|Use one of") as error:
            load_patch_folder(tmp_path, **parameters)
        calls = [run_call(text) for text in calls_in(str(error.value))[:4]]
        assert [None if c.target is None else c.target[0] for c in calls] == [
            "a",
            "s1",
            "s1",
            None,
        ]
        assert [None if c.groups is None else c.groups[0] for c in calls] == [
            "s1",
            "a",
            None,
            "s1",
        ]


def test_the_calls_that_are_shown_name_the_subset(tmp_path):
    write(tmp_path, "train/a/1.png", "train/b/1.png")
    with pytest.raises(ValueError, match="may be classes or slides") as error:
        load_patch_folder(tmp_path)
    call = calls_in(str(error.value))[0]
    assert "subset='train'" in call
    assert run_call(call).target.tolist() == ["a", "b"]


def test_one_folder_is_not_class_and_group_at_once(tmp_path):
    write(tmp_path, "a/1.png", "b/1.png")
    with pytest.raises(ValueError, match="leave open which level of folders is the cl"):
        load_patch_folder(tmp_path, label="folder", group="folder")


@pytest.mark.parametrize(
    "parameters", [{}, {"label": "folder"}, {"pattern": r"(?P<label>\d)"}]
)
def test_parts_of_the_data_are_not_classes(tmp_path, parameters):
    write(tmp_path, "Val/a/1.png", "TEST/b/1.png")
    with pytest.raises(ValueError, match="parts of the data: TEST, Val") as error:
        load_patch_folder(tmp_path, **parameters)
    assert "subset='Val')" in calls_in(str(error.value))[1]


def test_folders_of_images_are_not_classes_if_they_are_parts_of_the_data(tmp_path):
    write(tmp_path, "val/1.png", "test/1.png")
    with pytest.raises(ValueError, match="parts of the data: test, val"):
        load_patch_folder(tmp_path, label="folder")


def test_a_pattern_with_a_slash_may_mix_parts_of_the_data(tmp_path):
    write(tmp_path, "val/1.png", "test/2.png")
    patches = load_patch_folder(tmp_path, pattern=r"^(?P<part>\w+)/(?P<label>\d)")
    assert patches.target.tolist() == [2, 1]
    assert patches.meta["part"].tolist() == ["test", "val"]


def test_folders_of_images_that_are_not_read_are_named(tmp_path):
    write(tmp_path, "train/1.png", "val/a/2.png", "test/3.png", ".hidden/4.png")
    write(tmp_path, "junk/._5.png", "junk/__MACOSX/6.png")
    assert "- subset: train (not read: 'test', 'val')\n" in (
        load_patch_folder(tmp_path).DESCR
    )
    assert "- subset: test (not read: 'train', 'val')\n" in (
        load_patch_folder(tmp_path, subset="test").DESCR
    )
    assert "subset" not in load_patch_folder(tmp_path / "train").DESCR
    assert "not read" not in load_patch_folder(tmp_path / "train", subset=".").DESCR
    shutil.rmtree(tmp_path / "val")
    shutil.rmtree(tmp_path / "test")
    assert "- subset: train\n" in load_patch_folder(tmp_path).DESCR


def test_images_beside_the_folders_of_classes_are_an_error(tmp_path):
    write(tmp_path, "a/1.png", "b.png")
    with pytest.raises(
        ValueError, match=r"1 of 2 images are not, for example 'b\.png'"
    ):
        load_patch_folder(tmp_path, label="folder")
    with pytest.raises(ValueError, match="It also contains 1 images itself"):
        load_patch_folder(tmp_path)


@pytest.mark.parametrize("empty", ["train", "valid"])
def test_where_nothing_is_found_the_folders_with_images_are_named(tmp_path, empty):
    (tmp_path / "train").mkdir()
    write(tmp_path, "images/x/1.png", "images/y/1.png", "images/y/2.png")
    with pytest.raises(
        (ValueError, FileNotFoundError), match=r"'images/x' \(1\), 'images/y' \(2\)"
    ) as error:
        load_patch_folder(tmp_path, subset=empty)
    text = str(error.value)
    call = text[text.index("load_patch_folder(") :].rstrip(".")
    assert run_call(call).data.shape == (2, 4, 5, 3)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"label": "class"}, "label='class' names a column, but no table was given"),
        ({"group": "slide"}, "group='slide' names a column, but no table was given"),
        ({"path": "file"}, "path='file' names a column, but no table was given"),
        (
            {"label": "folder", "pattern": "(?P<label>.)"},
            "label is given twice: .* 'label' and by 'folder'",
        ),
        (
            {"groups": "slides.csv", "pattern": "(?P<group>.)"},
            r"group is given twice: .* 'group' and by 'slides\.csv'",
        ),
        (
            {"label": "folder", "return_X_y": True, "group": "folder", "size": 0},
            "'size' parameter",
        ),
    ],
)
def test_parameters_that_contradict_each_other_are_named(tmp_path, parameters, message):
    write(tmp_path, "a/1.png")
    with pytest.raises(ValueError, match=message):
        load_patch_folder(tmp_path, **parameters)


def test_labels_cannot_be_returned_where_nothing_tells_them(tmp_path):
    write(tmp_path, "a/1.png")
    with pytest.raises(
        ValueError, match=r"return_X_y=True needs labels.*label='folder', pattern"
    ):
        load_patch_folder(tmp_path, group="folder", return_X_y=True)


# Names and junk

ODD_NAMES = [
    "Tile_(22016,11776).png",
    "with blank (1).PNG",
    "Größe ä ö ü ß.Tif",
    "肿瘤_切片.png",
    "a.b.c.JPEG",
    "comma, semicolon; 'quote' & more.png",
    "#1 %20 +.BMP",
]


@pytest.mark.parametrize("folder_name", ["Tumor (1)", "Drüse, 漢字", "UPPER.case"])
def test_names_of_any_language_and_case_are_read(tmp_path, folder_name):
    write(tmp_path, *(f"{folder_name}/{name}" for name in ODD_NAMES))
    patches = load_patch_folder(tmp_path, label="folder")
    assert set(patches.target) == {folder_name}
    assert sorted(patches.filenames) == sorted(
        str(tmp_path / folder_name / name) for name in ODD_NAMES
    )
    assert np.asarray(patches.data).shape == (len(ODD_NAMES), 4, 5, 3)


def test_what_is_skipped_is_counted(tmp_path):
    write(tmp_path, "a/1.png", "a/2.png", "a/.git/x.png", "__MACOSX/a/1.png")
    (tmp_path / "a" / "folder.tif").mkdir()
    for name in ("._1.png", ".DS_Store", "Thumbs.db", "desktop.ini", "x.h5", "y.txt"):
        (tmp_path / "a" / name).write_bytes(b"anything")
    patches = load_patch_folder(tmp_path, label="folder")
    assert patches.ids.tolist() == ["a/1", "a/2"]
    assert patches.skipped == {
        "AppleDouble files (._*)": 1,
        "files of Windows (Thumbs.db, desktop.ini)": 2,
        "folders named like images": 1,
        "hidden files": 1,
        "hidden folders": 2,
        "other files": 2,
    }
    assert "2 hidden folders, 2 other files" in patches.DESCR


def test_a_folder_that_is_named_like_an_image_may_hold_images(tmp_path):
    write(tmp_path, "slide1.tif/a.png", "slide2.tif/a.png")
    patches = load_patch_folder(tmp_path, group="folder")
    assert patches.groups.tolist() == ["slide1.tif", "slide2.tif"]
    assert patches.skipped == {}


def test_links_to_folders_are_followed_but_not_in_circles(tmp_path):
    write(tmp_path, "elsewhere/1.png")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "loop").symlink_to(tmp_path / "data")
    assert list_images(str(tmp_path / "data")).names == ["a/1.png"]


def test_broken_links_are_skipped_and_counted(tmp_path):
    write(tmp_path, "1.png")
    (tmp_path / "2.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "folder").symlink_to(tmp_path / "gone")
    (tmp_path / "3.png").symlink_to(tmp_path / "1.png")
    patches = load_patch_folder(tmp_path)
    assert patches.ids.tolist() == ["1", "3"]
    assert patches.skipped == {"broken links": 2}
    assert "2 broken links" in patches.DESCR


def test_ids_keep_their_suffix_only_where_it_tells_files_apart():
    assert as_ids(["a/1.png", "b/1.tif"]) == ["a/1", "b/1"]
    assert as_ids(["1.png", "1.tif"]) == ["1.png", "1.tif"]


# Published sets


def test_classes_of_a_published_set_are_recognised(tmp_path):
    classes = ["ADI", "BACK", "DEB", "LYM", "MUC", "MUS", "NORM", "STR", "TUM"]
    write(tmp_path, *(f"{name}/1.png" for name in classes), size=(224, 224))
    descr = load_patch_folder(tmp_path, label="folder").DESCR
    assert "100,000 patches (NCT-CRC-HE-100K) and 7,180 patches" in descr
    assert "9 patches here. They are not the complete data set" in descr
    write(tmp_path, *(f"{name}/1.png" for name in classes), size=(96, 96))
    descr = load_patch_folder(tmp_path, label="folder").DESCR
    assert "have 96x96 pixels. They were changed" in descr


def test_a_complete_published_set_is_not_called_incomplete():
    classes = ["ADI", "BACK", "DEB", "LYM", "MUC", "MUS", "NORM", "STR", "TUM"]
    found = recognise(["a"], classes)
    text = description(found, 7_180, (224, 224), has_labels=True)
    assert "not the complete data set" not in text
    assert text.endswith(found.meaning)


def test_the_meaning_of_labels_is_described_only_if_there_are_labels(tmp_path):
    write(tmp_path, f"train/{0:040x}.tif", size=(96, 96))
    (tmp_path / "train_labels.csv").write_text(f"id,label\n{0:040x},1\n")
    assert "\nLabel 1 means that" in load_patch_folder(tmp_path).DESCR
    descr = load_patch_folder(tmp_path / "train").DESCR
    assert "The names match Histopathologic Cancer Detection" in descr
    assert "labels: none" in descr
    assert "Label 1" not in descr


def test_files_that_are_not_the_published_ones_are_named(tmp_path, real_data):
    (tmp_path / "train").mkdir()
    first, second, *_ = sorted((real_data / "pcam" / "train").glob("*.tif"))
    shutil.copy(first, tmp_path / "train")
    patches = load_patch_folder(tmp_path, verify=True)
    assert "220,025 patches (train)" in patches.DESCR
    shutil.copy(second, tmp_path / "train" / first.name)
    with pytest.raises(ValueError, match=rf"in 1 file: .*{first.name}: their SHA-1"):
        load_patch_folder(tmp_path, verify=True)


def test_only_ids_that_are_hashes_can_be_verified(tmp_path):
    write(tmp_path, "a.png")
    with pytest.raises(ValueError, match=r"SHA-1 sums.* but 1 id: a is not"):
        load_patch_folder(tmp_path, verify=True)


# Real data


def test_kather2016_has_classes_and_slides_in_one_call(real_data):
    X = load_patch_folder(
        real_data / "tiles" / "kather2016",
        label="folder",
        pattern=r"CRC-Prim-HE-(?P<group>\d+)",
    )
    assert X.data.shape == (24, 150, 150, 3)
    assert len(np.unique(X.target)) == 8
    assert len(np.unique(X.groups)) == 10
    assert "https://doi.org/10.5281/zenodo.53169" in X.DESCR
    scores = cross_val_score(
        DummyClassifier(),
        X.data,
        X.target,
        groups=X.groups,
        cv=StratifiedGroupKFold(3),
    )
    assert len(scores) == 3


@pytest.mark.filterwarnings("ignore:The least populated class")
def test_idc_has_labels_patients_and_coordinates_in_one_call(real_data):
    folder = real_data / "tiles" / "idc"
    with pytest.raises(ValueError, match=r"1 of 100 .*\n  50x32, 1 file"):
        load_patch_folder(folder, pattern=IDC)
    X = load_patch_folder(folder, pattern=IDC, on_mismatch="pad")
    assert X.data.shape == (100, 50, 50, 3)
    assert set(X.target) == {0, 1}
    assert set(X.groups) == {8975}
    assert X.coords.shape == X.data.coords.shape == (100, 2)
    assert X.ids[0] == f"2/8975_idx5_x{X.coords[0, 0]}_y{X.coords[0, 1]}_class1"
    assert "files of another size: 1 (on_mismatch='pad')" in X.DESCR


@pytest.mark.parametrize(
    ("rule", "size", "expected"),
    [
        ("pad", None, (460, 700)),
        ("crop", (456, 700), (456, 700)),
        ("resize", 96, (96, 96)),
    ],
)
def test_breakhis_has_labels_and_patients_in_one_call(real_data, rule, size, expected):
    X = load_patch_folder(
        real_data / "tiles" / "breakhis", pattern=BREAKHIS, size=size, on_mismatch=rule
    )
    assert X.data.shape == (4, *expected, 3)
    assert np.asarray(X.data).shape == X.data.shape
    assert sorted(X.target) == ["B", "B", "B", "M"]
    assert X.meta["type"].tolist() == ["A", "A", "F", "PC"]
    assert len(set(X.groups)) == 4


def test_tcga_has_slides_and_no_labels(real_data):
    X = load_patch_folder(
        real_data / "tiles" / "tcga", group="folder", on_mismatch="resize"
    )
    assert X.target is None
    assert X.data.shape == (9, 256, 256, 3)
    assert len(np.unique(X.groups)) == 2
    assert X.skipped == {"other files": 2}
    assert "labels: none" in X.DESCR
