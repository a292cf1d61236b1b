import os
import re
import subprocess
import sys

import numpy as np

import skhisto
from skhisto import ProbabilityMap

ROOT = os.path.dirname(os.path.dirname(skhisto.__file__))
DONE = re.compile(r"a: (\d+) of \d+ tiles done")


# The process ends itself, since another one may be too late on a busy machine.
KILL_AFTER = """
import os, sys, threading
from skhisto._commands import map_slides
from skhisto._commands.main import main

score, n_tiles, seconds = map_slides.score_tiles, int(sys.argv[1]), float(sys.argv[2])

def watched(*args):
    for n, tile in enumerate(score(*args)):
        if n == n_tiles:
            threading.Timer(seconds, os._exit, [1]).start()
        yield tile

map_slides.score_tiles = watched
main(sys.argv[3:])
"""


def kill_after(n_tiles, seconds, arguments):
    """Run the command in another process that ends without notice after some tiles."""
    done = subprocess.run(
        [sys.executable, "-c", KILL_AFTER, str(n_tiles), str(seconds), *arguments],
        env={**os.environ, "PYTHONPATH": ROOT},
        check=False,
    )
    assert done.returncode == 1


def test_kills_lose_no_finished_tile_and_change_nothing(
    command, run, slide_file, tmp_path
):
    options = ["--max-memory", "0.06"]  # many tiles
    code, err = run(slide_file, options=options)
    assert code == 0
    n_tiles = len(DONE.findall(err))
    file = tmp_path / "out" / "a.npz"
    expected = ProbabilityMap.load(file)
    file.unlink()
    rng = np.random.default_rng(0)
    kept = {}
    for _ in range(2):
        kill_after(3, rng.uniform(0, 0.01), command(slide_file, options=options))
        paths = tmp_path.glob("out/a.partial/*/tile-*.npz")
        found = {path: path.stat().st_mtime_ns for path in paths}
        assert kept.items() <= found.items()
        assert 3 <= len(found) < n_tiles
        kept = found
    code, err = run(slide_file, options=options)
    assert code == 0
    assert len(DONE.findall(err)) == n_tiles - len(kept)
    result = ProbabilityMap.load(file)
    assert result.probabilities.tobytes() == expected.probabilities.tobytes()
    assert [path.name for path in file.parent.iterdir()] == ["a.npz"]
