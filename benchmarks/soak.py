"""Check that memory, threads and file handles stay flat in a long run.

Run from the root of the repository::

    python -m benchmarks.soak                  # all work
    python -m benchmarks.soak --percent 1      # next to nothing, to see that it works

One process fits 500 classifiers, searches 200 candidates with two folds each, and
predicts 2,000 times, on arrays and on files in turns. Two networks are used, which are
compiled before the first measurement. Then ten other networks are fitted, to measure
what each distinct network costs. Memory is the resident memory of the process. On
systems other than Linux, nothing is measured.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.machine import describe_machine
from benchmarks.memory import resident_megabytes
from benchmarks.patches import many_patches
from benchmarks.table import Table

SIZE = 16
N_PATCHES = 24
N_NETWORKS = 10


def classifier(**parameters: Any) -> Any:
    """Return a small classifier."""
    from skhisto import PatchCNNClassifier, ReferenceCNN

    network = {"filters": (2,), "dense_units": parameters.pop("dense_units", 2)}
    return PatchCNNClassifier(
        architecture=ReferenceCNN(**network), epochs=1, batch_size=8, **parameters
    )


class Work:
    """The work of a soak run, on arrays and on files."""

    def __init__(self, folder: Path) -> None:
        from skhisto import PatchLoader

        X, self._y = many_patches(N_PATCHES, SIZE)
        paths = [str(folder / f"{number}.png") for number in range(N_PATCHES)]
        for path, patch in zip(paths, X, strict=True):
            Image.fromarray(patch).save(path)
        self._inputs = [X, PatchLoader(lazy=True).transform(paths)]
        self._fitted = [self.fit(number) for number in range(2)]

    def fit(self, number: int) -> Any:
        """Fit one of two networks."""
        model = classifier(dense_units=2 + number % 2, random_state=number)
        return model.fit(self._inputs[number % 2], self._y)

    def predict(self, number: int) -> None:
        """Predict with one of two networks."""
        self._fitted[number % 2].predict_proba(self._inputs[number // 2 % 2])

    def search(self, number: int) -> None:
        """Cross-validate one candidate."""
        from sklearn.model_selection import GridSearchCV

        rate = 1e-4 * 1.01**number
        grid = {"learning_rate": [rate]}
        search = GridSearchCV(classifier(random_state=0), grid, cv=2, refit=False)
        search.fit(self._inputs[number % 2], self._y)

    def new_network(self, number: int) -> None:
        """Fit a network that no other call fits."""
        classifier(dense_units=4 + number, random_state=0).fit(self._inputs[0], self._y)


def measured() -> tuple[float, int, int]:
    """Return MB of resident memory, threads and file handles of this process."""
    try:
        counts = (len(os.listdir(f"/proc/self/{kind}")) for kind in ("task", "fd"))
        return resident_megabytes(), *counts
    except OSError:
        return np.nan, 0, 0


def soak(table: Table, name: str, work: Callable[[int], Any], n_times: int) -> None:
    """Work; add rows for the start, the middle and the end."""
    for number in range(n_times):
        if number in (0, n_times // 2):
            add(table, f"{name}: {'middle' if number else 'start'}", number)
        work(number)
    add(table, f"{name}: end", n_times)


def add(table: Table, name: str, n_done: int) -> None:
    """Measure, and add and print a row."""
    row = measured()
    table.add(name, n_done, *row)
    print(name, n_done, *row, file=sys.stderr, flush=True)


def main() -> None:
    """Run all work, or a part of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--percent", type=int, default=100, help="share of the work")
    share = parser.parse_args().percent / 100
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    table = Table(["", "done", "MB", "threads", "file handles"])
    with tempfile.TemporaryDirectory() as folder:
        work = Work(Path(folder))
        for number in range(20):  # both networks, both inputs, and all lazy imports
            work.fit(number)
            work.predict(number)
        work.search(0)
        kinds = {
            "fits": (work.fit, 500),
            "candidates": (work.search, 200),
            "predictions": (work.predict, 2_000),
        }
        for name, (method, n_times) in kinds.items():
            soak(table, name, method, max(2, round(n_times * share)))
        before = measured()[0]
        soak(table, "distinct networks", work.new_network, N_NETWORKS)
        table.remarks.append(
            f"{(measured()[0] - before) / N_NETWORKS:.1f} MB per distinct network."
        )
    print(f"{describe_machine()}\n\n{table.markdown()}")


if __name__ == "__main__":
    main()
