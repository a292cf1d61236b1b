"""PatchLoader turns names into patches, and refuses bad names before it reads."""

import os
import pickle
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skhisto.patches._patch_array import PatchArray
from skhisto.preprocessing import CenterCrop, PatchLoader
from skhisto.preprocessing._file_names import file_paths

NAMES = ["a", "b", "c", "d"]


@pytest.fixture
def patches():
    shape = (len(NAMES), 7, 6, 3)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture
def folder(tmp_path, patches):
    for name, patch in zip(NAMES, patches, strict=True):
        Image.fromarray(patch).save(tmp_path / f"{name}.png")
    return tmp_path


# What is loaded


@pytest.mark.parametrize(
    "names",
    [
        NAMES,
        tuple(NAMES),
        np.array(NAMES),
        np.array(NAMES, dtype=object),
        np.array(NAMES, dtype=np.dtypes.StringDType()),
        np.array(NAMES)[:, np.newaxis],
        [[name] for name in NAMES],
        [Path(name) for name in NAMES],
        pd.Series(NAMES),
        pd.Series(NAMES, dtype="str", index=[3, 2, 1, 0]),
        pd.Series(NAMES, dtype="string"),
        pd.Series(NAMES, dtype=object),
        pd.Series(NAMES, dtype="category"),
        pd.DataFrame({"id": NAMES}),
    ],
    ids=lambda names: f"{type(names).__name__}-{getattr(names, 'dtype', '')}",
)
def test_names_come_in_any_column(folder, patches, names):
    X = PatchLoader(root=folder, suffix=".png").fit_transform(names)
    assert X.dtype == np.uint8
    np.testing.assert_array_equal(X, patches)


@pytest.mark.parametrize("root_type", [str, Path])
def test_names_keep_their_order_and_may_repeat(folder, patches, root_type):
    loader = PatchLoader(root=root_type(folder), suffix=".png")
    np.testing.assert_array_equal(loader.transform(["d", "a", "a"]), patches[[3, 0, 0]])


def test_without_a_root_names_are_paths(folder, patches, monkeypatch):
    paths = [folder / f"{name}.png" for name in NAMES]
    np.testing.assert_array_equal(PatchLoader().transform(paths), patches)
    monkeypatch.chdir(folder)
    np.testing.assert_array_equal(PatchLoader(suffix=".png").transform(NAMES), patches)


def test_names_may_hold_a_folder(tmp_path, folder, patches):
    loader = PatchLoader(root=folder.parent)
    X = loader.transform([f"{folder.name}/{name}.png" for name in NAMES])
    np.testing.assert_array_equal(X, patches)


@settings(derandomize=True, deadline=None, max_examples=50)
@given(
    st.lists(
        st.text("abYZ01 ._-+%äé漢", min_size=1, max_size=30),
        min_size=1,
        max_size=4,
        unique_by=str.casefold,
    )
)
def test_any_name_finds_its_file(tmp_path_factory, names):
    folder = tmp_path_factory.mktemp("names")
    for grey, name in enumerate(names):
        Image.new("L", (2, 2), grey).save(folder / f"{name}.png", format="PNG")
    X = PatchLoader(root=folder, suffix=".png", mode="L").transform(pd.Series(names))
    np.testing.assert_array_equal(X[:, 0, 0, 0], np.arange(len(names)))


def test_16_bit_grey_stays_16_bit(tmp_path):
    pixels = np.arange(42, dtype=np.uint16).reshape(7, 6) * 1000
    Image.fromarray(pixels).save(tmp_path / "deep.tif")
    X = PatchLoader(root=tmp_path, mode="I;16").transform(["deep.tif"])
    assert X.dtype == np.uint16
    np.testing.assert_array_equal(X[0, :, :, 0], pixels)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_lazy_patches_equal_eager_ones(folder, patches, n_jobs):
    X = PatchLoader(root=folder, suffix=".png", lazy=True, n_jobs=n_jobs).transform(
        NAMES
    )
    assert isinstance(X, PatchArray)
    assert X.shape == patches.shape
    np.testing.assert_array_equal(np.asarray(X[1:]), patches[1:])
    assert "ImageFiles(4 RGB files" in repr(X)


def test_lazy_patches_are_read_when_they_are_accessed(folder, patches):
    X = PatchLoader(root=folder, suffix=".png", lazy=True).transform(NAMES)
    (folder / "d.png").write_bytes(b"")
    np.testing.assert_array_equal(np.asarray(X[:3]), patches[:3])
    with pytest.raises(ValueError, match=r"d\.png' .* the file is empty"):
        X[3]


