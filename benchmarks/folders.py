"""Time from the name of a folder to the first batch of its patches.

The files are those of `benchmarks.reading`. Each measurement is made in a process of
its own. Before a cold one, the system is asked to drop the pages of the files; what it
knows of the folder itself may stay in memory.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.memory import peak_megabytes_of_tree
from benchmarks.options import Options
from benchmarks.reading import file_name, write_files
from benchmarks.table import Section, Table

BATCH_SIZE = 64
CODE = """
import json, os, sys, time
import numpy as np
from skhisto import load_patch_folder
from benchmarks.folders import peak_megabytes
seconds = []
for _ in range(2):
    start = time.perf_counter()
    patches = load_patch_folder(sys.argv[1])
    seconds.append(time.perf_counter() - start)
    rows = np.random.default_rng(0).permutation(len(patches.data))[:{batch_size}]
    start = time.perf_counter()
    np.asarray(patches.data[rows])
    seconds.append(time.perf_counter() - start)
print(json.dumps([*seconds, peak_megabytes()]))
"""


def run(options: Options) -> Section:
    """Measure `load_patch_folder` and the first batch."""
    n_files = 220_025 if options.full else 64 if options.quick else 20_000
    table = Table(
        ["", "load, s", "ms per file", "first batch, s", "load again, s", "peak MB"],
        caption=f"{n_files:,} files:",
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "train").mkdir()
        write_files(folder / "train", n_files)
        _write_labels(folder, n_files)
        for state in ("cold", "warm"):
            if state == "cold":
                _drop_pages(folder / "train", n_files)
            load, batch, again, _, megabytes = _measure(folder)
            table.add(state, load, 1000 * load / n_files, batch, again, megabytes)
    return Section(
        "Loading a folder",
        "Seconds of `load_patch_folder` on uncompressed TIFF files of 96x96 RGB pixels "
        "in Kaggle's layout, which reads the header of each file, and of decoding the "
        f"first random batch of {BATCH_SIZE} patches. Before the cold run, the system "
        "was asked to drop the pages of the files. The second call in the same process "
        "only asks for the size and the time of change of each file.",
        [table],
    )


def peak_megabytes() -> float:
    """Return the peak memory of this process."""
    return peak_megabytes_of_tree(os.getpid())


def _measure(folder: Path) -> list[float]:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(batch_size=BATCH_SIZE), str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def _write_labels(folder: Path, n_files: int) -> None:
    lines = [f"{Path(file_name(i)).stem},{i % 2}\n" for i in range(n_files)]
    (folder / "train_labels.csv").write_text("id,label\n" + "".join(lines))


def _drop_pages(folder: Path, n_files: int) -> None:
    """Ask the system to forget the contents of the files, where it can."""
    if not hasattr(os, "posix_fadvise"):
        return
    for number in range(n_files):
        file = os.open(folder / file_name(number), os.O_RDONLY)
        try:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)
