"""The user guide: the code of each page runs from its top to its end."""

import re
import textwrap
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

h5py = pytest.importorskip("h5py")

PAGES = sorted((Path(__file__).parents[1] / "docs" / "user_guide").glob("*.rst"))
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?:    .*\n|\n)+)", re.MULTILINE)


@pytest.fixture
def slides(kaggle_folder):
    """Slides of the patches in the working directory."""
    lines = [f"{i:04x},{i % 5}" for i in range(30)]
    (kaggle_folder / "slide_folds.csv").write_text("\n".join(["id,slide", *lines, ""]))


@pytest.fixture
def pcam_folder(kaggle_folder):
    """A folder of HDF5 files in the working directory."""
    folder = kaggle_folder.parent / "pcam"
    folder.mkdir()
    arrays = {"x": np.zeros((4, 96, 96, 3), "u1"), "y": np.zeros((4, 1, 1, 1), "u1")}
    for name, array in arrays.items():
        with h5py.File(
            folder / f"camelyonpatch_level_2_split_valid_{name}.h5", "w"
        ) as file:
            file[name] = array


@pytest.mark.usefixtures("quick_fits", "slides", "pcam_folder")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_code_of_a_page_runs(page):
    matplotlib.use("Agg")
    namespace = {}  # later blocks go on from earlier ones
    for block in BLOCK.findall(page.read_text(encoding="utf-8")):
        exec(compile(textwrap.dedent(block), page.name, "exec"), namespace)
    plt.close("all")


def test_most_pages_have_code():
    n_blocks = [len(BLOCK.findall(page.read_text(encoding="utf-8"))) for page in PAGES]
    assert sum(n > 0 for n in n_blocks) >= 8
    assert sum(n_blocks) >= 30