@pytest.mark.parametrize("lazy", [False, True])
def test_a_file_that_cannot_be_read_is_found_at_once(folder, lazy):
    (folder / "d.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"d\.png' .* the file is empty"):
        PatchLoader(root=folder, suffix=".png", lazy=lazy).transform(NAMES)


def test_lazy_patches_pickle_without_their_pixels(folder, patches):
    X = PatchLoader(root=folder, suffix=".png", lazy=True).transform(NAMES)
    np.testing.assert_array_equal(np.asarray(pickle.loads(pickle.dumps(X))), patches)


# What is refused


@pytest.mark.parametrize("method", ["fit", "transform", "fit_transform"])
@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        ("a", TypeError, r"must be a list.* got 'a'\. Put a single name in a list"),
        (Path("a"), TypeError, "Put a single name in a list"),
        (None, TypeError, "must be a list.* got None"),
        ({"a", "b"}, TypeError, "must be a list"),
        ([], ValueError, "At least one file name is required"),
        (pd.Series([], dtype=str), ValueError, "At least one file name is required"),
        (np.empty((0, 1), dtype=str), ValueError, "At least one file name is required"),
        (["a", None], ValueError, r"1 of 2 file names are missing .* row 1"),
        (pd.Series(["a", np.nan, "b", None]), ValueError, "2 of 4 file names .* row 1"),
        (pd.Series(["a", pd.NA], dtype="string"), ValueError, "1 of 2 file names"),
        ([1, 2], TypeError, "must be strings or path-like, but row 0 is 1 of type int"),
        (np.zeros((3, 7, 6, 3), dtype=np.uint8), ValueError, "one column; got shape"),
        (["a", 2.5], TypeError, "row 1 is 2.5 of type float"),
        ([b"a"], TypeError, "row 0 is b'a' of type bytes"),
        (pd.DataFrame({"id": ["a"], "label": [1]}), ValueError, r"one column; got shape \(1, 2\)"),
        ([["a", "b"]], ValueError, r"one column; got shape \(1, 2\)"),
        ([["a"], ["b", "c"]], TypeError, "row 0 is .* of type list"),
    ],
)  # fmt: skip
def test_bad_names_are_refused_before_any_file_is_read(method, names, error, message):
    # Nothing is there to be read: reading would raise FileNotFoundError.
    with pytest.raises(error, match=message):
        getattr(PatchLoader(suffix=".gone"), method)(names)


def test_a_root_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"folder root='.*nowhere' does not exist"
    ):
        PatchLoader(root=tmp_path / "nowhere").transform(NAMES)


def test_a_root_that_is_a_file_is_named(folder):
    with pytest.raises(
        NotADirectoryError, match=r"root='.*a\.png' is a file, not a folder"
    ):
        PatchLoader(root=folder / "a.png").transform(NAMES)


@pytest.mark.parametrize("lazy", [False, True])
def test_all_missing_files_are_counted_and_ten_are_named(folder, lazy):
    names = [*NAMES, *(f"gone{i}" for i in range(12))]
    with pytest.raises(
        FileNotFoundError, match=r"^12 of 16 image files do not exist"
    ) as error:
        PatchLoader(root=folder, suffix=".png", lazy=lazy).transform(names)
    assert str(error.value).count("gone") == 10


def test_an_empty_folder_misses_all_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"^4 of 4 image files do not exist"):
        PatchLoader(root=tmp_path).transform(NAMES)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("odd", NAMES)
def test_mixed_sizes_are_refused(folder, odd, lazy):
    Image.new("RGB", (8, 9)).save(folder / f"{odd}.png")
    message = (
        r"1 of 4 image files do not have 7x6 pixels .* the most frequent size:\n"
        rf"  9x8, 1 file:\n    .*{odd}\.png\nAll patches"
    )
    with pytest.raises(ValueError, match=message):
        PatchLoader(root=folder, suffix=".png", lazy=lazy).transform(NAMES)


def test_a_wrong_number_of_channels_is_refused(folder):
    Image.new("L", (6, 7)).save(folder / "c.png")
    with pytest.raises(ValueError, match=r"c\.png' holds 8-bit grey, but 8-bit RGB"):
        PatchLoader(root=folder, suffix=".png").transform(NAMES)


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize(
    ("rule", "size", "expected"),
    [
        ("pad", None, (7, 6)),
        ("pad", (9, 9), (9, 9)),
        ("resize", None, (7, 6)),
        ("resize", 3, (3, 3)),
        ("crop", 4, (4, 4)),
    ],
)
def test_files_of_another_size_follow_the_rule(
    folder, patches, rule, size, expected, lazy
):
    Image.fromarray(patches[0, :5]).save(folder / "a.png")  # 5x6 among 7x6
    loader = PatchLoader(
        root=folder, suffix=".png", size=size, on_mismatch=rule, lazy=lazy
    )
    X = loader.transform(NAMES)
    assert isinstance(X, PatchArray) == lazy
    assert np.asarray(X).shape == X.shape == (4, *expected, 3)
    if expected == (7, 6):
        np.testing.assert_array_equal(np.asarray(X)[1:], patches[1:])
    if rule == "pad" and size is None:
        np.testing.assert_array_equal(X[0][1:6], patches[0, :5])
        assert (X[0][[0, 6]] == 255).all()
    if rule == "crop":
        np.testing.assert_array_equal(X[0], patches[0, 0:4, 1:5])
        np.testing.assert_array_equal(X[1], patches[1, 1:5, 1:5])


