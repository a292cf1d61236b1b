import os
import re
import subprocess
import sys
import time

import numpy as np

import skhisto
from skhisto import ProbabilityMap

ROOT = os.path.dirname(os.path.dirname(skhisto.__file__))
DONE = re.compile(r"a: (\d+) of \d+ tiles done")


def kill_after(n_tiles, seconds, arguments):
    """Run the command in another process, and kill it after some tiles."""
    with subprocess.Popen(
        [sys.executable, "-m", "skhisto", *arguments],
        env={**os.environ, "PYTHONPATH": ROOT},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        found = (line for line in process.stderr if DONE.search(line))
        for _ in zip(range(n_tiles), found, strict=False):
            pass
        time.sleep(seconds)
        process.kill()


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
