"""Many small fits in cross-validation and grid search, next to scikeras.

Both libraries get the same small network, data, folds, candidates and score. TensorFlow
is imported before the clock starts. Every round uses new processes, because earlier
fits in a process make later ones faster and memory larger.
"""

from typing import Any

import numpy as np

from benchmarks import contest
from benchmarks.contest import Contest, Entry
from benchmarks.memory import resident_megabytes
from benchmarks.networks import keras_network
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.table import Section, Table, median

SIZE = 32
NETWORK = {"filters": (8, 16, 32), "dense_units": 32}
FITTING = {"epochs": 2, "batch_size": 32}
RATES = [3e-4, 1e-3, 3e-3, 1e-2]
# The largest batch is first, so that later growth is not due to the batch.
BATCH_SIZES = [64, 32, 16]
DROPOUTS = [0.2, 0.35, 0.5]
SHOWN_FITS = [1, 2, 3, 4, 5, 10, 20, 30, 40, 50, 60]

OURS = "skhisto"
PEER = "scikeras"
OURS_DROPOUT = "skhisto, learning_rate x dense_dropout"

Grid = dict[str, list[Any]]
Fits = tuple[float, list[float]]  # seconds, and megabytes after every fit


def skhisto_grid() -> Grid:
    """Return candidates that share one graph."""
    return {"learning_rate": RATES, "batch_size": BATCH_SIZES}


def skhisto_classifier() -> Any:
    """Return the unfitted classifier of skhisto."""
    from skhisto import PatchCNNClassifier, ReferenceCNN

    return PatchCNNClassifier(
        architecture=ReferenceCNN(**NETWORK), **FITTING, augment=None, random_state=0
    )


def scikeras_classifier() -> Any:
    """Return the unfitted classifier of scikeras with the same network."""
    from scikeras.wrappers import KerasClassifier

    network = {f"model__{name}": value for name, value in NETWORK.items()}
    return KerasClassifier(
        model=keras_network,
        **network,
        model__size=SIZE,
        model__padding="same",
        **FITTING,
        loss="binary_crossentropy",
        optimizer="adam",
        optimizer__learning_rate=1e-3,
        metrics=["accuracy"],
        verbose=0,
    )


GRIDS: dict[str, tuple[Any, Grid]] = {
    OURS: (skhisto_classifier, skhisto_grid()),
    PEER: (
        scikeras_classifier,
        {"optimizer__learning_rate": RATES, "batch_size": BATCH_SIZES},
    ),
    # Dropout is a part of the graph.
    OURS_DROPOUT: (
        skhisto_classifier,
        {"learning_rate": RATES, "architecture__dense_dropout": DROPOUTS},
    ),
}


class Fitter:
    """A classifier that scikit-learn fits many times.

    Parameters
    ----------
    make_classifier : callable
    grid : dict of str to list
        Candidates of the search.
    n_patches, n_folds : int
    """

    def __init__(
        self, make_classifier: Any, grid: Grid, n_patches: int, n_folds: int
    ) -> None:
        import tensorflow  # noqa: F401  # skhisto imports it in the first fit
        from sklearn.model_selection import GridSearchCV, StratifiedKFold

        self._classifier = make_classifier()
        self._X, self._y = many_patches(n_patches, SIZE)
        self._settings = {
            "cv": StratifiedKFold(n_folds, shuffle=True, random_state=0),
            "scoring": self._score,
            "error_score": "raise",
        }
        self._search = GridSearchCV(self._classifier, grid, **self._settings)
        self._megabytes: list[float] = []

    def cross_validate(self) -> Fits:
        """Cross-validate."""
        from sklearn.model_selection import cross_validate

        self._megabytes = []
        arguments = (self._classifier, self._X, self._y)
        seconds = contest.seconds(cross_validate, *arguments, **self._settings)
        return seconds, self._megabytes

    def search(self) -> Fits:
        """Search the grid and refit the best candidate."""
        self._megabytes = []
        seconds = contest.seconds(self._search.fit, self._X, self._y)
        return seconds, self._megabytes

    def _score(self, classifier: Any, X: np.ndarray, y: np.ndarray) -> float:
        # The scorers of scikit-learn do not accept scikeras 0.13 as a classifier.
        accuracy = float(np.mean(classifier.predict(X) == y))
        self._megabytes.append(resident_megabytes())
        return accuracy