@pytest.mark.parametrize("rule", ["crop", "pad", "resize"])
def test_fit_warns_if_the_size_depends_on_the_files(folder, rule):
    loader = PatchLoader(root=folder, suffix=".png", on_mismatch=rule)
    message = f"on_mismatch='{rule}' is set without a size.* Set size"
    with pytest.warns(UserWarning, match=message) as caught:
        loader.fit(NAMES)
    assert caught[0].filename == __file__


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "params", [{}, {"size": (7, 6), "on_mismatch": "pad"}, {"size": (7, 6)}]
)
def test_fit_does_not_warn_if_all_patches_get_one_size(folder, params):
    PatchLoader(root=folder, suffix=".png", **params).fit_transform(NAMES)


@pytest.mark.parametrize("n_files", [1, 2])
def test_a_size_is_required_of_every_file(folder, n_files):
    loader = PatchLoader(root=folder, suffix=".png", size=(7, 5))
    with pytest.raises(ValueError, match=rf"{n_files} of {n_files} .* 7x5 pixels"):
        loader.transform(NAMES[:n_files])


def test_lazy_and_eager_patches_are_equal_for_every_option(folder, patches):
    Image.fromarray(patches[0, :5, :, 0]).save(folder / "a.png")  # grey, 5x6
    for rule in ("pad", "resize"):
        loader = PatchLoader(
            root=folder, suffix=".png", on_mismatch=rule, convert=True, n_jobs=2
        )
        eager = loader.transform(NAMES)
        lazy = loader.set_params(lazy=True).transform(NAMES)
        np.testing.assert_array_equal(np.asarray(lazy), eager)
        np.testing.assert_array_equal(lazy[0], eager[0])
        assert (eager[0] == eager[0][..., :1]).all()


@pytest.mark.parametrize(
    "params",
    [
        {"root": 3},
        {"suffix": None},
        {"mode": "HSV"},
        {"lazy": "yes"},
        {"n_jobs": 1.5},
        {"size": 0},
        {"on_mismatch": "stretch"},
        {"convert": 2},
    ],
)
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_wrong_parameters_are_refused_in_fit_and_transform(params, method):
    (name,) = params
    with pytest.raises(ValueError, match=f"'{name}' parameter of PatchLoader"):
        getattr(PatchLoader(**params), method)(NAMES)


def test_parameters_are_given_by_name():
    with pytest.raises(TypeError, match="positional"):
        PatchLoader("folder")


# As a scikit-learn transformer


def test_it_survives_clone_pickle_and_skops():
    params = {
        "root": "folder",
        "suffix": ".tif",
        "mode": "L",
        "convert": True,
        "size": (8, 9),
        "on_mismatch": "pad",
        "lazy": True,
        "n_jobs": 2,
    }
    loader = PatchLoader(**params)
    by_skops = skops.io.loads(skops.io.dumps(loader), trusted=["skhisto.PatchLoader"])
    for same in (clone(loader), pickle.loads(pickle.dumps(loader)), by_skops):
        assert type(same) is PatchLoader
        assert same.get_params() == params


def test_it_is_stateless_and_its_tags_say_so(folder):
    tags = get_tags(PatchLoader())
    assert not tags.requires_fit
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.one_d_array
    assert tags.input_tags.string
    check_is_fitted(PatchLoader())
    loader = PatchLoader(root=folder)
    assert vars(loader.fit(NAMES)) == loader.get_params()


@pytest.mark.parametrize(("lazy", "kind"), [(False, np.ndarray), (True, PatchArray)])
def test_output_stays_an_array_whatever_the_global_output(folder, lazy, kind):
    with config_context(transform_output="pandas"):
        X = PatchLoader(root=folder, suffix=".png", lazy=lazy).fit_transform(NAMES)
    assert type(X) is kind
    assert not hasattr(PatchLoader(), "set_output")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("lazy", [False, True])
def test_a_progress_bar_on_a_pipeline_neither_warns_nor_stays(
    folder, patches, lazy, capsys
):
    loader, crop = (
        PatchLoader(root=folder, suffix=".png", lazy=lazy),
        CenterCrop(size=4),
    )
    pipeline = make_pipeline(loader, crop).set_callbacks(ProgressBar())
    X = pipeline.fit_transform(NAMES)
    np.testing.assert_array_equal(np.asarray(X), patches[:, 1:5, 1:5])
    assert "Pipeline" in capsys.readouterr().out
    for step in pipeline:
        assert vars(step) == step.get_params()


