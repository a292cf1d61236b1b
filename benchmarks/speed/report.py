"""Speed and memory of `patch_report`, and the problems that it finds."""

import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import contest
from benchmarks.contest import Contest, Entry, alone
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.speed.planted import rates
from benchmarks.speed.reading import file_name, write_files
from benchmarks.table import Section, Table, median
from benchmarks.worker import WorkerError

SOURCES = ("array in RAM", "PatchArray", "paths")


class Reporter:
    """Makes a report of files."""

    def __init__(self, folder: Path, n_files: int, source: str) -> None:
        from skhisto import PatchLoader

        paths = [folder / file_name(number) for number in range(n_files)]
        self._X = {
            "array in RAM": lambda: PatchLoader().transform(paths),
            "PatchArray": lambda: PatchLoader(lazy=True).transform(paths),
            "paths": lambda: paths,
        }[source]()
        self._y, self._groups = np.arange(n_files) % 2, np.arange(n_files) // 50

    def report(self) -> float:
        """Return the seconds of a report."""
        from skhisto import patch_report

        return contest.seconds(patch_report, self._X, self._y, groups=self._groups)


class Searcher:
    """Searches near duplicates in mixtures of the coefficients of generated patches."""

    def __init__(self, n_patches: int) -> None:
        from skhisto.patches._measures import to_grey
        from skhisto.report._perceptual_hash import coefficients

        patches, _ = many_patches(128, 96)
        found = coefficients(to_grey(patches.astype(np.float32))).reshape(-1, 64)
        rng = np.random.default_rng(0)
        mixed = np.empty((n_patches, 64))
        for column in range(64):
            mixed[:, column] = rng.permutation(np.resize(found[:, column], n_patches))
        mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
        self._coefs = mixed.reshape(n_patches, 8, 8).astype(np.float16)

    def search(self) -> float:
        """Return the seconds of the search of `patch_report`."""
        from skhisto.report._near_duplicates import sets_of_near_duplicates

        return contest.seconds(sets_of_near_duplicates, self._coefs)

    def all_pairs(self, n_rows: int = 100) -> float:
        """Return the seconds of all comparisons, extrapolated from a few rows."""
        from skhisto.report._perceptual_hash import eight_views, hashes

        stored = hashes(self._coefs)
        views = hashes(eight_views(self._coefs[:n_rows]))
        start = time.perf_counter()
        for row in views:
            np.flatnonzero(np.bitwise_count(row[:, np.newaxis] ^ stored) <= 7)
        return (time.perf_counter() - start) / len(views) * len(stored) / 2


def run(options: Options) -> Section:
    """Measure the report."""
    n_files = 300 if options.quick else 10_000
    sizes = (300,) if options.quick else (2_482, 20_000, 220_025)
    with tempfile.TemporaryDirectory() as name:
        write_files(Path(name), n_files)
        speed = _speed(Path(name), n_files, options.few_rounds)
    return Section(
        "Report",
        "`patch_report` of TIFF files of 96x96 RGB pixels with labels and groups. The "
        "first table measures whole reports, and the second one the search for near "
        "duplicates alone. The third one shows which problems are found that were put "
        "into the patches.",
        [speed, _search(sizes), rates(options)],
    )


def _speed(folder: Path, n_files: int, n_rounds: int) -> Table:
    entries: dict[str, Entry] = {
        source: (Reporter, (folder, n_files, source)) for source in SOURCES
    }
    with Contest("report", entries) as turns:
        seconds = turns.rounds(n_rounds, "report")
        megabytes = turns.peak_megabytes()
    table = Table(
        ["", "patches/minute", "peak MB"],
        caption=f"{n_files:,} patches. Medians over {n_rounds} turn(s):",
    )

    def row(name: str) -> list[float]:
        return [round(60 * n_files / median(seconds[name])), megabytes[name]]

    return turns.fill(table, row)


def _search(sizes: tuple[int, ...]) -> Table:
    table = Table(
        ["patches", "search, s", "all pairs, s", "peak MB"],
        caption="Near duplicates. The time of all pairs is extrapolated from 100 rows:",
    )
    for n in sizes:
        try:
            times, megabytes = alone(
                "search", (Searcher, (n,)), ("search",), ("all_pairs",)
            )
            table.add(f"{n:,}", *times, megabytes)
        except WorkerError as error:
            table.fail(f"{n:,}", str(error))
    return table
