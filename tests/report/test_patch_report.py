import builtins
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

from skhisto import PatchArray, PatchLoader, patch_report
from skhisto.patches._views import view
from skhisto.report._finding import PROBLEMS
from skhisto.report._images import rgb_pictures


def problems(report):
    return set(report.findings["problem"])


def of(report, problem):
    return report.findings[report.findings["problem"] == problem]


def test_clean_patches_have_no_findings(tissue):
    X, y, slides = tissue
    report = patch_report(X, y, groups=slides, n_splits=4)
    assert problems(report) == set()
    assert str(report).startswith("Report of 120 patches\nNot found: unreadable,")
    assert report.rows().tolist() == []


@pytest.mark.parametrize("number", range(1, 8))
def test_rotated_and_flipped_copies_are_near_duplicates(tissue, number):
    X, _, _ = tissue
    X[50] = view(X[[7]], number)[0]
    report = patch_report(X)
    assert problems(report) == {"near duplicate"}
    assert report.rows("near duplicate").tolist() == [7, 50]


def test_equal_patches_are_exact_duplicates_only(tissue):
    X, _, _ = tissue
    X[[3, 90]] = X[20]
    found = patch_report(X).findings
    assert found["problem"].tolist() == ["exact duplicate"] * 3
    assert found["row"].tolist() == [3, 20, 90]
    assert found["set"].tolist() == [0] * 3
    assert found["value"].tolist() == [3] * 3


def test_a_set_of_near_duplicates_includes_exact_copies(tissue):
    X, _, _ = tissue
    X[40] = X[30]
    X[50] = np.flip(X[30], axis=1)
    report = patch_report(X)
    assert report.rows("exact duplicate").tolist() == [30, 40]
    assert report.rows("near duplicate").tolist() == [30, 40, 50]


def test_duplicates_say_what_they_are_across_and_the_worst_come_first(tissue):
    X, y, slides = tissue
    first, second = np.flatnonzero((slides == slides[0]) & (y == y[0]))[[0, -1]]
    slide = np.flatnonzero((slides != slides[10]) & (y == y[10]))[-1]
    both = np.flatnonzero((slides != slides[11]) & (y != y[11]))[-2]
    assert len({first, second, slide, both, 10, 11}) == 6
    X[second], X[slide], X[both] = X[first], X[10], X[11]
    splits = np.where(np.arange(120) == both, "test", "train")
    report = patch_report(X, y, groups=slides, splits=splits)
    across = of(report, "exact duplicate").set_index("row")["across"]
    assert across[first] == across[second] == ""
    assert across[slide] == "groups"
    assert across[both] == "groups, classes, splits"
    assert across.iloc[-1] == ""
    assert "(2 across groups, 1 across classes, 1 across splits)" in str(report)
    assert of(report, "exact duplicate")["split"].tolist().count("test") == 1


def test_patches_of_one_colour_and_glass_are_no_duplicates_and_not_blurred(tissue):
    X, _, _ = tissue
    X[:3], X[3:6] = 30, 245
    X[6:9] = [240, 235, 242]
    X[6:9, :8, :2] = 80  # less than 2 % of the pixels
    report = patch_report(X)
    assert report.rows("single colour").tolist() == [0, 1, 2, 3, 4, 5]
    assert report.rows("glass").tolist() == [6, 7, 8]
    assert problems(report) == {"single colour", "glass"}


def test_blurred_patches_are_found_the_worst_first(tissue):
    X, _, _ = tissue
    for row, sigma in {5: 1.5, 60: 3, 61: 2}.items():
        X[row] = gaussian_filter(X[row], (sigma, sigma, 0))
    found = of(patch_report(X), "blur")
    assert found["row"].tolist() == [60, 61, 5]
    assert found["value"].is_monotonic_increasing


def test_ink_is_found(tissue):
    X, _, _ = tissue
    X[8, 10:20] = [20, 70, 150]
    assert patch_report(X).rows("pen").tolist() == [8]