class HookRecorder:
    """A scikit-learn callback that notes which of its hooks were called."""

    def __init__(self):
        self.called = []

    def setup(self, estimator, context):
        self.called.append("setup")

    def on_fit_task_begin(self, estimator, context, **kwargs):
        self.called.append("begin")

    def on_fit_task_end(self, estimator, context, **kwargs):
        self.called.append("end")

    def teardown(self, estimator, context):
        self.called.append("teardown")


@pytest.mark.parametrize(
    ("step", "X"), [(PatchLoader(), NAMES), (CenterCrop(2), np.zeros((1, 3, 3)))]
)
def test_each_hook_of_a_callback_is_called_once(step, X):
    recorder = HookRecorder()
    clone(step).set_callbacks(recorder).fit(X)
    assert recorder.called == ["setup", "begin", "end", "teardown"]


# Real files


@pytest.mark.parametrize("lazy", [False, True])
def test_real_patches_are_loaded_by_id(real_data, lazy):
    ids = pd.read_csv(real_data / "pcam" / "train_labels.csv")["id"].head(100)
    loader = PatchLoader(root=real_data / "pcam" / "train", suffix=".tif", lazy=lazy)
    X = make_pipeline(loader, CenterCrop(32)).fit_transform(ids)
    assert X.shape == (100, 32, 32, 3)
    assert X.dtype == np.uint8
    with Image.open(real_data / "pcam" / "train" / f"{ids[7]}.tif") as image:
        np.testing.assert_array_equal(X[7], np.asarray(image)[32:64, 32:64])


@pytest.mark.parametrize("position", [0, 1])
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("._0000d563d5cfafc4e68acb7c9829258a298d9b6a.tif", "AppleDouble .* delete it"),
        ("camelyonpatch_level_2_split_test_x.h5", "Git LFS pointer"),
        ("broken-html.svs", "web page"),
        ("rgba.png", "alpha channel.*mode='RGBA'"),
        ("int16_two_frames.tif", "holds 2 images"),
    ],
)
def test_a_real_bad_file_among_good_ones_is_named(
    real_data, tmp_path, name, message, position
):
    good = min((real_data / "pcam" / "train").glob("*.tif"))
    shutil.copyfile(good, tmp_path / "good.tif")
    shutil.copyfile(real_data / "badfiles" / name, tmp_path / "bad.tif")
    names = ["good", "good"]
    names[position] = "bad"
    with pytest.raises(ValueError, match=rf"bad\.tif' .*{message}"):
        PatchLoader(root=tmp_path, suffix=".tif").transform(names)


@pytest.mark.parametrize(
    "name", ["../secret", "a/../../secret", "..", "a/..", "/etc/hostname", "//x"]
)
@pytest.mark.parametrize("method", ["fit", "transform"])
def test_names_stay_within_root(tmp_path, name, method):
    (tmp_path / "root" / "a").mkdir(parents=True)
    Image.new("RGB", (4, 4)).save(tmp_path / "secret.png")
    Image.new("RGB", (4, 4)).save(tmp_path / "root" / "fine.png")
    suffix = "" if name.endswith("..") else ".png"
    loader = PatchLoader(root=tmp_path / "root", suffix=suffix)
    message = (
        f"1 of 2 file names are absolute paths or contain '..', the first in row 1: "
        f"{name + loader.suffix!r}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        getattr(loader, method)(["fine" + ".png" * (not suffix), name])


def test_names_with_dots_that_stay_within_root_are_read(tmp_path):
    for name in ("a..b", "...", ".hidden"):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{name}.png", "PNG")
    loader = PatchLoader(root=tmp_path, suffix=".png")
    names = ["a..b", "...", ".hidden", "./a..b"]
    assert loader.transform(names).shape == (4, 4, 4, 3)


@pytest.mark.parametrize("has_root", [True, False])
def test_names_with_nul_are_an_error(tmp_path, has_root):
    loader = PatchLoader(root=tmp_path if has_root else None)
    message = r"1 of 1 file names contain a NUL character.*: 'a\\x00b'"
    with pytest.raises(ValueError, match=message):
        loader.transform(["a\0b"])


@given(
    st.lists(st.sampled_from(["a", "..", ".", "", "/", "..a", "\\", "~"]), max_size=6)
)
def test_no_name_leads_out_of_root(tmp_path_factory, parts):
    root = tmp_path_factory.mktemp("root")
    try:
        (path,) = file_paths(["/".join(parts)], root, suffix="")
    except ValueError:
        return
    assert os.path.commonpath([root, os.path.abspath(path)]) == str(root)
