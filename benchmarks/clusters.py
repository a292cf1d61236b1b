"""Searches on a dask cluster: killed workers, poisonous tasks, repetitions, and time.

Run from the root of the repository::

    python -m benchmarks.clusters                          # all parts, ten times each
    python -m benchmarks.clusters kills poison --times 3   # only these, three times

It starts a cluster of two worker processes with one thread each on this machine:

- ``kills``: searches of which each loses a worker to SIGKILL at a random moment;
- ``poison``: searches with a candidate that kills each worker that fits it;
- ``repeats``: undisturbed searches, which must give identical scores;
- ``times``: seconds and memory of a search with 1 and 2 workers, serial, with joblib's
  backend loky, and of scikeras.

It fails if a search hangs for five minutes, if it gives other scores, or if the error
of a poisonous candidate does not name it. It needs ``pip install "skhisto[dask]"`` and
takes about 20 minutes.
"""

import argparse
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

from benchmarks.machine import describe_machine
from benchmarks.patches import many_patches
from benchmarks.speed.refits import (
    PEER,
    RATES,
    SIZE,
    scikeras_classifier,
    skhisto_classifier,
)
from benchmarks.table import Table, median

HANGING = 300  # seconds
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
        raise SystemExit(f"A search hangs: it has run for {HANGING} seconds.")
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


def kills(client: Any, n_times: int) -> Table:
    """Kill a worker in each search."""
    seconds, expected = timed(our_search(), patient_backend(client))
    rng = random.Random(0)
    table = Table(["", "s", "result"], caption="One worker killed in each search:")
    table.add("undisturbed", seconds, "the scores to compare with")
    for number in range(n_times):
        moment = rng.uniform(0, seconds)

        def kill(moment: float = moment) -> None:
            time.sleep(moment)
            os.kill(rng.choice(pids(client)), signal.SIGKILL)

        client.wait_for_workers(2, timeout=HANGING)
        took, scores = timed(our_search(), patient_backend(client), kill)
        survived = isinstance(scores, np.ndarray)
        if survived and not np.array_equal(scores, expected):
            raise SystemExit("A search with a killed worker gave other scores.")
        result = "the same scores" if survived else f"{scores!r}"
        table.add(f"{number + 1}: killed after {moment:.1f} s", took, result)
    return table


def poison(client: Any, n_times: int) -> Table:
    """Search with a candidate that kills its workers."""
    seconds = []
    for _ in range(n_times):
        client.wait_for_workers(2, timeout=HANGING)
        search = new_search(Poisonous(), {"kills": [False, True]})
        took, error = timed(search, patient_backend(client))
        if "parameters {'kills': True}" not in str(error):
            raise SystemExit(f"After {took:.0f} s, a poisonous task gave {error!r}.")
        seconds.append(took)
    table = Table(["", "searches", "named in the error", "median, s", "longest, s"])
    table.add("poisonous task", n_times, n_times, median(seconds), max(seconds))
    return table


def repeats(client: Any, n_times: int) -> Table:
    """Repeat a search."""
    runs = [timed(our_search(), patient_backend(client))[1] for _ in range(n_times)]
    distinct = {run.tobytes() for run in runs}
    if len(distinct) > 1:
        raise SystemExit(f"{n_times} searches gave {len(distinct)} different results.")
    table = Table(["", "searches", "distinct scores"])
    table.add("repeated", n_times, len(distinct))
    return table


def times(client: Any, n_times: int) -> Table:
    """Measure the same search in several ways; workers are ready before the second."""
    from joblib.parallel import LokyBackend

    table = Table(
        ["", "first, s", "second, s", "peak MB of a worker"],
        caption="12 fits. The first search starts TensorFlow and traces:",
    )
    client.restart()
    two = [timed(our_search(), patient_backend(client))[0] for _ in range(2)]
    table.add("dask, 2 workers", *two, max(memory(client)))
    client.cluster.scale(1)
    while len(client.ncores()) > 1:
        time.sleep(0.1)
    time.sleep(5)  # the process of the other worker ends
    client.restart()
    one = [timed(our_search(), patient_backend(client))[0] for _ in range(2)]
    table.add("dask, 1 worker", *one, max(memory(client)))
    client.cluster.scale(0)
    loky = LokyBackend()
    search = our_search().set_params(n_jobs=2)
    table.add("loky, n_jobs=2", *(timed(search, loky)[0] for _ in range(2)), "")
    serial = [timed(our_search().set_params(n_jobs=1), loky)[0] for _ in range(2)]
    table.add("serial, all cores", *serial, "")
    peer = new_search(scikeras_classifier(), {"optimizer__learning_rate": RATES})
    table.add(PEER + ", serial", *(timed(peer, loky)[0] for _ in range(2)), "")
    return table


PARTS = {"kills": kills, "poison": poison, "repeats": repeats, "times": times}


def main() -> None:
    """Run the parts that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="part", help=", ".join(PARTS))
    parser.add_argument("--times", type=int, default=10, help="searches of each kind")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    import dask
    from distributed import Client, LocalCluster

    # By default, dask gives up a worker that does not restart within 15 seconds.
    dask.config.set({"distributed.deploy.lost-worker-timeout": f"{HANGING}s"})
    print(describe_machine(), flush=True)
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=logging.CRITICAL,
        ) as cluster,
        Client(cluster) as client,
    ):
        for name in arguments.parts or PARTS:
            print(
                f"\n{globals()[name](client, arguments.times).markdown()}", flush=True
            )


if __name__ == "__main__":
    main()