def run(options: Options) -> Section:
    """Measure cross-validation and grid search."""
    n_patches = 64 if options.quick else 250
    return Section(
        "Cross-validation and grid search",
        f"Fits of a small network (filters {NETWORK['filters']}, "
        f"{NETWORK['dense_units']} dense units) on {n_patches} patches of "
        f"{SIZE}x{SIZE} pixels, {FITTING['epochs']} epochs each, one after another. "
        "Network, folds, candidates and score are the same for both libraries. Every "
        "round uses new processes, and TensorFlow is imported before the clock starts.",
        [_cross_validation(options, n_patches), *_grid_search(options, n_patches)],
    )


def _cross_validation(options: Options, n_patches: int) -> Table:
    n_folds = 2 if options.quick else 5
    names = [OURS, PEER]
    entries = _entries(names, options, n_patches, n_folds)
    fits, errors = _new_processes(
        "cross-validation", entries, ["cross_validate"] * 2, options.few_rounds
    )
    ratios = ["first: this / skhisto", "second: this / skhisto"]
    table = Table(
        ["", "first, s", "second, s", *ratios],
        caption=f"{n_folds}-fold `cross_validate`, twice in the same process. Medians "
        f"over {options.few_rounds} round(s):",
    )
    seconds = {
        name: [median([one[i][0] for one in fits[name]]) for i in (0, 1)]
        for name in names
    }
    for name in names:
        ratio = [s / o for s, o in zip(seconds[name], seconds[OURS], strict=True)]
        table.add(name, *seconds[name], *ratio, note=errors.get(name, ""))
    return table


def _grid_search(options: Options, n_patches: int) -> list[Table]:
    n_folds = 2 if options.quick else 5
    fits, errors = _new_processes(
        "grid search",
        _entries(list(GRIDS), options, n_patches, n_folds),
        ["search"],
        options.fewest_rounds,
    )
    runs = {name: [one for (one,) in fits[name]] for name in GRIDS}
    seconds = {name: median([s for s, _ in runs[name]]) for name in GRIDS}
    n_fits = max((len(mb) for all_ in runs.values() for _, mb in all_), default=0)
    times = Table(
        ["", "s", "this / skhisto", "MB per fit after the third"],
        caption=f"`GridSearchCV` of learning rates and batch sizes, {n_fits} fits and "
        f"the refit. Medians over {options.fewest_rounds} round(s):",
    )
    shown = [number for number in SHOWN_FITS if number <= n_fits]
    memory = Table(
        ["MB after fit", *map(str, shown)],
        caption="Resident memory of the process after a fit and its predictions:",
    )
    for name in GRIDS:
        note = "dropout is a part of the graph" if name == OURS_DROPOUT else ""
        growth = median([(mb[-1] - mb[2]) / (len(mb) - 3) for _, mb in runs[name]])
        ratio = seconds[name] / seconds[OURS]
        times.add(name, seconds[name], ratio, growth, note=errors.get(name, note))
        if runs[name]:
            after = [[mb[number - 1] for _, mb in runs[name]] for number in shown]
            memory.add(name, *(f"{median(values):,.0f}" for values in after))
    return [times, memory]


def _entries(
    names: list[str], options: Options, n_patches: int, n_folds: int
) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for name in names:
        make_classifier, grid = GRIDS[name]
        if options.quick:
            grid = {key: values[:2] for key, values in grid.items()}
        entries[name] = (Fitter, (make_classifier, grid, n_patches, n_folds))
    return entries


def _new_processes(
    topic: str, entries: dict[str, Entry], methods: list[str], n_rounds: int
) -> tuple[dict[str, list[list[Fits]]], dict[str, str]]:
    """Call methods in new processes in each round. Return the fits and the errors."""
    results: dict[str, list[list[Fits]]] = {name: [] for name in entries}
    errors: dict[str, str] = {}
    for number in range(n_rounds):
        order = list(entries.items())[:: -1 if number % 2 else 1]
        left = {name: entry for name, entry in order if name not in errors}
        with Contest(f"{topic}, round {number + 1} of {n_rounds}", left) as turns:
            answers = [turns.each(method) for method in methods]
        errors |= turns.errors
        for name in answers[-1]:
            results[name].append([answer[name] for answer in answers])
    return results, errors
