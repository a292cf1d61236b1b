"""Searches on a dask cluster of this machine: killed workers, repetitions, and time.

A search that hangs or gives other scores, and a poisonous task that the error does not
name, are errors instead of a table.
"""

import logging
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from benchmarks.contest import Contest
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.speed.refits import (
    PEER,
    RATES,
    SIZE,
    scikeras_classifier,
    skhisto_classifier,
)
from benchmarks.table import Section, Table, median

HANGING = 300  # seconds
N_TIMES = 10
Outcome = tuple[float, Any]  # seconds, and the search or its error


class Poisonous(ClassifierMixin, BaseEstimator):
    """A classifier without a network that may kill its process.

    Parameters
    ----------
    kills : bool
    """

    def __init__(self, kills: bool = False) -> None:
        self.kills = kills

    def fit(self, X: Any, y: Any) -> "Poisonous":
        """Learn nothing."""
        if self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.5)
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X: Any) -> Any:
        """Give all classes the same probability."""
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def certainty(classifier: Any, X: Any, y: Any) -> float:
    """Return the mean probability of the true class, which shows any difference.

    scikit-learn's own scorers do not accept scikeras 0.13.
    """
    return float(classifier.predict_proba(X)[np.arange(len(y)), y].mean())


def new_search(classifier: Any, grid: Any) -> Any:
    """Return a search of three folds that is not refitted."""
    from sklearn.model_selection import GridSearchCV

    return GridSearchCV(
        classifier, grid, cv=3, refit=False, scoring=certainty, error_score="raise"
    )


def our_search() -> Any:
    """Return a search of 12 fits."""
    return new_search(skhisto_classifier(), {"learning_rate": RATES})


def timed(search: Any, backend: Any, meanwhile: Callable[[], None] = list) -> Outcome:
    """Search; return the seconds and the scores of all fits, or the error."""
    X, y = many_patches(250, SIZE)
    outcome: list[Any] = []

    def run() -> None:
        try:
            with joblib.parallel_config(backend=backend):
                search.fit(X, y)
            splits = (search.cv_results_[f"split{i}_test_score"] for i in range(3))
            outcome.append(np.concatenate(list(splits)))
        except Exception as error:
            outcome.append(error)

    start = time.perf_counter()
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    meanwhile()
    thread.join(HANGING)
    if not outcome:
        raise RuntimeError(f"A search hangs: it has run for {HANGING} seconds.")
    seconds = time.perf_counter() - start
    print(f"{seconds:.1f} s: {outcome[0]!r}", file=sys.stderr, flush=True)
    return seconds, outcome[0]


def patient_backend(client: Any) -> Any:
    """Return our backend for a machine on which workers may restart slowly."""
    from skhisto.clusters import dask_backend

    return dask_backend(client, wait_for_workers_timeout=HANGING / 2)


def pids(client: Any) -> list[int]:
    """Process numbers of the workers."""
    return list(client.run(os.getpid).values())


def memory(client: Any) -> list[float]:
    """Peaks of the resident memory of the workers, in MB."""
    return list(client.run(peak_megabytes).values())