def test_contradicted_labels_are_found_the_least_probable_first(tissue):
    pytest.importorskip("cleanlab")
    X, y, _ = tissue
    names = np.array(["normal", "tumour"])
    proba = np.where(y == 1, 0.9, 0.1)
    y[[4, 70]] = 1 - y[[4, 70]]
    proba[70] = 0.03 if y[70] else 0.97
    report = patch_report(X, names[y], proba=proba)
    found = of(report, "doubtful label")
    assert found["row"].tolist() == [70, 4]
    np.testing.assert_allclose(found["value"], [0.03, 0.1])
    given, other = names[y[70]], names[1 - y[70]]
    assert found["detail"].iloc[0] == f"labelled {given}, predicted {other}"
    two_columns = np.column_stack([1 - proba, proba])
    again = patch_report(X, names[y], proba=two_columns)
    pd.testing.assert_frame_equal(again.findings, report.findings)


def test_without_cleanlab_it_says_what_to_install(tissue, monkeypatch):
    def without_cleanlab(name, *args, **kwargs):
        if name.startswith("cleanlab"):
            raise ImportError
        return real_import(name, *args, **kwargs)

    X, y, _ = tissue
    real_import = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", without_cleanlab)
    with pytest.raises(ImportError, match="pip install cleanlab"):
        patch_report(X, y, proba=y.astype(float))


def test_classes_and_groups_that_cannot_be_split_are_found(tissue):
    X, _, _ = tissue
    y = np.repeat(["a", "b", "c"], [60, 57, 3])
    groups = np.repeat([1, 2, 3, 4, 5], [50, 20, 20, 28, 2])
    report = patch_report(X, y, groups=groups, n_splits=3)
    small = of(report, "small class")
    assert small["label"].tolist() == ["a", "c"]
    assert small["value"].tolist() == [2, 2]
    assert of(report, "small group")["group"].tolist() == [5]
    one = of(report, "group of one class")
    assert one["group"].tolist() == [1, 3, 5]
    assert one["label"].tolist() == ["a", "b", "c"]
    assert of(report, "few groups").empty
    few = of(patch_report(X, groups=groups, n_splits=6), "few groups")
    assert few["detail"].tolist() == ["5 groups, but 6 folds need at least 6"]
    assert of(patch_report(X, y), "small class")["label"].tolist() == ["c"]
    assert "small group:" in str(report)
    assert "5: 2 patches, fewer than the 3 folds" in str(report)


def test_it_says_what_was_not_checked(tissue):
    X, _, _ = tissue
    text = str(patch_report(X))
    assert text.endswith(
        "\nNot checked: doubtful label (needs y and proba); "
        "single class, small class (needs y); "
        "small group, few groups (needs groups); "
        "group of one class (needs y and groups)."
    )
    assert text.count("Not checked") == 1


def test_labels_of_a_single_class_are_reported(tissue):
    X, y, groups = tissue
    report = patch_report(X, np.full(120, "tumour"), groups=groups)
    found = of(report, "single class")
    assert found["label"].tolist() == ["tumour"]
    assert found["value"].tolist() == [120]
    assert "single class: tumour: all patches have this label" in str(report)
    assert of(report, "group of one class").empty
    assert of(patch_report(X, y), "single class").empty


def test_details_are_in_plain_words(tissue):
    X, _, _ = tissue
    y = np.repeat([0, 1], [119, 1])
    groups = np.repeat([7, 8, 9], [60, 59, 1])
    report = patch_report(X, y, groups=groups)
    one = of(report, "group of one class")["detail"].tolist()
    assert one == [f"all {n} patches have the label 0" for n in (60, 59)]
    rare = "{}, but 5 folds need at least 5"
    assert of(report, "small class")["detail"].tolist() == [
        rare.format("in 2 groups"),
        rare.format("in 1 group"),
    ]
    assert of(report, "small group")["detail"].tolist() == [
        "1 patch, fewer than the 5 folds"
    ]
    assert of(patch_report(X, y), "small class")["detail"].tolist() == [
        rare.format("1 patch")
    ]
    few = of(patch_report(X, groups=np.zeros(120)), "few groups")
    assert few["detail"].tolist() == [rare.format("1 group")]


