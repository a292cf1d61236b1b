"""Training from image files that are decoded batch by batch, next to patches in RAM.

The files are written before the clock starts. The page cache holds as many of them as
it can.
"""

import os
import shutil
import sys
import tempfile
from math import nan
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import contest
from benchmarks.contest import Contest, Entry
from benchmarks.memory import available_gigabytes
from benchmarks.networks import light_network
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.table import Section, Table, median

BATCH_SIZE = 64
FILE_BYTES = 32_768  # on the disk, including the entry of the folder
PATCH_BYTES = 96 * 96 * 3
RAM = "array in RAM"
LAZY = "lazy"
LAZY_THREADS = "lazy, n_jobs=-1"
SOURCES = {RAM: (False, None), LAZY: (True, None), LAZY_THREADS: (True, -1)}


class Reader:
    """Trains from files.

    Parameters
    ----------
    folder : Path
    n_files : int
        Number of files that are used, from the first.
    lazy : bool
    n_jobs : int or None
        Threads that read.
    light : bool
        Whether to train the light network instead of the reference network.
    """

    def __init__(
        self, folder: Path, n_files: int, lazy: bool, n_jobs: int | None, light: bool
    ) -> None:
        from skhisto import PatchCNNClassifier, PatchLoader

        self._names = [file_name(number) for number in range(n_files)]
        self._y = np.arange(n_files) % 2
        self._lazy = lazy
        self._loader = PatchLoader(root=folder, lazy=lazy, n_jobs=n_jobs)
        self._classifier = PatchCNNClassifier(
            architecture=light_network if light else "reference",
            epochs=1,
            batch_size=BATCH_SIZE,
            augment=None,
            random_state=0,
        )

    def load(self) -> float:
        """Load the patches, or only check the files. Return the seconds."""
        needed = 0 if self._lazy else 1.2 * len(self._names) * PATCH_BYTES / 1e9
        if available_gigabytes() < needed:
            raise MemoryError(
                f"needs {needed:.1f} GB of memory, {available_gigabytes():.1f} are free"
            )
        return contest.seconds(self._load)

    def warm_up(self) -> None:
        """Trace the network."""
        self._classifier.fit(self._X[:BATCH_SIZE], self._y[:BATCH_SIZE])

    def fit(self) -> float:
        """Train for an epoch and return the seconds."""
        return contest.seconds(self._classifier.fit, self._X, self._y)

    def _load(self) -> None:
        self._X = self._loader.transform(self._names)


def run(options: Options) -> Section:
    """Measure reading."""
    n_small, n_files, n_most, n_reference = (
        (64, 256, 512, 64) if options.quick else (2_482, 20_000, 220_025, 320)
    )
    if not options.full:
        n_most = n_files
    rounds = options.few_rounds
    peaks: dict[int, float] = {}
    shortage = ""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            write_files(folder, n_most)
        except OSError as error:
            if n_most == n_files:
                raise
            shortage, n_most = f"{n_most:,} files are not measured: {error}", n_files
            write_files(folder, n_files)
        _, peaks[n_small] = _compare(folder, n_small, [LAZY], 1, light=True)
        tables = [_compare(folder, n_reference, list(SOURCES), rounds, light=False)[0]]
        for n in dict.fromkeys([n_files, n_most]):
            n_rounds = rounds if n == n_files else 1
            table, peaks[n] = _compare(folder, n, list(SOURCES), n_rounds, light=True)
            tables.append(table)
    memory = Table(["lazy files", "peak MB"], caption="Light network, lazy:")
    for n, megabytes in peaks.items():
        memory.add(f"{n:,}", megabytes)
    memory.remarks += [shortage] * bool(shortage)
    return Section(
        "Reading files",
        "One epoch of training from uncompressed TIFF files of 96x96 RGB pixels "
        "(28 kB), in batches of 64. `PatchLoader(lazy=True)` decodes them batch by "
        "batch. Loading the array is not a part of the epoch. The light network has "
        "one convolution with stride 8 and takes less time than reading its patches, "
        "which is the worst case.",
        [*tables, memory],
    )


def _compare(
    folder: Path, n_files: int, sources: list[str], n_rounds: int, *, light: bool
) -> tuple[Table, float]:
    """Return the table, and the peak memory of lazy reading."""
    entries: dict[str, Entry] = {
        name: (Reader, (folder, n_files, *SOURCES[name], light)) for name in sources
    }
    with Contest(f"reading {n_files:,} files", entries) as turns:
        load = turns.each("load")
        turns.each("warm_up")
        seconds = turns.rounds(n_rounds, "fit")
        megabytes = turns.peak_megabytes()
    table = Table(
        ["", "load, s", "epoch, s", "patches/s", "epoch: this / RAM", "peak MB"],
        caption=f"{'Light' if light else 'Reference'} network, {n_files:,} files. "
        f"Medians over {n_rounds} turn(s):",
    )

    def row(name: str) -> list[float]:
        epoch = median(seconds[name])
        ratio = epoch / median(seconds.get(RAM, []))
        return [load[name], epoch, n_files / epoch, ratio, megabytes[name]]

    return turns.fill(table, row), megabytes.get(LAZY, nan)


def file_name(number: int) -> str:
    """Return the name of a file."""
    return f"{number:06d}.tif"


def write_files(folder: Path, n_files: int) -> None:
    """Write files of noisy patches. Raise an OSError if the disk is too small."""
    free = shutil.disk_usage(folder).free
    if free < n_files * FILE_BYTES:
        raise OSError(
            f"{n_files:,} files need {n_files * FILE_BYTES / 1e9:.1f} GB in the folder "
            f"for temporary files, {free / 1e9:.1f} are free. Set TMPDIR to another "
            "folder."
        )
    patches, _ = many_patches(128, 96)
    rng = np.random.default_rng(0)
    for number in range(n_files):
        if number % 20_000 == 0:
            print(f"[reading] {number:,} of {n_files:,} files", file=sys.stderr)
        patch = patches[number % len(patches)]
        noise = rng.integers(0, 8, patch.shape, dtype=np.uint8)
        Image.fromarray(patch ^ noise).save(folder / file_name(number))
    os.sync()  # otherwise the disk is busy during the measurements
