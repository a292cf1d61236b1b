"""Time from the name of a folder to the first batch of its patches."""

import os
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np

from benchmarks.contest import alone
from benchmarks.options import Options
from benchmarks.speed.reading import file_name, write_files
from benchmarks.table import Section, Table

BATCH_SIZE = 64


class Folder:
    """A folder of patches.

    Parameters
    ----------
    path : Path
    """

    def __init__(self, path: Path) -> None:
        import skhisto  # noqa: F401  # the import is not a part of loading

        self._path = path

    def load(self) -> tuple[float, float]:
        """Load the folder and a random batch. Return the seconds of both."""
        from skhisto import load_patch_folder

        start = perf_counter()
        data = load_patch_folder(self._path).data
        loaded = perf_counter()
        rows = np.random.default_rng(0).permutation(len(data))[:BATCH_SIZE]
        np.asarray(data[rows])
        return loaded - start, perf_counter() - loaded


def run(options: Options) -> Section:
    """Measure `load_patch_folder` and the first batch."""
    n_files = 220_025 if options.full else 64 if options.quick else 20_000
    table = Table(
        ["", "load, s", "ms per file", "first batch, s", "load again, s", "peak MB"],
        caption=f"{n_files:,} files:",
    )
    with tempfile.TemporaryDirectory() as name:
        folder, train = Path(name), Path(name, "train")
        train.mkdir()
        write_files(train, n_files)
        lines = [f"{Path(file_name(i)).stem},{i % 2}\n" for i in range(n_files)]
        (folder / "train_labels.csv").write_text("id,label\n" + "".join(lines))
        for state in ("cold", "warm"):
            if state == "cold":
                _drop_pages(train)
            entry = (Folder, (folder,))
            times, megabytes = alone("folders", entry, ("load",), ("load",))
            (load, batch), (again, _) = times
            table.add(state, load, 1000 * load / n_files, batch, again, megabytes)
    return Section(
        "Loading a folder",
        "`load_patch_folder` reads the header of each file. The files are uncompressed "
        "TIFF files of 96x96 RGB pixels in Kaggle's layout. The first batch consists "
        f"of {BATCH_SIZE} random patches, which are decoded. Before the cold run, the "
        "system was asked to drop the pages of the files. The second call in the same "
        "process only asks for the size and the modification time of each file.",
        [table],
    )


def _drop_pages(folder: Path) -> None:
    """Ask the system to drop the content of files from memory, where it can."""
    if not hasattr(os, "posix_fadvise"):
        return
    for path in folder.iterdir():
        file = os.open(path, os.O_RDONLY)
        try:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(file)
