"""Maps of slides: agreement with single windows, speed, and memory."""

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks import contest
from benchmarks.contest import Contest, Entry, alone
from benchmarks.options import Options
from benchmarks.table import Section, Table, median
from benchmarks.worker import WorkerError

PRECISIONS = ("float32", "bfloat16")
SIDE = 96
REGION = Path("region", "CMU-1-Small-Region.svs")
# Rounding of sums in another order, and of the 8 bits of bfloat16.
TOLERANCES = {"float32": 1e-5, "bfloat16": 2e-3}


class Mapper:
    """The reference network after short training, for maps and for windows.

    Parameters
    ----------
    precision : str
    padding : str, default="auto"
    """

    def __init__(self, precision: str, padding: str = "auto") -> None:
        from skhisto import PatchCNNClassifier, ReferenceCNN, make_patches

        X, y = make_patches(128, size=SIDE, random_state=0)
        self._classifier = PatchCNNClassifier(
            architecture=ReferenceCNN(padding=padding),
            precision=precision,
            epochs=1,
            batch_size=32,
            random_state=0,
        ).fit(X, y)

    def prepare(self, side: int) -> None:
        """Make a region and trace the network."""
        from skhisto import make_patches

        X, _ = make_patches(64, size=256, random_state=1)
        rows = X.reshape(8, 8, 256, 256, 3).swapaxes(1, 2).reshape(2048, 2048, 3)
        self._region = rows[:side, :side]
        self.windows(32, 48)

    def dense(self, stride: int) -> tuple[float, int]:
        """Return the seconds of a map and its number of windows."""
        from skhisto import probability_map

        start = time.perf_counter()
        result = probability_map(self._classifier, self._region, stride, mask=None)
        seconds = time.perf_counter() - start
        if result.way != "dense":
            raise ValueError(result.reason)
        return seconds, result.tissue.size

    def windows(self, stride: int, n_windows: int) -> float:
        """Return the seconds of `predict_proba` per window, including copies."""
        corners = _corners(self._region.shape[:2], stride)[:n_windows]
        return contest.seconds(self._predict, corners) / len(corners)

    def differences(self, file: Path, mpp: float | None, n: int) -> tuple[float, float]:
        """Return the largest and the mean difference of a map from windows."""
        from skhisto import Slide, probability_map

        slide = Slide(file)
        result = probability_map(self._classifier, slide, 8, mpp=mpp, mask=None)
        image = slide.at(mpp)
        corners = _corners(image.shape, 8)
        drawn = np.random.default_rng(0).choice(len(corners), n, replace=False)
        windows = np.stack(
            [image.read(top, left, SIDE, SIDE) for top, left in corners[drawn]]
        )
        expected = self._classifier.predict_proba(windows)
        found = result.probabilities.reshape(-1, 2)[drawn]
        difference = np.abs(found - expected)
        return float(difference.max()), float(difference.mean())

    def map_of(self, file: Path, stride: int, max_memory: float) -> list[Any]:
        """Map the diagonal of a slide. Return the way, the cells and the seconds."""
        from skhisto import Slide, probability_map

        start = time.perf_counter()
        result = probability_map(
            self._classifier,
            Slide(file),
            stride,
            mask=np.eye(40, dtype=bool),
            max_memory=max_memory,
        )
        seconds = time.perf_counter() - start
        return [result.way, int(result.tissue.sum()), seconds]

    def _predict(self, corners: np.ndarray) -> None:
        views = np.lib.stride_tricks.sliding_window_view(
            self._region, (SIDE, SIDE), axis=(0, 1)
        )
        windows = np.moveaxis(views, 2, -1)[corners[:, 0], corners[:, 1]]
        self._classifier.predict_proba(windows)


def _corners(shape: tuple[int, int], stride: int) -> np.ndarray:
    from skhisto.slides import WindowGrid

    return WindowGrid(shape, SIDE, stride).corners()


