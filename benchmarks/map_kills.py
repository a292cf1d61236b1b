"""Kill the command that maps slides at random moments, and compare the results.

Run from the root of the repository::

    python -m benchmarks.map_kills                        # ten kills
    python -m benchmarks.map_kills --kills 3 --seed 1     # fewer, and other moments

``python -m skhisto map`` runs undisturbed first. Then it runs in another folder and is
killed by ``kill -9`` several times, each time after a random number of tiles and during
another one. The last run is not killed. This command fails unless

- no run computes or changes a tile that an earlier run had finished;
- the map is bitwise that of the undisturbed run, and no other files are left.

Progress goes to stderr, the table to stdout.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.kills import Arrays, are_equal
from benchmarks.machine import use_cpu
from benchmarks.table import Table
from benchmarks.worker import ROOT

SIDE = 2048  # pixels of the slide
TILE_MEGABYTES = 16  # so that the slide has about 50 tiles
DONE = re.compile(r"slide: (\d+) of (\d+) tiles done")


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.map_kills",
        description="Kill the command that maps slides, and compare the results.",
    )
    parser.add_argument("--kills", type=int, default=10, help="default: 10")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    arguments = parser.parse_args()
    use_cpu()
    with tempfile.TemporaryDirectory() as folder:
        table, faults = measure(arguments.kills, arguments.seed, Path(folder))
    print(table.markdown())
    if faults:
        sys.exit("\n".join(faults))


def measure(n_kills: int, seed: int, folder: Path) -> tuple[Table, list[str]]:
    """Kill the command at random moments. Return a table and the faults found."""
    make_files(folder)
    expected, moments = run(folder, "undisturbed")
    n_tiles = len(moments)
    seconds = (moments[-1] - moments[0]) / (n_tiles - 1)
    rng = np.random.default_rng(seed)
    table = Table(["run", "tiles before", "tiles computed", "tiles after"])
    faults = []
    for number in range(1, n_kills + 1):
        before = finished_tiles(folder)
        # Leave tiles for the other kills.
        most = (n_tiles - len(before)) // (n_kills + 2 - number)
        kill(folder, int(rng.integers(0, most + 1)), seconds * rng.uniform())
        after = finished_tiles(folder)
        if not before.items() <= after.items():
            faults.append(f"Run {number} changed tiles of an earlier run.")
        was_writing = any(folder.glob("killed/*/*/.tile-*"))
        counts = (len(before), len(after) - len(before), len(after))
        note = "killed while writing" if was_writing else ""
        table.add(f"killed {number}", *map(str, counts), note=note)
        print(f"{number} of {n_kills} kills", file=sys.stderr)
    n_before = len(finished_tiles(folder))
    found, moments = run(folder, "killed")
    table.add("last", *map(str, (n_before, len(moments), n_tiles)))
    if len(moments) != n_tiles - n_before:
        faults.append("The last run computed tiles again.")
    if not are_equal(found, expected):
        faults.append("The map differs from that of the undisturbed run.")
    if [path.name for path in (folder / "killed").iterdir()] != ["slide.npz"]:
        faults.append("The folder of the map contains other files.")
    return table, faults


def make_files(folder: Path) -> None:
    """Write a slide and a model."""
    import skops.io

    from skhisto import PatchCNNClassifier, ReferenceCNN, make_patches, make_slide

    make_slide((SIDE, SIDE), random_state=0, path=folder / "slide.tif")
    X, y = make_patches(40, size=48, random_state=0)
    classifier = PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(4, 8), dense_units=8),
        epochs=1,
        tta="d4",
        random_state=0,
    )
    skops.io.dump(classifier.fit(X, y), folder / "model.skops")


def start(folder: Path, name: str) -> subprocess.Popen[str]:
    """Start the command, which writes its map to a folder of this name."""
    command = [sys.executable, "-m", "skhisto", "map", folder / "slide.tif"]
    command += ["--model", folder / "model.skops", "--out", folder / name]
    command += ["--stride", "8", "--max-memory", str(TILE_MEGABYTES), "--no-mask"]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


def run(folder: Path, name: str) -> tuple[Arrays, list[float]]:
    """Map the slide. Return the map, and the times at which tiles were finished."""
    moments, lines = [], []
    with start(folder, name) as process:
        for line in process.stderr:
            lines.append(line)
            if DONE.search(line):
                moments.append(time.perf_counter())
    if process.returncode:
        raise RuntimeError(f"The command failed:\n{''.join(lines)}")
    with np.load(folder / name / "slide.npz", allow_pickle=False) as content:
        return {key: content[key] for key in content.files}, moments


def kill(folder: Path, n_tiles: int, seconds: float) -> None:
    """Start the command, and kill it some seconds after some tiles."""
    n_computed = 0
    with start(folder, "killed") as process:
        for line in process.stderr:
            n_computed += DONE.search(line) is not None
            if line.startswith("slide: ") and n_computed == n_tiles:
                break
        time.sleep(seconds)
        process.kill()
    if process.returncode == 0:
        raise RuntimeError("The command ended before it was killed.")


def finished_tiles(folder: Path) -> dict[str, tuple[int, int]]:
    """Return the files of finished tiles, with numbers that change with a file."""
    paths = folder.glob("killed/*.partial/*/tile-*.npz")
    stats = {path.name: path.stat() for path in paths}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


if __name__ == "__main__":
    main()
