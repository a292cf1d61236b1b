"""What needs no worker processes: tasks run in threads of this process."""

import asyncio
import inspect
import subprocess
import sys
import threading
import time

import joblib
import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, cross_val_score

from skhisto.clusters import dask_backend

distributed = pytest.importorskip("distributed")


@pytest.fixture
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        yield cluster


@pytest.fixture
def client(cluster):
    with distributed.Client(cluster) as client:
        yield client


def slow(seconds):
    time.sleep(seconds)
    return seconds


def run(backend, *calls):
    with joblib.parallel_config(backend=backend):
        return joblib.Parallel()(calls)


def test_a_search_inside_cross_validation_gives_the_serial_scores(
    client, without_hanging
):
    rng = np.random.default_rng(0)
    X, y = rng.random((40, 2)), np.arange(40) % 4 == 0
    grid = {"strategy": ["prior", "stratified"]}
    search = GridSearchCV(DummyClassifier(random_state=0), grid, cv=2)

    def on_cluster():
        with joblib.parallel_config(backend=dask_backend(client)):
            return cross_val_score(search, X, y, cv=2)

    scores = without_hanging(on_cluster)
    np.testing.assert_array_equal(scores, cross_val_score(search, X, y, cv=2))


def test_the_default_client_is_the_one_created_last(client):
    assert run(dask_backend(), joblib.delayed(slow)(0)) == [0]


class Large:
    """An object that counts how often it is pickled."""

    n_pickled = 0

    def __reduce__(self):
        Large.n_pickled += 1
        return (Large, ())


@pytest.mark.parametrize(("is_scattered", "n_pickled"), [(False, 4), (True, 0)])
def test_scattered_arguments_are_not_sent_with_each_task(
    client, is_scattered, n_pickled, monkeypatch
):
    monkeypatch.setattr(Large, "n_pickled", 0)
    large = Large()
    backend = dask_backend(client, scatter=[large] if is_scattered else None)
    before = Large.n_pickled  # by scattering
    run(backend, *[joblib.delayed(isinstance)(large, Large)] * 4)
    assert Large.n_pickled - before == n_pickled


def test_one_worker_runs_the_tasks_and_not_this_process(cluster, client):
    cluster.scale(1)
    while len(client.ncores()) > 1:
        time.sleep(0.01)
    caller = threading.get_ident()
    assert run(dask_backend(client), joblib.delayed(threading.get_ident)()) != [caller]


def test_errors_of_tasks_are_raised(client, without_hanging):
    with pytest.raises(ZeroDivisionError):
        without_hanging(lambda: run(dask_backend(client), joblib.delayed(divmod)(1, 0)))


def test_a_task_that_cannot_be_pickled_is_an_error(client, without_hanging):
    calls = [joblib.delayed(slow)(0.01)] * 20
    calls += [joblib.delayed(slow)(threading.Lock())]  # sent by a thread of dask
    with pytest.raises(
        TypeError, match=r"task 21 \(slow\) could not be sent .* cannot pickle '_thread"
    ):
        without_hanging(lambda: run(dask_backend(client), *calls))


def test_a_cluster_without_workers_is_an_error(cluster, client, without_hanging):
    backend = dask_backend(client, wait_for_workers_timeout=1)
    threading.Timer(0.5, cluster.scale, [0]).start()
    with pytest.raises(TimeoutError, match="has had no workers for 1 seconds"):
        without_hanging(lambda: run(backend, *[joblib.delayed(slow)(0.2)] * 500))


def test_a_closed_client_is_an_error(client, without_hanging):
    threading.Timer(0.5, client.close).start()
    with pytest.raises(RuntimeError, match="The cluster cancelled tasks of this call"):
        without_hanging(
            lambda: run(dask_backend(client), *[joblib.delayed(slow)(0.2)] * 500)
        )


def test_nothing_watches_the_workers_after_a_call(client):
    backend = dask_backend(client)
    for _ in range(3):
        run(backend, joblib.delayed(slow)(0))

    async def watchers():
        return [t for t in asyncio.all_tasks() if "_watch_workers" in repr(t)]

    end = time.monotonic() + 60  # each looks again after a second
    while client.sync(watchers):
        assert time.monotonic() < end, "a watcher remains"
        time.sleep(0.1)


def test_without_a_client_there_is_an_error():
    with pytest.raises(ValueError, match="first create a Dask Client"):
        dask_backend()


def test_importing_skhisto_does_not_import_dask():
    script = "import sys, skhisto, skhisto.clusters; print('dask' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_dask_that_is_missing_is_an_error_that_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ImportError, match=r'pip install "skhisto\[dask\]"'):
        dask_backend()


def test_joblib_has_the_private_parts_that_the_backend_replaces_or_uses(client):
    from joblib._dask import DaskDistributedBackend

    from skhisto.clusters._dask_backend import DaskBackend

    replaced = {name for name in vars(DaskBackend) if not name.startswith("_")}
    assert all(hasattr(DaskDistributedBackend, name) for name in replaced)
    assert replaced == {
        "abort_everything",
        "compute_batch_size",
        "effective_n_jobs",
        "get_nested_backend",
        "retrieve_result_callback",
        "start_call",
        "stop_call",
        "submit",
    }
    assert list(inspect.signature(DaskDistributedBackend.submit).parameters) == [
        "self",
        "func",
        "callback",
    ]
    backend = dask_backend(client)
    assert backend.supports_retrieve_callback
    assert vars(backend).keys() >= {
        "client",
        "data_futures",
        "submit_kwargs",
        "wait_for_workers_timeout",
    }