def run(options: Options) -> Section:
    """Measure maps."""
    return Section(
        "Maps of slides",
        "`probability_map` of a classifier with the reference network, trained for one "
        "epoch on generated patches.",
        [_equality(options), _speed(options), _memory(options)],
    )


def _equality(options: Options) -> Table:
    n = 50 if options.quick else 1_000
    table = Table(
        ["", "largest difference", "mean difference", "allowed"],
        caption=f"Probabilities at stride 8, compared with `predict_proba` of {n:,} "
        f"random windows of `{REGION.name}` at 0.97 microns per pixel:",
    )
    if "SKHISTO_DATA" not in os.environ:
        table.remarks.append("Not measured: SKHISTO_DATA is not set.")
        return table
    file = Path(os.environ["SKHISTO_DATA"]) / REGION
    entries: dict[str, Entry] = {name: (Mapper, (name,)) for name in PRECISIONS}
    with Contest("maps, equality", entries) as turns:
        found = turns.each("differences", file, 0.97, n)

    def row(name: str) -> list[str]:
        return [*(f"{x:.1e}" for x in found[name]), f"{TOLERANCES[name]:.0e}"]

    return turns.fill(table, row)


def _speed(options: Options) -> Table:
    side, n_windows = (512, 48) if options.quick else (2048, 480)
    n_rounds = options.few_rounds
    table = Table(
        ["", "stride", "map, s", "windows/s", "megapixels/s", "times faster"],
        caption=f"Maps of {side}x{side} pixels in memory. The last column compares "
        f"with `predict_proba` on windows, including copies. {n_windows} windows are "
        "timed, and their time is scaled to all windows. Medians over "
        f"{n_rounds} turn(s):",
    )
    entries: dict[str, Entry] = {name: (Mapper, (name,)) for name in PRECISIONS}
    with Contest("maps, speed", entries) as turns:
        turns.each("prepare", side)
        for stride in (32, 16, 8):
            turns.each("dense", stride)  # traces, and fills caches
            dense, windows = [], []
            for _ in range(n_rounds):
                windows.append(turns.each("windows", stride, n_windows))
                dense.append(turns.each("dense", stride))
            for name in PRECISIONS:
                if name in turns.errors:
                    continue
                seconds = median([times[name][0] for times in dense])
                n = dense[0][name][1]
                ratio = median([times[name] for times in windows]) * n / seconds
                speeds = (n / seconds, side**2 / 1e6 / seconds)
                table.add(name, str(stride), seconds, *speeds, ratio)
    for name, error in turns.errors.items():
        table.fail(name, error)
    return table


def _memory(options: Options) -> Table:
    sides = (500, 1_000) if options.quick else (2_000, 6_000, 20_000)
    limit = 150  # less than a slide needs as one tile
    table = Table(
        ["", "pixels a side", "way", "cells", "seconds", "peak MB"],
        caption="Peak memory of a process that maps a generated pyramidal TIFF file "
        f"with `max_memory={limit}`, in bfloat16. Only cells along the diagonal are "
        "computed, to save time:",
    )
    entries: dict[str, tuple[Entry, int]] = {
        "unpadded network": ((Mapper, ("bfloat16",)), 32),
        "padded network": ((Mapper, ("bfloat16", "same")), 64),
    }
    with TemporaryDirectory() as folder:
        for side in sides:
            file = _write_slide(Path(folder), side)
            for name, (entry, stride) in entries.items():
                call = ("map_of", file, stride, limit)
                try:
                    (row,), megabytes = alone(f"maps, {side}", entry, call)
                    table.add(name, f"{side:,}", *row, megabytes)
                except WorkerError as error:
                    table.fail(name, str(error))
    return table


def _write_slide(folder: Path, side: int) -> Path:
    from skhisto import make_slide

    file = folder / f"{side}.tif"
    make_slide((side, side), random_state=0, path=file)
    return file
