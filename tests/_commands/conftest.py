import numpy as np
import pytest
from PIL import Image

from skhisto import PatchCNNClassifier, ReferenceCNN
from skhisto._commands.main import main

MPP = 0.97
N_TILES = 6


def write_slide(path, shape=(120, 150), seed=0, mpp=MPP):
    """A TIFF file with random pixels, whose right half is bright."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 120, (*shape, 3)).astype(np.uint8)
    pixels[:, shape[1] // 2 :] += 120
    options = {} if mpp is None else {"dpi": (25_400 / mpp, 25_400 / mpp)}
    Image.fromarray(pixels).save(path, **options)
    return path


@pytest.fixture(scope="session")
def fitted_cnn(bright_or_dark):
    X, y, _ = bright_or_dark
    cnn = PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(4,), dense_units=8),
        epochs=2,
        random_state=0,
    )
    return cnn.fit(X, np.array(["dark", "bright"])[y])


@pytest.fixture(scope="session")
def save(tmp_path_factory):
    """Save a model to a new file."""
    skops_io = pytest.importorskip("skops.io")

    def save(model):
        path = tmp_path_factory.mktemp("model") / "model.skops"
        skops_io.dump(model, path)
        return path

    return save


@pytest.fixture(scope="session")
def model_file(save, fitted_cnn):
    return save(fitted_cnn)


@pytest.fixture
def slide_file(tmp_path):
    return write_slide(tmp_path / "a.tif")


@pytest.fixture
def command(model_file, tmp_path):
    """Arguments that map slides to the folder "out" in `N_TILES` tiles."""

    def command(*slides, options=(), model=model_file):
        settings = ["--stride", 4, "--max-memory", 0.25, "--no-mask"]
        files = ["--model", model, "--out", tmp_path / "out"]
        return [str(a) for a in ["map", *slides, *files, *settings, *options]]

    return command


@pytest.fixture
def run(command, capsys):
    """Run the command in this process, and return the exit code and stderr."""

    def run(*slides, **changes):
        try:
            code = main(command(*slides, **changes))
        except SystemExit as exit_:
            code = exit_.code
        return code, capsys.readouterr().err

    return run
