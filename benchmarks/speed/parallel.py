"""Grid search in one and in two processes: time, and the memory of all processes."""

from math import nan

from benchmarks import contest
from benchmarks.contest import Contest, Entry
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.speed.refits import SIZE, skhisto_classifier, skhisto_grid
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

        self._patches = many_patches(n_patches, SIZE)
        self._search = GridSearchCV(
            skhisto_classifier(),
            skhisto_grid(),
            cv=n_folds,
            n_jobs=n_jobs,
            refit=refit,
            error_score="raise",
        )

    def search(self) -> float:
        """Search and return the seconds."""
        return contest.seconds(self._search.fit, *self._patches)


class Fitter:
    """One fit and one prediction of all patches."""

    def __init__(self, n_patches: int) -> None:
        self._patches = many_patches(n_patches, SIZE)
        self._classifier = skhisto_classifier()

    def search(self) -> float:
        """Fit, predict and return the seconds."""
        fit = contest.seconds(self._classifier.fit, *self._patches)
        return fit + contest.seconds(self._classifier.predict, self._patches[0])


def run(options: Options) -> Section:
    """Measure grid searches."""
    n_patches, n_folds = size = (64, 2) if options.quick else (250, 3)
    entries: dict[str, Entry] = {
        ALONE: (Fitter, (n_patches,)),
        ONE: (Searcher, (*size, 1, True)),
        "GridSearchCV, n_jobs=2": (Searcher, (*size, 2, True)),
        "GridSearchCV, n_jobs=2, refit=False": (Searcher, (*size, 2, False)),
    }
    with Contest("parallel", entries) as turns:
        first = turns.each("search")
        seconds = turns.rounds(options.few_rounds, "search")
        megabytes = turns.peak_megabytes()
        shared = turns.shared_megabytes()
    sums = ["peak MB", "peak MB, libraries once"]
    table = Table(
        ["", "first, s", "later, s", "n_jobs=1 / this"]
        + [heading for name in sums for heading in (name, "this / one fit")]
    )

    def row(name: str) -> list[str | float]:
        later = median(seconds[name])
        ratio = "" if name == ALONE else median(seconds[ONE]) / later
        cells = [first[name], later, ratio]
        for peak in (megabytes[name], megabytes[name] - shared[name]):
            cells += [peak, peak / megabytes.get(ALONE, nan)]
        return cells

    turns.fill(table, row)
    table.remarks += [
        "The peak memory is the sum of the peaks of the process that searches, its "
        "workers and joblib's helper. It is an upper bound, because the peaks may "
        "occur at different times.",
        "The first sum counts libraries in each process, although they are in memory "
        "once. Unless refit=False, the process that searches also fits at the end.",
    ]
    candidates = [len(values) for values in skhisto_grid().values()]
    n_fits = n_folds * candidates[0] * candidates[1]
    return Section(
        "Grid search in two processes",
        f"`GridSearchCV` of skhisto's classifier: {n_fits} fits of the small network "
        f"on {n_patches} patches. In the first search, the workers start, import "
        "TensorFlow and trace. Later searches use them again. Medians over "
        f"{options.few_rounds} turn(s).",
        [table],
    )