def test_groups_and_proba_may_be_given_by_position(tissue):
    pytest.importorskip("cleanlab")
    X, y, groups = tissue
    proba = np.where(y == 1, 0.9, 0.1)
    by_name = patch_report(X, y, groups=groups, proba=proba)
    by_position = patch_report(X, y, groups, proba)
    assert str(by_position) == str(by_name)
    assert "Not checked" not in str(by_position)


def test_groups_that_travel_with_the_patches_are_used(tissue, monkeypatch, tmp_path):
    X, _, _ = tissue
    paths = save(X[:4], tmp_path)
    patches = PatchLoader(lazy=True).transform(paths)
    monkeypatch.setattr(type(patches), "groups", np.array([1, 1, 1, 2]), raising=False)
    assert of(patch_report(patches, n_splits=2), "small group")["group"].tolist() == [2]
    groups = np.array([1, 1, 2, 2])
    assert of(patch_report(patches, groups=groups, n_splits=2), "small group").empty


def save(patches, folder):
    paths = [folder / f"{i}.png" for i in range(len(patches))]
    for path, patch in zip(paths, patches, strict=True):
        Image.fromarray(patch).save(path)
    return paths


def test_files_and_lazy_patches_give_the_report_of_the_array(tissue, tmp_path):
    X, y, slides = tissue
    X[50], X[9], X[60] = np.rot90(X[7]), 200, X[61]
    expected = patch_report(X, y, groups=slides)
    paths = save(X, tmp_path)
    lazy = PatchLoader(lazy=True).transform(paths)
    for data in (paths, lazy, list(X), np.array([str(path) for path in paths])):
        report = patch_report(data, y, groups=slides)
        pd.testing.assert_frame_equal(report.findings, expected.findings)
        pd.testing.assert_frame_equal(report.measures, expected.measures, rtol=1e-4)


def test_odd_and_unreadable_files_are_named_and_the_rest_is_checked(tissue, tmp_path):
    X, _, _ = tissue
    paths = save(X[:10], tmp_path)
    Image.fromarray(X[2, :30]).save(paths[2])
    Image.fromarray(X[3, ..., 0]).save(paths[3])
    paths[4].write_bytes(b"")
    Image.fromarray(X[5]).rotate(90).save(paths[6])
    report = patch_report(paths)
    assert of(report, "odd size")["row"].tolist() == [2]
    assert of(report, "odd size")["detail"].item() == (
        "30x48 pixels, most have 48x48 pixels"
    )
    assert of(report, "odd mode")["row"].tolist() == [3]
    assert "uint8, 1 channels" in of(report, "odd mode")["detail"].item()
    assert of(report, "unreadable")["row"].tolist() == [4]
    assert "the file is empty" in of(report, "unreadable")["detail"].item()
    assert report.rows("near duplicate").tolist() == [5, 6]
    display = report.plot()
    assert [title.get_text() for title in display.titles_] == [
        "odd size: 2",
        "odd mode: 3",
        "near duplicate: 5",
        "6",
    ]


