"""Kill the command that maps slides at random moments, and compare the results.

Run from the root of the repository::

    python -m benchmarks.map_kills                        # ten kills
    python -m benchmarks.map_kills --kills 3 --seed 1     # fewer, and other moments

``python -m skhisto map`` runs undisturbed first. Then it runs in another folder and is
killed by ``kill -9``, again and again, each time after a random number of tiles and a
random part of the next one. The last run is not killed. This command fails unless

- no run computes a tile that an earlier run had finished;
- the map is bitwise that of the undisturbed run, and nothing else is left.

Progress goes to stderr, the table to stdout.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.table import Table

ROOT = Path(__file__).parents[1]
SIDE = 2048  # pixels of the slide
TILE_MEGABYTES = 16  # so that the slide has about 50 tiles
_DONE = re.compile(r"slide: (\d+) of (\d+) tiles done")


@dataclass(frozen=True)
class Run:
    """What one run of the command did.

    Attributes
    ----------
    n_before, n_after : int
        Tiles on disk when it started and when it was killed.
    is_kept : bool
        Whether every file of an earlier run is unchanged.
    n_leftovers : int
        Temporary files, which show that it was killed while it was writing.
    """

    n_before: int
    n_after: int
    is_kept: bool
    n_leftovers: int


@dataclass(frozen=True)
class Result:
    """What was found after all kills.

    Attributes
    ----------
    n_tiles : int
        Tiles of the map.
    runs : list of Run
        Those that were killed.
    n_last : int
        Tiles that the last run computed.
    n_left : int
        Tiles that were missing when it started.
    is_equal : bool
        Whether all arrays of the map are bitwise those of the undisturbed run.
    is_clean : bool
        Whether the folder contains the map only.
    """

    n_tiles: int
    runs: list[Run]
    n_last: int
    n_left: int
    is_equal: bool
    is_clean: bool

    @property
    def is_good(self) -> bool:
        """Whether all is as it should be."""
        return (
            self.is_equal
            and self.is_clean
            and self.n_last == self.n_left
            and all(run.is_kept for run in self.runs)
        )


def measure(n_kills: int, seed: int, folder: Path, side: int = SIDE) -> Result:
    """Kill the command at random moments.

    Parameters
    ----------
    n_kills : int
    seed : int
        Determines the moments.
    folder : Path
        An empty folder.
    side : int
        Pixels of each side of the slide.
    """
    _make_files(folder, side)
    expected, moments = _run(folder, "undisturbed")
    n_tiles = len(moments)
    seconds = (moments[-1] - moments[0]) / (n_tiles - 1)
    rng = np.random.default_rng(seed)
    runs = []
    for kill in range(n_kills):
        n_left = n_tiles - len(_tiles(folder))
        # So that tiles are left for all kills.
        most = n_left // (n_kills + 1 - kill)
        run = _kill(folder, int(rng.integers(0, most + 1)), seconds * rng.uniform())
        runs.append(run)
        print(f"{kill + 1}/{n_kills}: {run}", file=sys.stderr)
    n_left = n_tiles - len(_tiles(folder))
    found, moments = _run(folder, "killed")
    is_equal = expected.keys() == found.keys() and all(
        expected[name].tobytes() == found[name].tobytes() for name in expected
    )
    is_clean = [path.name for path in (folder / "killed").iterdir()] == ["slide.npz"]
    return Result(n_tiles, runs, len(moments), n_left, is_equal, is_clean)


def _make_files(folder: Path, side: int) -> None:
    """Write a slide and a model."""
    import skops.io

    from skhisto import PatchCNNClassifier, ReferenceCNN, make_patches, make_slide

    make_slide((side, side), random_state=0, path=folder / "slide.tif")
    X, y = make_patches(40, size=48, random_state=0)
    classifier = PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(4, 8), dense_units=8),
        epochs=1,
        tta="d4",
        random_state=0,
    )
    skops.io.dump(classifier.fit(X, y), folder / "model.skops")


def _command(folder: Path, name: str) -> list[str]:
    options = ["--stride", "8", "--max-memory", str(TILE_MEGABYTES), "--no-mask"]
    files = ["--model", str(folder / "model.skops"), "--out", str(folder / name)]
    slide = str(folder / "slide.tif")
    return [sys.executable, "-m", "skhisto", "map", slide, *files, *options]


def _run(folder: Path, name: str) -> tuple[dict[str, np.ndarray], list[float]]:
    """Map the slide, and return the map, and when each tile was finished."""
    moments, lines = [], []
    with _started(folder, name) as process:
        for line in process.stderr:
            lines.append(line)
            if _DONE.search(line):
                moments.append(time.perf_counter())
    if process.returncode:
        raise RuntimeError(f"The command failed:\n{''.join(lines)}")
    with np.load(folder / name / "slide.npz", allow_pickle=False) as content:
        return {key: content[key] for key in content.files}, moments


def _started(folder: Path, name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        _command(folder, name), cwd=ROOT, stderr=subprocess.PIPE, text=True
    )


def _kill(folder: Path, n_wanted: int, seconds: float) -> Run:
    """Start the command, and kill it some seconds after some tiles."""
    before = _tiles(folder)
    n_computed = 0
    with _started(folder, "killed") as process:
        for line in process.stderr:
            n_computed += _DONE.search(line) is not None
            if line.startswith("slide: ") and n_computed == n_wanted:
                break
        time.sleep(seconds)
        process.kill()
    if process.returncode == 0:
        raise RuntimeError("The command ended before it was killed.")
    after = _tiles(folder)
    return Run(
        n_before=len(before),
        n_after=len(after),
        is_kept=before.items() <= after.items(),
        n_leftovers=len(list(folder.glob("killed/*/*/.tile-*"))),
    )


def _tiles(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the files of finished tiles, with what changes if they are replaced."""
    paths = folder.glob("killed/*.partial/*/tile-*.npz")
    stats = {path.name: path.stat() for path in paths}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def table_of(result: Result) -> Table:
    """Return one row for each run."""
    table = Table(["run", "tiles before", "tiles computed", "tiles after"])
    for number, run in enumerate(result.runs, start=1):
        notes = ["killed while writing"] * bool(run.n_leftovers)
        notes += ["changed earlier tiles"] * (not run.is_kept)
        table.add(
            f"killed {number}",
            str(run.n_before),
            str(run.n_after - run.n_before),
            str(run.n_after),
            note=", ".join(notes),
        )
    n_before = result.n_tiles - result.n_left
    table.add("last", str(n_before), str(result.n_last), str(result.n_tiles))
    return table


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.map_kills",
        description="Kill the command that maps slides, and compare the results.",
    )
    parser.add_argument("--kills", type=int, default=10, help="default: 10")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    with tempfile.TemporaryDirectory() as folder:
        result = measure(arguments.kills, arguments.seed, Path(folder))
    print(table_of(result).markdown())
    print(
        f"\nThe last run computed {result.n_last} of {result.n_left} tiles that were "
        f"missing. The map is {'' if result.is_equal else 'not '}bitwise that of the "
        f"undisturbed run. Its folder contains "
        f"{'nothing else' if result.is_clean else 'other files'}."
    )
    if not result.is_good:
        sys.exit(1)


if __name__ == "__main__":
    main()
