"""Fixtures that every test may use."""

import functools
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, settings
from PIL import Image

from skhisto import PatchCNNClassifier, ReferenceCNN, make_patches

# On a busy machine any example can take longer than the default of 200 ms. Where the
# variable CI is set, Hypothesis also draws the same examples in each run.
settings.register_profile("skhisto", deadline=None)
settings.load_profile("skhisto")
# To see that thousands of mutants fail, few examples do, and no simpler ones.
settings.register_profile(
    "mutation",
    max_examples=30,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
)


@pytest.fixture(scope="session")
def real_data():
    """Folder of real patches, regions and bad files."""
    folder = os.environ.get("SKHISTO_DATA")
    if not folder:
        pytest.skip("set SKHISTO_DATA to the folder of real patches to run this test")
    return Path(folder)


@pytest.fixture(scope="session")
def bright_or_dark():
    """60 RGB patches of 12x12 pixels, bright (1) or dark (0), and 6 slides."""
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = rng.integers(0, 120, (60, 12, 12, 3)) + 120 * y[:, None, None, None]
    groups = np.arange(60) // 10
    return X.astype(np.uint8), y, groups


@pytest.fixture
def tiny_cnn():
    """A fast classifier, the same in each test so that it is compiled once."""
    return PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(4,), dense_units=8),
        epochs=8,
        batch_size=16,
        learning_rate=0.01,
        random_state=0,
    )


@pytest.fixture
def quick_fits(monkeypatch):
    """Fit for one epoch, with a tiny network instead of the networks of skhisto.

    Networks of the documents and examples themselves are built as they are.
    """
    fit = PatchCNNClassifier.fit

    @functools.wraps(fit)
    def quick_fit(self, *args, **kwargs):
        if isinstance(self.architecture, str | ReferenceCNN):
            self.architecture = ReferenceCNN(filters=(2,), dense_units=2)
        self.set_params(epochs=1)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(PatchCNNClassifier, "fit", quick_fit)


@pytest.fixture
def kaggle_folder(tmp_path, monkeypatch):
    """The working directory, which holds patches/ as Kaggle has it: no slides."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "patches"
    X, y = make_patches(36, size=96, random_state=0)
    for subset, rows in {"train": range(30), "test": range(30, 36)}.items():
        (folder / subset).mkdir(parents=True)
        for i in rows:
            Image.fromarray(X[i]).save(folder / subset / f"{i:04x}.tif")
    lines = [f"{i:04x},{y[i]}" for i in range(30)]
    (folder / "train_labels.csv").write_text("\n".join(["id,label", *lines, ""]))
    return folder


@pytest.fixture
def ctrl_c():
    """Python's own reaction to Ctrl-C, which workers of pytest-xdist replace."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)
