"""Damaged files of every format, and the command that makes and reads many of them.

`python -m benchmarks.fuzz --inputs 100000` reads more of them.
"""

import io
import json
import os
import random
import subprocess
import sys
import warnings
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
N_INPUTS = 100
READERS = [
    *("tiff", "png", "jpeg", "webp", "slide", "pcam_patches", "pcam_labels"),
    *("pcam_meta", "features", "tables", "geojson", "asap_xml", "maps", "skops"),
    *("pth", "onnx", "checkpoints"),
]
PACKAGES = {
    "slide": ("openslide", "tifffile"),
    "geojson": ("shapely",),
    "asap_xml": ("shapely",),
    "maps": ("shapely",),
    "skops": ("skops",),
    "onnx": ("onnx", "onnxruntime"),
    **dict.fromkeys(
        ["pcam_patches", "pcam_labels", "pcam_meta", "features"], ("h5py",)
    ),
}

pytestmark = pytest.mark.skipif(
    not os.path.exists("/proc/self/clear_refs"), reason="needs Linux"
)


def run(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
    )


ALL_READERS = """
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path
from benchmarks.fuzz.worker import Task, run
folder, n_inputs, *readers = sys.argv[1:]
for reader in readers:
    files = Path(folder, reader)
    files.mkdir()
    paths = {name: f"{folder}/{reader}.{name}" for name in ("position", "findings")}
    task = dict(reader=reader, seed=0, first=0, end=int(n_inputs), seconds=600)
    run(Task(**task, **paths, folder=str(files)))
"""


@pytest.fixture(scope="module")
def findings(tmp_path_factory):
    """What each reader does that it must not do, from one process for all."""
    folder = tmp_path_factory.mktemp("fuzz")
    readers = [
        name
        for name in READERS
        if all(find_spec(package) for package in PACKAGES.get(name, ()))
    ]
    done = run(ALL_READERS, folder, N_INPUTS, *readers)
    assert done.returncode == 0, done.stderr[-3000:]
    return {
        name: [json.loads(line) for line in path.read_text().splitlines()]
        for name in readers
        for path in [folder / f"{name}.findings"]
        if int((folder / f"{name}.position").read_text()) == N_INPUTS
    }


@pytest.mark.parametrize("reader", READERS)
def test_a_damaged_file_is_a_documented_error_and_nothing_else(findings, reader):
    for package in PACKAGES.get(reader, ()):
        pytest.importorskip(package)
    assert findings[reader] == []


PLANTED = """
import sys
from benchmarks.fuzz import worker
from benchmarks.fuzz.readers import READERS, Reader

def fails(path):
    {}["key"]
def documented(path):
    raise ValueError
def opens(path):
    open(sys.argv[2]).close()
def writes(path):
    open(sys.argv[2] + ".new", "w").close()
def starts(path):
    import subprocess
    subprocess.run(["true"])
def takes_long(path):
    sum(range(3_000_000))
def needs_memory(path):
    bytearray(b"x") * (600 * 2**20)

functions = [fails, documented, opens, writes, starts, takes_long, needs_memory]
READERS["planted"] = Reader(
    "x.bin", lambda f: [b"abc"], lambda r, c: c, lambda f: functions
)
worker.MAX_SECONDS = 0.02
folder = sys.argv[1]
worker.run(worker.Task(
    reader="planted", seed=0, first=0, end=1, seconds=60, folder=folder,
    position=folder + ".position", findings=folder + ".findings"))
"""


def test_the_command_finds_what_a_reader_must_not_do(tmp_path):
    (tmp_path / "files").mkdir()
    (tmp_path / "other").write_text("secret")
    done = run(PLANTED, tmp_path / "files", tmp_path / "other")
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "files.findings").read_text().splitlines()
    found = " | ".join(json.loads(line)["what"] for line in lines)
    other = tmp_path / "other"
    assert "KeyError in <string>" in found
    assert f"outside of the file: open '{other}' |" in found
    assert f"outside of the file: open '{other}.new'" in found
    assert "outside of the file: subprocess.Popen" in found
    assert "takes_long takes long" in found
    assert "needs_memory needs much memory" in found
    assert "ValueError" not in found


def test_the_command_goes_on_behind_a_file_that_crashes_it(monkeypatch):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.fuzz import campaign

    tasks = []

    def crashes_at_20(task):
        tasks.append(task.first)
        if task.first <= 20:
            yield campaign.Finding("pth", 20, "it crashes with signal 11")
        yield 21 if task.first <= 20 else task.end

    monkeypatch.setattr(campaign, "_run", crashes_at_20)
    result = campaign.fuzz("pth", n_inputs=30, first=10)
    assert tasks == [10, 21]
    assert result.n_inputs == 30
    assert result.summary().endswith(
        "it crashes with signal 11 (1x, first in input 20)"
    )


def test_the_same_seed_gives_the_same_files(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.fuzz.readers import READERS as readers
    from benchmarks.fuzz.worker import damaged

    assert sorted(readers) == sorted(READERS)
    reader = readers["geojson"]
    contents = reader.samples(tmp_path)
    made = [damaged(reader, contents, "0/geojson", n) for n in range(20)]
    assert made == [damaged(reader, contents, "0/geojson", n) for n in range(20)]
    assert len(set(made)) > 15
    assert made != [damaged(reader, contents, "1/geojson", n) for n in range(20)]


@pytest.mark.parametrize("name", ["png", "maps"])
def test_damage_gets_past_the_checksums_of_a_format(monkeypatch, tmp_path, name):
    monkeypatch.syspath_prepend(ROOT)
    from benchmarks.fuzz import formats, readers, samples

    opens = {"png": lambda f: Image.open(f).verify(), "maps": zipfile.ZipFile}[name]
    damage = {"png": formats.damage_png, "maps": readers._NPZ}[name]
    content = {"png": samples.png_images, "maps": samples.maps}[name](tmp_path)[0]
    n_opened = 0
    for seed in range(100):
        try:
            with warnings.catch_warnings(action="ignore"):
                opens(io.BytesIO(damage(random.Random(seed), content)))
            n_opened += 1
        except Exception:
            pass
    assert n_opened > 30


def test_the_command_refuses_readers_that_do_not_exist():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fuzz", "nonsense"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "no such reader: nonsense" in done.stderr
