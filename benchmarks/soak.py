"""Memory, threads and file handles of one process that works for a long time."""

import os
import tempfile
from collections.abc import Iterable
from itertools import chain
from math import nan
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.contest import Contest
from benchmarks.memory import resident_megabytes
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.table import Section, Table

SIZE = 16
N_PATCHES = 24
N_NEW_NETWORKS = 10
WORK = {"fit": 500, "candidate": 200, "predict": 2_000, "slide_map": 50}
# Maps fill a cache of 64 MB with decoded pixels.
WARM_UP = {"fit": 20, "candidate": 20, "predict": 20, "slide_map": 120}
NAMES = {
    "fit": "fits",
    "candidate": "candidates of grid searches",
    "predict": "predictions",
    "slide_map": "maps of slides",
    "new_network": "fits of distinct networks",
}

WHAT = ("MB", "threads", "file handles")
MOMENTS = ("start", "middle", "end")

State = tuple[float, int, int]  # MB of resident memory, threads, file handles


class Soak:
    """Small work on arrays and on files in turns, with two networks in turns."""

    def __init__(self, folder: Path) -> None:
        from skhisto import PatchLoader, make_slide

        X, self._y = many_patches(N_PATCHES, SIZE)
        paths = [folder / f"{number}.png" for number in range(N_PATCHES)]
        for path, patch in zip(paths, X, strict=True):
            Image.fromarray(patch).save(path)
        self._inputs = [X, PatchLoader(lazy=True).transform(paths)]
        self._slides = [folder / f"slide_{number}.tif" for number in range(2)]
        for number, path in enumerate(self._slides):
            make_slide((256, 384), path=path, random_state=number)
        self._fitted = [self.fit(number) for number in range(2)]

    def work(self, kind: str, numbers: Iterable[int]) -> State:
        """Call a method many times, and return the state after it."""
        for number in numbers:
            getattr(self, kind)(number)
        return self.state()

    def state(self) -> State:
        """Return the state of this process. Only Linux tells it."""
        try:
            n_threads, n_handles = (
                len(os.listdir(f"/proc/self/{kind}")) for kind in ("task", "fd")
            )
        except OSError:
            return nan, 0, 0
        return resident_megabytes(), n_threads, n_handles

    def fit(self, number: int) -> Any:
        """Fit one of two networks."""
        model = _classifier(2 + number % 2, random_state=number)
        return model.fit(self._inputs[number % 2], self._y)

    def candidate(self, number: int) -> None:
        """Cross-validate one candidate."""
        from sklearn.model_selection import GridSearchCV

        grid = {"learning_rate": [1e-4 * 1.01**number]}
        model = _classifier(2, random_state=0)
        search = GridSearchCV(model, grid, cv=2, refit=False, error_score="raise")
        search.fit(self._inputs[number % 2], self._y)

    def predict(self, number: int) -> None:
        """Predict with one of two networks."""
        self._fitted[number % 2].predict_proba(self._inputs[number // 2 % 2])

    def slide_map(self, number: int) -> None:
        """Map one of two slides with one of two networks."""
        from skhisto import probability_map

        slide = self._slides[number // 2 % 2]
        probability_map(self._fitted[number % 2], slide, stride=8)

    def new_network(self, number: int) -> None:
        """Fit a network that no other call fits."""
        _classifier(4 + number, random_state=0).fit(self._inputs[0], self._y)


def _classifier(dense_units: int, **parameters: Any) -> Any:
    from skhisto import PatchCNNClassifier, ReferenceCNN

    network = ReferenceCNN(filters=(2,), dense_units=dense_units)
    return PatchCNNClassifier(
        architecture=network, epochs=1, batch_size=8, **parameters
    )


def run(options: Options) -> Section:
    """Work for a long time."""
    share = 0.01 if options.quick else 1
    counts = {kind: max(2, round(n * share)) for kind, n in WORK.items()}
    counts["new_network"] = 2 if options.quick else N_NEW_NETWORKS
    columns = [f"{what}, {moment}" for what in WHAT for moment in MOMENTS]
    table = Table(["", "times", *columns])
    with (
        tempfile.TemporaryDirectory() as folder,
        Contest("soak", {"soak": (Soak, (Path(folder),))}) as contest,
    ):
        for kind, n_times in WARM_UP.items():  # networks are compiled, caches filled
            contest.each("work", kind, range(n_times))
        for kind, n_times in counts.items():
            states = _states(contest, kind, n_times)
            if contest.errors:
                table.fail(NAMES[kind], contest.errors["soak"])
                break
            table.add(NAMES[kind], n_times, *chain(*zip(*states, strict=True)))
            if kind == "new_network":
                per_network = (states[-1][0] - states[0][0]) / n_times
                table.remarks.append(f"{per_network:.1f} MB per distinct network.")
    return Section(
        "Long runs",
        "One process does all of this, one after another: fits of 24 patches of 16x16 "
        "pixels, candidates of a grid search with two folds each, predictions, and "
        "maps of slides of 256x384 pixels from a file. It uses arrays and files in "
        "turns, and two small networks. Before the first measurement, the networks are "
        "compiled, and maps have filled the cache of decoded pixels (64 MB). At last, "
        "it fits networks that it has not used before, which are compiled one by one. "
        "Memory is the resident memory of the process.",
        [table],
    )


def _states(contest: Contest, kind: str, n_times: int) -> list[State]:
    """Return the states at the start, in the middle and at the end."""
    halves = range(n_times // 2), range(n_times // 2, n_times)
    states = [*contest.each("state").values()]
    for half in halves:
        states += contest.each("work", kind, half).values()
    return states