def peak_megabytes() -> float:
    """Peak of the resident memory of this process, in MB."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Searches:
    """A cluster of two worker processes with one thread each, and what it searches.

    Parameters
    ----------
    n_times : int
        Searches of each kind.
    """

    def __init__(self, n_times: int) -> None:
        import dask
        from distributed import Client, LocalCluster

        # By default, dask gives up a worker that does not restart within 15 seconds.
        dask.config.set({"distributed.deploy.lost-worker-timeout": f"{HANGING}s"})
        self._n_times = n_times
        self._client = Client(
            LocalCluster(
                n_workers=2,
                threads_per_worker=1,
                dashboard_address=None,
                silence_logs=logging.CRITICAL,
            )
        )

    def close(self) -> None:
        """Stop the cluster."""
        self._client.cluster.close()
        self._client.close()

    def kills(self) -> Table:
        """Kill a worker in each search."""
        seconds, expected = self._search(our_search())
        rng = random.Random(0)
        table = Table(["", "s", "result"], caption="One worker killed in each search:")
        table.add("undisturbed", seconds, "the scores to compare with")
        for number in range(self._n_times):
            moment = rng.uniform(0, seconds)

            def kill(moment: float = moment) -> None:
                time.sleep(moment)
                os.kill(rng.choice(pids(self._client)), signal.SIGKILL)

            self._client.wait_for_workers(2, timeout=HANGING)
            took, scores = self._search(our_search(), kill)
            survived = isinstance(scores, np.ndarray)
            if survived and not np.array_equal(scores, expected):
                raise RuntimeError("A search with a killed worker gave other scores.")
            result = "the same scores" if survived else f"{scores!r}"
            table.add(f"{number + 1}: killed after {moment:.1f} s", took, result)
        return table

    def poison(self) -> Table:
        """Search with a candidate that kills its workers."""
        seconds = []
        for _ in range(self._n_times):
            self._client.wait_for_workers(2, timeout=HANGING)
            search = new_search(Poisonous(), {"kills": [False, True]})
            took, error = self._search(search)
            if "parameters {'kills': True}" not in str(error):
                raise RuntimeError(f"A poisonous task gave {error!r}.")
            seconds.append(took)
        table = Table(
            ["searches", "named in the error", "median, s", "longest, s"],
            caption="A candidate that kills each worker that fits it:",
        )
        n_times = self._n_times
        table.add(n_times, n_times, median(seconds), max(seconds))
        return table

    def repeats(self) -> Table:
        """Repeat a search."""
        runs = [self._search(our_search())[1] for _ in range(self._n_times)]
        distinct = {run.tobytes() for run in runs}
        if len(distinct) > 1:
            raise RuntimeError(f"{len(runs)} searches gave {len(distinct)} results.")
        table = Table(["searches", "distinct scores"], caption="Undisturbed searches:")
        table.add(len(runs), len(distinct))
        return table

    def times(self) -> Table:
        """Measure the same search in several ways."""
        from joblib.parallel import LokyBackend

        table = Table(
            ["", "first, s", "second, s", "peak MB of a worker"],
            caption="The same 12 fits. The first search starts TensorFlow and traces:",
        )
        two = [self._search(our_search())[0] for _ in range(2)]
        table.add("dask, 2 workers", *two, max(memory(self._client)))
        self._scale_to_one_new_worker()
        one = [self._search(our_search())[0] for _ in range(2)]
        table.add("dask, 1 worker", *one, max(memory(self._client)))
        self._client.cluster.scale(0)
        loky = LokyBackend()
        search = our_search().set_params(n_jobs=2)
        table.add("loky, n_jobs=2", *(timed(search, loky)[0] for _ in range(2)), "")
        serial = [timed(our_search().set_params(n_jobs=1), loky)[0] for _ in range(2)]
        table.add("serial, all cores", *serial, "")
        peer = new_search(scikeras_classifier(), {"optimizer__learning_rate": RATES})
        table.add(PEER + ", serial", *(timed(peer, loky)[0] for _ in range(2)), "")
        return table

    def halving(self) -> Table:
        """Compare successive halving with a grid search, both in this process."""
        from sklearn.experimental import enable_halving_search_cv  # noqa: F401
        from sklearn.model_selection import GridSearchCV, HalvingGridSearchCV

        n_epochs = 16 if self._n_times > 1 else 2
        X, y = many_patches(200, SIZE)
        settings = {"cv": 3, "scoring": "neg_log_loss", "refit": False}
        grid = {"learning_rate": np.geomspace(1e-4, 3e-2, 8).tolist()}
        classifier = skhisto_classifier().set_params(epochs=n_epochs)
        searches = {
            "all epochs": GridSearchCV(classifier, grid, **settings),
            "successive halving": HalvingGridSearchCV(
                classifier,
                grid,
                resource="epochs",
                max_resources=n_epochs,
                factor=2,
                random_state=0,
                **settings,
            ),
        }
        skhisto_classifier().fit(X, y)  # TensorFlow starts
        table = Table(
            ["", "processor time, s", "best learning rate"],
            caption=f"8 candidates, {n_epochs} epochs, 3 folds of 200 patches, serial:",
        )
        for name, search in searches.items():
            start = time.process_time()
            search.fit(X, y)
            seconds = time.process_time() - start
            table.add(name, seconds, f"{search.best_params_['learning_rate']:.2g}")
        return table

    def _search(self, search: Any, meanwhile: Callable[[], None] = list) -> Outcome:
        return timed(search, patient_backend(self._client), meanwhile)

    def _scale_to_one_new_worker(self) -> None:
        self._client.cluster.scale(1)
        while len(self._client.ncores()) > 1:
            time.sleep(0.1)
        time.sleep(5)  # the process of the other worker ends
        self._client.restart()


PARTS = ("kills", "poison", "repeats", "times", "halving")


def run(options: Options) -> Section:
    """Measure each part on a new cluster."""
    tables = []
    for part in PARTS:
        make = (Searches, (1 if options.quick else N_TIMES,))
        with Contest("clusters", {part: make}) as contest:
            found = contest.each(part)
            contest.each("close")
        failed = Table(["", "error"])
        failed.fail(part, contest.errors.get(part, ""))
        tables.append(found.get(part, failed))
    return Section(
        "Searches on a cluster",
        "Grid searches through `skhisto.clusters.dask_backend` on a `LocalCluster` of "
        "two worker processes with one thread each: 12 fits of the small network on "
        "250 patches. A search that hangs for five minutes or gives other scores, and "
        "an error that does not name the poisonous candidate, stop the benchmark.",
        tables,
    )
