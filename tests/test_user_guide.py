"""The user guide: the code of each page runs from its top to its end."""

import re
import textwrap
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

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


PUBLIC_SETS = {
    "kather2016/01_TUMOR/1A11_CRC-Prim-HE-{i:02}_022.tif_Row_601_Col_1.tif": (30, 30),
    "kather2016/02_STROMA/10A0_CRC-Prim-HE-{i:02}_014.tif_Row_3_Col_1.tif": (30, 30),
    "idc/2/8975_idx5_x{i}01_y2001_class0.png": (50, 50),
    "idc/2/8975_idx5_x1001_y{i}01_class1.png": (50, 50),
    "idc/2/8975_idx5_x9001_y{i}01_class1.png": (32, 50),
    "breakhis/SOB_B_A-14-2254{i}AB-400-007.png": (700, 460),
    "breakhis/SOB_M_DC-14-1246{i}-400-008.png": (700, 456),
    "tcga/TCGA-AD-6964/Tile_(2201{i},11776).jpg": (512, 512),
    "tcga/TCGA-3X-AAVA/0_0_{i}_506.jpg": (256, 256),
    "mhist/images/MHIST_aa{i}.png": (224, 224),
}


@pytest.fixture
def public_sets(kaggle_folder):
    """Folders in the working directory whose names of files are those published."""
    folder = kaggle_folder.parent
    for pattern, size in PUBLIC_SETS.items():
        for i in range(1, 4 if size != (32, 50) else 2):
            path = folder / pattern.format(i=i)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, (80 * i, 0, 0)).save(path)
    rows = [f"MHIST_aa{i}.png,SSA,train" for i in range(1, 4)]
    text = "\n".join(["Image Name,Majority Vote Label,Partition", *rows, ""])
    (folder / "mhist" / "annotations.csv").write_text(text)


@pytest.mark.filterwarnings("ignore:.*camelyonpatch.* contains 4 patches")
@pytest.mark.usefixtures("quick_fits", "slides", "pcam_folder", "public_sets")
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