def test_files_of_16_bits_are_shown_with_8(tmp_path):
    pixels = np.linspace(0, 65535, 48 * 48).astype(np.uint16).reshape(48, 48)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (picture,) = rgb_pictures([tmp_path / "a.png"], (48, 48))
    np.testing.assert_array_equal(picture[..., 1], pixels // 257)


def test_among_equally_frequent_sizes_the_first_is_usual(tissue, tmp_path):
    X, _, _ = tissue
    paths = save([X[0], X[1, :40], X[2, :40], X[3]], tmp_path)
    assert of(patch_report(paths), "odd size")["row"].tolist() == [1, 2]


def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.png' does not exist"):
        patch_report([tmp_path / "no.png"])


def test_sets_of_duplicates_are_shown_in_rows(tissue):
    X, _, _ = tissue
    X[40], X[50] = X[30], X[31]
    X[60] = X[31]
    display = patch_report(X).plot("exact duplicate")
    texts = [title.get_text() for title in display.titles_]
    assert texts == ["set 0: 30", "40", "set 1: 31", "50", "60"]
    tops = [image.get_extent()[3] for image in display.images_]
    assert tops[0] == tops[1] < tops[2] == tops[3] == tops[4]
    np.testing.assert_array_equal(display.images_[4].get_array(), X[60])


def test_a_report_without_offenders_can_be_shown(tissue):
    display = patch_report(tissue[0]).plot()
    assert [text.get_text() for text in display.ax_.texts] == ["none"]


def test_notebooks_show_text_and_table(tissue):
    X, _, _ = tissue
    X[0] = 7
    html = patch_report(X)._repr_html_()
    assert "<pre>Report of 120 patches" in html
    assert "<td>single colour</td>" in html


@pytest.mark.parametrize("shape", [(5, 20, 24), (5, 20, 24, 1), (5, 20, 24, 2)])
def test_patches_without_colour_are_checked_too(shape):
    X = np.random.default_rng(0).integers(0, 2**16, shape).astype(np.uint16)
    X[3] = X[1, ::-1]
    X[4] = 9
    report = patch_report(X)
    assert report.rows("near duplicate").tolist() == [1, 3]
    assert report.rows("single colour").tolist() == [4]


def test_patches_are_read_once_and_few_at_a_time():
    read = []

    class Source:
        shape, dtype = (90, 256, 256, 3), np.dtype("u1")

        def read(self, rows, window):
            read.append(rows)
            rng = np.random.default_rng(rows)
            return rng.integers(0, 256, (len(rows), *self.shape[1:]), np.uint8)

    patch_report(PatchArray(Source()))
    assert np.concatenate(read).tolist() == list(range(90))
    assert max(map(len, read)) <= 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"proba": np.zeros(120)}, "proba needs y"),
        (
            {"y": [0, 1] * 60, "proba": np.zeros((120, 3))},
            r"\(120, 2\), got \(120, 3\)",
        ),
        (
            {"y": [0, 1] * 60, "proba": np.full(120, np.nan)},
            "from 0 to 1 without missing",
        ),
        ({"y": [0, 1]}, "inconsistent numbers of samples"),
        ({"groups": [0, 1]}, r"groups must have shape .*; got \(2,\)"),
        ({"n_splits": 1}, "The 'n_splits' parameter"),
    ],
)
def test_inconsistent_arguments_are_an_error(tissue, arguments, message):
    with pytest.raises(ValueError, match=message):
        patch_report(tissue[0], **arguments)


def test_an_unknown_problem_is_an_error(tissue):
    report = patch_report(tissue[0])
    with pytest.raises(
        ValueError, match=r"Unknown problem 'blurr'\. Available problems: unread"
    ):
        report.rows("blurr")


def test_the_documentation_names_all_problems():
    for problem in PROBLEMS:
        assert f'"{problem}"' in patch_report.__doc__


def test_planted_problems_in_real_patches_are_found(real_data):
    rng = np.random.default_rng(0)
    files = sorted((real_data / "pcam" / "train").glob("*.tif"))[:600]
    X = PatchLoader().transform(files)
    before = patch_report(X)
    clean = np.setdiff1d(np.arange(600), before.rows())
    rows = rng.permutation(clean)
    originals, copies, blurred, jpegs = (rows[i : i + 30] for i in range(0, 120, 30))
    for original, copy, other in zip(originals, copies, jpegs, strict=True):
        X[copy] = view(X[[original]], int(rng.integers(8)))[0]
        file = io.BytesIO()
        Image.fromarray(np.fliplr(X[original])).save(file, "JPEG", quality=70)
        X[other] = np.asarray(Image.open(file))
    for row in blurred:
        X[row] = gaussian_filter(X[row], (2, 2, 0))
    report = patch_report(X)
    near = np.setdiff1d(report.rows("near duplicate"), before.rows())
    assert set(near) == {*originals, *copies, *jpegs}
    assert np.isin(blurred, report.rows("blur")).mean() >= 0.95
    assert len(before.rows("blur")) <= 6
