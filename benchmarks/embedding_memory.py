"""Check that the memory of embedding does not grow with the number of patches.

Run from the root of the repository::

    python -m benchmarks.embedding_memory

It writes 20,000 TIFF files of 96x96 RGB pixels (550 MB) to a temporary folder, and
embeds 2,000 and 20,000 of them, each in a process of its own, with and without stored
features. It prints the peaks of resident memory, and fails if they differ by more than
300 MB. The features of 20,000 patches alone have 92 MB more than those of 2,000. It
takes several minutes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

N_PATCHES = (2_000, 20_000)
LIMIT = 300  # MB


def main() -> None:
    """Measure in processes, or embed in one of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--embed", nargs=3, metavar=("FOLDER", "N", "MEMORY"))
    arguments = parser.parse_args()
    if arguments.embed:
        folder, n, memory = arguments.embed
        _embed(Path(folder), int(n), memory or None)
        return
    with tempfile.TemporaryDirectory() as folder:
        _write_files(Path(folder), max(N_PATCHES))
        for stores in (False, True):
            peaks = [_peak(folder, n, stores) for n in N_PATCHES]
            grown = peaks[1] - peaks[0]
            print(
                f"memory={'folder' if stores else None}: "
                f"{peaks[0]:.0f} MB for {N_PATCHES[0]:,} patches, {peaks[1]:.0f} MB "
                f"for {N_PATCHES[1]:,}, {grown:+.0f} MB",
                flush=True,
            )
            if grown > LIMIT:
                sys.exit(f"The memory grew by more than {LIMIT} MB.")


def _write_files(folder: Path, n: int) -> None:
    rng = np.random.default_rng(0)
    for number in range(n):
        patch = rng.integers(0, 256, (96, 96, 3), dtype=np.uint8)
        Image.fromarray(patch).save(folder / f"{number:05d}.tif")


def _peak(folder: str, n: int, stores: bool) -> float:
    with tempfile.TemporaryDirectory() as memory:
        command = [sys.executable, "-m", "benchmarks.embedding_memory", "--embed"]
        result = subprocess.run(
            [*command, folder, str(n), memory if stores else ""],
            check=True,
            capture_output=True,
            text=True,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        )
    return float(result.stdout)


def _embed(folder: Path, n: int, memory: str | None) -> None:
    from benchmarks.memory import peak_megabytes
    from skhisto import PatchEmbedder, PatchLoader

    names = [f"{number:05d}.tif" for number in range(n)]
    X = PatchLoader(root=folder, lazy=True).fit_transform(names)
    features = PatchEmbedder(memory=memory).fit_transform(X)
    assert features.shape == (n, 1280)
    print(peak_megabytes(os.getpid()))


if __name__ == "__main__":
    main()
