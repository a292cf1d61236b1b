"""Our grid search in two processes, against one: time, and the memory of all of them.

The workers of joblib start, import TensorFlow and trace in the first search; they are
still there in the second.
"""

import time
from math import nan

from benchmarks.contest import Contest, Entry
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.refits import BATCH_SIZES, RATES, SIZE, skhisto_classifier, skhisto_grid
from benchmarks.table import Section, Table, median

ALONE = "one fit alone"
ONE = "GridSearchCV, n_jobs=1"


class Searcher:
    """A grid search that can be repeated.

    Parameters
    ----------
    n_patches, n_folds, n_jobs : int
    refit : bool
        Whether this process fits the best candidate again.
    """

    def __init__(self, n_patches: int, n_folds: int, n_jobs: int, refit: bool) -> None:
        from sklearn.model_selection import GridSearchCV

        self._X, self._y = many_patches(n_patches, SIZE)
        self._search = GridSearchCV(
            skhisto_classifier(),
            skhisto_grid(),
            cv=n_folds,
            n_jobs=n_jobs,
            refit=refit,
            error_score="raise",
        )

    def search(self) -> float:
        """Search; return the seconds."""
        start = time.perf_counter()
        self._search.fit(self._X, self._y)
        return time.perf_counter() - start


class Fitter:
    """One fit and one prediction, on all patches."""

    def __init__(self, n_patches: int) -> None:
        self._X, self._y = many_patches(n_patches, SIZE)
        self._classifier = skhisto_classifier()

    def search(self) -> float:
        """Fit and predict; return the seconds."""
        start = time.perf_counter()
        self._classifier.fit(self._X, self._y).predict(self._X)
        return time.perf_counter() - start


def run(options: Options) -> Section:
    """Measure grid searches."""
    n_patches, n_folds = (64, 2) if options.quick else (250, 3)
    size = (n_patches, n_folds)
    entries: dict[str, Entry] = {
        ALONE: (Fitter, (n_patches,)),
        ONE: (Searcher, (*size, 1, True)),
        "GridSearchCV, n_jobs=2": (Searcher, (*size, 2, True)),
        "GridSearchCV, n_jobs=2, refit=False": (Searcher, (*size, 2, False)),
    }
    with Contest("parallel", entries) as contest:
        first = contest.each("search")
        seconds = contest.rounds(options.few_rounds, "search")
        megabytes = contest.peak_megabytes()
        shared = contest.shared_megabytes()
    table = Table(
        [
            "",
            "first, s",
            "later, s",
            "n_jobs=1 / this",
            "peak MB",
            "this / one fit",
            "peak MB, libraries once",
            "this / one fit",
        ]
    )
    one = median(seconds[ONE])
    for name in entries:
        if name in contest.errors:
            table.fail(name, contest.errors[name])
            continue
        later = median(seconds[name])
        cells = [first[name], later, "" if name == ALONE else one / later]
        for peak in (megabytes[name], megabytes[name] - shared[name]):
            cells += [peak, peak / megabytes.get(ALONE, nan)]
        table.add(name, *cells)
    table.remarks.append(
        "Peak memory is the sum of the peaks of the process that searches, its workers "
        "and joblib's helper: an upper bound, as the peaks need not coincide."
    )
    table.remarks.append(
        "Libraries count in each process, though they are in memory once: hence the "
        "second sum. Unless refit=False the process that searches fits too, in the end."
    )
    n_fits = n_folds * len(RATES) * len(BATCH_SIZES)
    return Section(
        "Grid search in two processes",
        f"`GridSearchCV` of our classifier: {n_fits} fits of the small network on "
        f"{n_patches} patches. The first search starts the workers, which import "
        "TensorFlow and trace; later ones find them ready: medians "
        f"over {options.few_rounds} turn(s).",
        [table],
    )
