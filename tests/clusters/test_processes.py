"""Searches on a real cluster of two worker processes with one thread each."""

import _thread
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import joblib
import numpy as np
import pytest
from PIL import Image
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import GridSearchCV

from skhisto import PatchLoader, make_patches, make_slide
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

from skhisto import (
    PatchCNNClassifier,
    PatchEmbedder,
    PatchLoader,
    ReferenceCNN,
    probability_map,
)


def searches(paths):
    slides = [path for path in paths if path.endswith(".tif")]
    paths = [path for path in paths if path not in slides]
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
    maps = joblib.Parallel()(
        joblib.delayed(probability_map)(folds[0], slide, stride=16) for slide in slides
    )
    weights = [w.ravel() for clf in folds for w in clf.weights_.values()]
    return {
        "scores": search.cv_results_["mean_test_score"],
        "weights": np.concatenate(weights),
        "features": np.concatenate(parts),
        "maps": np.stack([found.probabilities for found in maps]),
    }
"""
SERIAL = "\nnp.savez(sys.argv[1], **searches(sys.argv[2:]))\n"


class Fake(ClassifierMixin, BaseEstimator):
    """A classifier that leaves a file for each fit, and may kill its process.

    A fit ends when the gate exists.
    """

    def __init__(self, folder=None, number=0, kills=False, gate=None):
        self.folder = folder
        self.number = number
        self.kills = kills
        self.gate = gate

    def fit(self, X, y):
        leave_file(self.folder)
        if self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        wait_until(lambda: self.gate is None or self.gate.exists())
        self.classes_, self.mean_ = np.unique(y), X.mean()
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


def leave_file(folder):
    (folder / f"{time.time_ns()}-{os.getpid()}").touch()


def started(folder):
    """Processes of the fits that have started, in order."""
    return [int(file.name.split("-")[1]) for file in sorted(folder.iterdir())]


def wait_until(condition):
    """Wait as long as it takes on a busy machine."""
    end = time.monotonic() + 150
    while not condition():
        assert time.monotonic() < end, "the condition is never true"
        time.sleep(0.02)


def in_thread(function):
    """Start a function beside the test."""
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread


@pytest.fixture
def starts(tmp_path):
    """The folder for files of fits that have started."""
    folder = tmp_path / "starts"
    folder.mkdir()
    return folder


@pytest.fixture(scope="module")
def client():
    settings = {
        # Two workers may die of a task, and not four, as a restart takes seconds.
        "distributed.scheduler.allowed-failures": 1,
        # Tasks that wait for a busy worker stay there.
        "distributed.scheduler.work-stealing": False,
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


@pytest.fixture(scope="module")
def slides(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slides")
    paths = [str(folder / f"{i}.tif") for i in range(3)]
    for i, path in enumerate(paths):
        make_slide((160, 192), random_state=i, path=path)
    return paths


def patient_backend(client):
    return dask_backend(client, wait_for_workers_timeout=150)


def test_results_are_bitwise_those_of_one_process_with_as_many_threads(
    client, paths, slides, tmp_path
):
    namespace = {}
    exec(SEARCHES, namespace)
    with joblib.parallel_config(backend=patient_backend(client)):
        on_cluster = namespace["searches"](paths + slides)
    assert np.isfinite(on_cluster["maps"]).any(axis=(1, 2, 3)).all()
    one = {"TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}
    script = [sys.executable, "-c", SEARCHES + SERIAL]
    arguments = [tmp_path / "serial.npz", *paths, *slides]
    subprocess.run([*script, *arguments], env=os.environ | one, check=True)
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
    client, starts, tmp_path, without_hanging, bright_or_dark
):
    X, y, _ = bright_or_dark  # more than 1 kB, which joblib would store on one worker
    gate = tmp_path / "gate"
    search = GridSearchCV(
        Fake(starts, gate=gate),
        {"number": range(6)},
        cv=2,
        error_score="raise",
        refit=False,
    )

    def kill_one_worker():
        wait_until(lambda: started(starts))
        os.kill(started(starts)[0], signal.SIGKILL)
        gate.touch()

    def run():
        with joblib.parallel_config(backend=patient_backend(client)):
            return search.fit(X, y)

    killer = in_thread(kill_one_worker)
    without_hanging(run)
    killer.join()
    np.testing.assert_array_equal(search.cv_results_["mean_test_score"], 0.5)
    assert len(started(starts)) > 6 * 2  # a fit was repeated


def block(folder):
    leave_file(folder)
    time.sleep(600)


def wait_for_idle_workers(client):
    client.wait_for_workers(2, timeout=150)
    wait_until(lambda: n_unfinished(client) == 0)


def test_tasks_that_only_waited_on_a_killed_worker_are_sent_again(
    client, starts, without_hanging, monkeypatch
):
    def set_allowed_failures(number, dask_scheduler):
        dask_scheduler.allowed_failures = number

    wait_for_idle_workers(client)
    address = next(iter(client.ncores()))
    blocking = client.submit(block, starts, workers=[address], pure=False)
    wait_until(lambda: started(starts))
    backend = patient_backend(client)
    backend.submit_kwargs = {"workers": [address], "allow_other_workers": True}
    sent, send = [], backend._send

    def note_and_send(task, callback, number, is_repeated=False):
        sent.append((number, is_repeated))
        return send(task, callback, number, is_repeated)

    monkeypatch.setattr(backend, "_send", note_and_send)

    def kill_the_worker():
        # The one task that is running, and all that wait for it.
        wait_until(lambda: len(client.processing()[address]) == 1 + 3)
        os.kill(started(starts)[0], signal.SIGKILL)

    def run():
        with joblib.parallel_config(backend=backend):
            return joblib.Parallel(pre_dispatch="all")(
                joblib.delayed(divmod)(number, 2) for number in range(3)
            )

    # After one death, dask gives up all tasks of a worker.
    client.run_on_scheduler(set_allowed_failures, 0)
    try:
        killer = in_thread(kill_the_worker)
        assert without_hanging(run) == [(0, 0), (0, 1), (1, 0)]
        killer.join()
    finally:
        client.run_on_scheduler(set_allowed_failures, 1)
    assert sorted(sent) == [(n, again) for n in (1, 2, 3) for again in (False, True)]
    assert blocking.status == "error"


def test_a_candidate_that_keeps_killing_its_worker_is_an_error_that_names_it(
    client, starts, without_hanging, bright_or_dark
):
    X, y, _ = bright_or_dark
    candidates = [{"number": [0, 1], "kills": [False]}, {"kills": [True]}]
    search = GridSearchCV(Fake(starts), candidates, cv=2)

    def run():
        with joblib.parallel_config(backend=patient_backend(client)):
            search.fit(X, y)

    with pytest.raises(
        RuntimeError,
        match=r"2 workers died while they ran task \d \(_fit_and_score, parameters "
        r"\{'kills': True\}, fold \d of 2\)",
    ):
        without_hanging(run)


def test_ctrl_c_cancels_what_has_not_started(
    ctrl_c, client, starts, tmp_path, bright_or_dark
):
    X, y, _ = bright_or_dark
    gate = tmp_path / "gate"
    wait_for_idle_workers(client)
    search = GridSearchCV(
        Fake(starts, gate=gate), {"number": range(10)}, cv=2, pre_dispatch="all"
    )

    def press():
        try:  # each worker runs a fit, and all others have been sent
            wait_until(lambda: len(started(starts)) == 2)
            wait_until(lambda: n_unfinished(client) == 20)
        finally:
            _thread.interrupt_main()

    presser = in_thread(press)
    with (
        pytest.raises(KeyboardInterrupt),
        joblib.parallel_config(backend=patient_backend(client)),
    ):
        search.fit(X, y)
    presser.join()
    wait_until(lambda: n_unfinished(client) == 0)
    wait_until(lambda: not any(n_waiting(client)))
    gate.touch()  # now the fits that have started end
    wait_until(lambda: not any(n_executing(client)))
    assert len(started(starts)) == 2


def n_unfinished(client):
    """Tasks that the scheduler has not finished or cancelled."""

    def count(dask_scheduler):
        states = [task.state for task in dask_scheduler.tasks.values()]
        return sum(state not in ("memory", "erred") for state in states)

    return client.run_on_scheduler(count)


def n_waiting(client):
    """Tasks that wait in each worker."""
    return client.run(lambda dask_worker: len(dask_worker.state.ready)).values()


def n_executing(client):
    """Tasks that each worker runs, cancelled ones included."""
    return client.run(lambda dask_worker: len(dask_worker.state.executing)).values()
