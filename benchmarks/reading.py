"""Training from image files that are read lazily, against the same patches in RAM.

The files are real TIFF files of 96x96 RGB pixels, uncompressed, each with pixels of its
own, written before the clock starts. They are in the page cache, as far as it holds
them.
"""

import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.contest import Contest, Entry
from benchmarks.memory import available_gigabytes
from benchmarks.networks import light_network
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.table import Section, Table, median

BATCH_SIZE = 64
FILE_BYTES = 32_768  # on the disk, with room for the folder
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
        The first so many files are used.
    lazy : bool
    n_jobs : int or None
        Threads that read.
    light : bool
        Whether to train the light network instead of the reference network.
    """

    def __init__(
        self, folder: Path, n_files: int, lazy: bool, n_jobs: int | None, light: bool
    ) -> None:
        import tensorflow  # noqa: F401  # skhisto imports it in the first fit

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
        """Load the patches, or only check the files; return the seconds."""
        needed = 0 if self._lazy else 1.2 * len(self._names) * PATCH_BYTES / 1e9
        if available_gigabytes() < needed:
            raise MemoryError(
                f"needs {needed:.1f} GB of memory, {available_gigabytes():.1f} are free"
            )
        start = time.perf_counter()
        self._X = self._loader.transform(self._names)
        return time.perf_counter() - start

    def warm_up(self) -> None:
        """Trace."""
        self._classifier.fit(self._X[:BATCH_SIZE], self._y[:BATCH_SIZE])

    def fit(self) -> float:
        """Train for an epoch; return the seconds."""
        start = time.perf_counter()
        self._classifier.fit(self._X, self._y)
        return time.perf_counter() - start


def run(options: Options) -> Section:
    """Measure reading."""
    n_small, n_files, n_most, n_reference = (
        (64, 256, 512, 64) if options.quick else (2_482, 20_000, 220_025, 320)
    )
    if not options.full:
        n_most = n_files
    rounds = options.few_rounds
    peaks: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            write_files(folder, n_most)
            shortage = ""
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
    if shortage:
        memory.remarks.append(shortage)
    return Section(
        "Reading files",
        "One epoch of training from TIFF files of 96x96 RGB pixels (28 kB, "
        "uncompressed, in the page cache as far as it holds them), which "
        "`PatchLoader(lazy=True)` decodes batch by batch, against the same patches in "
        f"an array; batches of {BATCH_SIZE}. Loading the array is not part of the "
        "epoch. The light network, one convolution with stride 8, takes less time than "
        "reading its patches: the worst case. Contenders run in processes of their own "
        "and take turns.",
        [*tables, memory],
    )


def _compare(
    folder: Path, n_files: int, sources: list[str], n_rounds: int, *, light: bool
) -> tuple[Table, float]:
    """Return the table, and the peak memory of lazy reading."""
    entries: dict[str, Entry] = {
        name: (Reader, (folder, n_files, *SOURCES[name], light)) for name in sources
    }
    with Contest(f"reading {n_files:,} files", entries) as contest:
        load = contest.each("load")
        contest.each("warm_up")
        seconds = contest.rounds(n_rounds, "fit")
        megabytes = contest.peak_megabytes()
    network = "Light" if light else "Reference"
    table = Table(
        ["", "load, s", "epoch, s", "patches/s", "epoch: this / RAM", "peak MB"],
        caption=f"{network} network, {n_files:,} files; medians over {n_rounds} "
        "turn(s):",
    )
    for name in sources:
        if name in contest.errors:
            table.fail(name, contest.errors[name])
            continue
        epoch = median(seconds[name])
        ratio = epoch / median(seconds.get(RAM, []))
        table.add(name, load[name], epoch, n_files / epoch, ratio, megabytes[name])
    return table, megabytes.get(LAZY, float("nan"))


def file_name(number: int) -> str:
    """Return the name of a file."""
    return f"{number:06d}.tif"


def write_files(folder: Path, n_files: int) -> None:
    """Write files of noisy patches; raise an OSError if the disk is too small."""
    free = shutil.disk_usage(folder).free
    if free < n_files * FILE_BYTES:
        raise OSError(
            f"{n_files:,} files need {n_files * FILE_BYTES / 1e9:.1f} GB in the folder "
            f"for temporary files, {free / 1e9:.1f} are free. TMPDIR names another one."
        )
    patches, _ = many_patches(128, 96)
    rng = np.random.default_rng(0)
    for number in range(n_files):
        if number % 20_000 == 0:
            print(f"[reading] {number:,} of {n_files:,} files", file=sys.stderr)
        patch = patches[number % len(patches)]
        noise = rng.integers(0, 8, patch.shape, dtype=np.uint8)
        Image.fromarray(patch ^ noise).save(folder / file_name(number))
    os.sync()  # or else the disk is busy while others are timed
