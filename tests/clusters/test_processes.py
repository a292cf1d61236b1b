"""Searches on a real cluster of two worker processes with one thread each."""

import _thread
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV

from skhisto import PatchLoader, make_patches
from skhisto.clusters import dask_backend

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")
cloudpickle = pytest.importorskip("cloudpickle")
# Workers cannot import tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

SEARCHES = """
import sys

import joblib
import numpy as np
from sklearn.model_selection import GridSearchCV, cross_validate

from skhisto import PatchCNNClassifier, PatchEmbedder, PatchLoader, ReferenceCNN


def searches(paths):
    X, y = PatchLoader(lazy=True).transform(paths), np.arange(len(paths)) % 2
    clf = PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(2,), dense_units=2),
        epochs=2, random_state=0, precision="float32",
    )
    search = GridSearchCV(
        clf, {"learning_rate": [0.01, 0.03]}, cv=2, refit=False, error_score="raise",
        scoring="neg_log_loss",
    ).fit(X, y)
    folds = cross_validate(clf, X, y, cv=2, return_estimator=True)["estimator"]
    embedder = PatchEmbedder(folds[0]).fit(X)
    parts = joblib.Parallel()(
        joblib.delayed(embedder.transform)(X[i : i + 10]) for i in (0, 10)
    )
    weights = [w.ravel() for clf in folds for w in clf.weights_.values()]
    return {
        "scores": search.cv_results_["mean_test_score"],
        "weights": np.concatenate(weights),
        "features": np.concatenate(parts),
    }
"""
SERIAL = "\nnp.savez(sys.argv[1], **searches(sys.argv[2:]))\n"


class Fake(ClassifierMixin, BaseEstimator):
    """A classifier that leaves a file for each fit, and may kill its process."""

    def __init__(self, folder=None, seconds=0.1, kills=False):
        self.folder = folder
        self.seconds = seconds
        self.kills = kills

    def fit(self, X, y):
        file = Path(self.folder) / f"{time.time_ns()}-{os.getpid()}"
        file.write_text(str(os.getpid()))
        if self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.seconds)
        self.classes_, self.mean_ = np.unique(y), X.mean()
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


@pytest.fixture(scope="module")
def client():
    settings = {
        # Two workers may die of a task, and not four, as a restart takes seconds.
        "distributed.scheduler.allowed-failures": 1,
        # On a busy machine it may take more than 15 seconds.
        "distributed.deploy.lost-worker-timeout": "120s",
    }
    with (
        dask.config.set(settings),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("patches")
    X, _ = make_patches(20, size=48, random_state=0)
    paths = [str(folder / f"{i:02}.png") for i in range(len(X))]
    for path, patch in zip(paths, X, strict=True):
        Image.fromarray(patch).save(path)
    return paths


def patient_backend(client):
    return dask_backend(client, wait_for_workers_timeout=150)


def started(folder):
    return sorted(folder.iterdir())


def test_results_are_bitwise_those_of_one_process_with_as_many_threads(
    client, paths, tmp_path
):
    namespace = {}
    exec(SEARCHES, namespace)
    with joblib.parallel_config(backend=patient_backend(client)):
        on_cluster = namespace["searches"](paths)
    one = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    subprocess.run(
        [sys.executable, "-c", SEARCHES + SERIAL, tmp_path / "serial.npz", *paths],
        env=os.environ | one,
        check=True,
    )
    with np.load(tmp_path / "serial.npz") as serial:
        for name in serial.files:
            np.testing.assert_array_equal(on_cluster[name], serial[name], err_msg=name)


def test_tensorflow_keeps_to_the_threads_of_a_worker(client):
    assert client.submit(threads_of_tensorflow).result() == (1, 1)


def threads_of_tensorflow():
    from tensorflow import config

    import skhisto._keras  # noqa: F401

    return (
        config.threading.get_intra_op_parallelism_threads(),
        config.threading.get_inter_op_parallelism_threads(),
    )


def test_files_are_sent_and_not_pixels(client, paths):
    X = PatchLoader(lazy=True).transform(paths)
    assert len(pickle.dumps(X)) < X.nbytes / 20
    worker, mean = client.submit(
        lambda X: (os.getpid(), np.asarray(X).mean()), X
    ).result()
    assert worker != os.getpid()
    assert mean == np.asarray(X).mean()


def test_a_killed_worker_costs_its_tasks_and_not_the_search(
    client, tmp_path, without_hanging, bright_or_dark
):
    X, y, _ = bright_or_dark  # more than 1 kB, which joblib would store on one worker
    search = GridSearchCV(
        Fake(tmp_path), {"seconds": np.linspace(0.1, 0.2, 6)}, cv=2, error_score="raise"
    )

    def kill_one_worker():
        while not started(tmp_path):
            time.sleep(0.01)
        time.sleep(0.05)
        os.kill(int(started(tmp_path)[0].read_text()), signal.SIGKILL)

    def run():
        with joblib.parallel_config(backend=patient_backend(client)):
            return search.fit(X, y)

    killer = threading.Thread(target=kill_one_worker)
    killer.start()
    without_hanging(run)
    killer.join()
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], 0.5)
    assert len(started(tmp_path)) > 6 * 2 + 1  # a fit was repeated


def test_a_candidate_that_keeps_killing_its_worker_is_an_error_that_names_it(
    client, tmp_path, without_hanging, bright_or_dark
):
    X, y, _ = bright_or_dark
    candidates = [{"seconds": [0.1, 0.2], "kills": [False]}, {"kills": [True]}]
    search = GridSearchCV(Fake(tmp_path), candidates, cv=2)

    def run():
        with joblib.parallel_config(backend=patient_backend(client)):
            search.fit(X, y)

    with pytest.raises(
        RuntimeError,
        match=r"2 workers died while they ran task \d \(_fit_and_score, parameters "
        r"\{'kills': True\}, fold \d of 2\)",
    ):
        without_hanging(run)


def test_ctrl_c_cancels_what_has_not_started(ctrl_c, client, tmp_path, bright_or_dark):
    X, y, _ = bright_or_dark
    client.wait_for_workers(2)
    search = GridSearchCV(
        Fake(tmp_path), {"seconds": [1.0] * 10}, cv=2, pre_dispatch="all"
    )

    def press():
        while not started(tmp_path):
            time.sleep(0.01)
        time.sleep(0.3)
        _thread.interrupt_main()

    presser = threading.Thread(target=press)
    presser.start()
    with (
        pytest.raises(KeyboardInterrupt),
        joblib.parallel_config(backend=patient_backend(client)),
    ):
        search.fit(X, y)
    presser.join()
    # A fit can start while the cancellation is on its way to the workers.
    time.sleep(3)
    n_started = len(started(tmp_path))
    assert n_started < 20
    time.sleep(3)  # enough for six more fits
    assert len(started(tmp_path)) == n_started
