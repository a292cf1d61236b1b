"""The scripts of the gallery run, and write what they say."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

import skhisto
from skhisto import make_patches, make_slide
from skhisto.datasets._id_table import read_id_table

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("plot_*.py"))
QUICKSTART = ROOT / "examples" / "plot_quickstart.py"
PICTURES = ["class_balance.png", "patches.png", "predictions.png"]


def run_quickstart(*arguments, status=0):
    """Run the script in a process of its own, without a display."""
    without_data = {k: v for k, v in os.environ.items() if k != "SKHISTO_DATA"}
    done = subprocess.run(
        [sys.executable, QUICKSTART, *map(str, arguments)],
        env=without_data | {"MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == status, done.stderr
    return done


def write_kaggle_folder(folder, n_train, n_test):
    """Write patches of 40x40 pixels as Kaggle has them, and return the ids to submit."""
    X, y = make_patches(n_train + n_test, size=40, random_state=0)
    for i, patch in enumerate(X):
        subset = folder / ("train" if i < n_train else "test")
        subset.mkdir(exist_ok=True)
        Image.fromarray(patch).save(subset / f"{i:04x}.tif")
    write_labels(folder, y[:n_train])
    ids = [f"{i:04x}" for i in range(len(X) - 1, n_train - 1, -1)]  # not sorted
    lines = ["id,label", *(f"{name},0" for name in ids), ""]
    (folder / "sample_submission.csv").write_text("\n".join(lines))
    return ids


def write_labels(folder, y):
    lines = ["id,label", *(f"{i:04x},{label}" for i, label in enumerate(y)), ""]
    (folder / "train_labels.csv").write_text("\n".join(lines))


def assert_pictures(folder):
    assert sorted(path.name for path in folder.glob("*.png")) == PICTURES
    for name in PICTURES:
        with Image.open(folder / name) as picture:
            assert picture.format == "PNG"
            assert picture.width > picture.height > 200
            assert len(set(picture.convert("L").tobytes())) > 10  # something is shown


def test_quickstart_needs_no_data(tmp_path):
    done = run_quickstart("--samples", 80, "--epochs", 1, "--output", tmp_path)
    assert_pictures(tmp_path)
    assert "log loss" in done.stdout
    assert not (tmp_path / "submission.csv").exists()


def test_quickstart_writes_a_submission_for_a_kaggle_folder(tmp_path):
    data, output = tmp_path / "data", tmp_path / "new" / "output"
    data.mkdir()
    ids = write_kaggle_folder(data, n_train=60, n_test=7)
    arguments = ["--data", data, "--samples", 59, "--epochs", 1, "--output", output]
    done = run_quickstart(*arguments)
    assert "slides: unknown" in done.stdout
    assert_pictures(output)
    submission = read_id_table(output / "submission.csv", ["label"])
    assert submission.index.tolist() == ids
    proba = submission["label"].to_numpy(dtype=float)
    assert np.all((proba >= 0) & (proba <= 1))


def test_quickstart_works_with_few_patches_of_a_class(tmp_path):
    write_kaggle_folder(tmp_path, n_train=30, n_test=1)
    write_labels(tmp_path, 1 * (np.arange(30) < 4))
    run_quickstart("--data", tmp_path, "--epochs", 1, "--output", tmp_path)
    assert_pictures(tmp_path)


@pytest.mark.parametrize(
    ("labels", "arguments", "message"),
    [
        (
            [0, 1] * 4,
            ["--size", 41],
            "--size 41 does not fit into patches of 40x40 pix",
        ),
        ([1] * 8, [], "At least 4 patches of each of the labels 0 and 1 are needed"),
        ([0, 1, 2, 1] * 2, [], "by label are {0: 2, 1: 4, 2: 2}"),
        ([0, 1] * 4, ["--epochs", 0], "--epochs must be at least 1"),
    ],
)
def test_quickstart_says_at_the_start_what_does_not_fit(
    tmp_path, labels, arguments, message
):
    write_kaggle_folder(tmp_path, n_train=8, n_test=1)
    write_labels(tmp_path, labels)
    arguments = ["--data", tmp_path, "--output", tmp_path / "output", *arguments]
    done = run_quickstart(*arguments, status=2)
    assert message in done.stderr
    assert not list(tmp_path.glob("output/*"))


@pytest.fixture
def few_patches(monkeypatch):
    """Make a few small patches, however many are asked for."""

    def make_few(n_samples, *, size=96, **parameters):
        return make_patches(min(n_samples, 300), size=min(size, 48), **parameters)

    monkeypatch.setattr(skhisto, "make_patches", make_few)
    monkeypatch.setattr("skhisto.datasets.make_patches", make_few)


@pytest.fixture
def small_slides(monkeypatch):
    """Make small slides, however large those are that are asked for."""

    def make_small(shape=None, **parameters):
        return make_slide((256, 256), **parameters)

    monkeypatch.setattr(skhisto, "make_slide", make_small)


@pytest.mark.usefixtures("quick_fits", "few_patches", "small_slides")
@pytest.mark.parametrize(
    "example", [e for e in EXAMPLES if e != QUICKSTART], ids=lambda e: e.stem
)
def test_every_example_runs_to_its_end(example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SKHISTO_DATA", raising=False)
    monkeypatch.setattr(sys, "argv", [str(example)])
    matplotlib.use("Agg")
    drawn = []
    monkeypatch.setattr(plt, "show", lambda: drawn.append(plt.get_fignums()))
    try:
        runpy.run_path(str(example), run_name="__main__")
    finally:
        plt.close("all")
    assert any(drawn)


def test_the_gallery_is_in_the_order_of_the_site():
    listed = re.findall(r'"(plot_\w+\.py)"', (ROOT / "docs" / "conf.py").read_text())
    assert sorted(listed) == [example.name for example in EXAMPLES]
