"""How many threads a process may use, by where it runs."""

import multiprocessing
import sys
from types import SimpleNamespace

import pytest

from skhisto._threads import threads_allowed


@pytest.fixture(autouse=True)
def main_process(monkeypatch):
    """A process that is no worker, with one thread for OpenMP."""
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    for name in ("distributed", "ray"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def run_in_dask(monkeypatch, nthreads):
    worker = SimpleNamespace(state=SimpleNamespace(nthreads=nthreads))
    module = SimpleNamespace(get_worker=lambda: worker)
    monkeypatch.setitem(sys.modules, "distributed", module)


def run_in_ray(monkeypatch, mode):
    worker = SimpleNamespace(global_worker=SimpleNamespace(mode=mode), WORKER_MODE=1)
    ray = SimpleNamespace(_private=SimpleNamespace(worker=worker))
    monkeypatch.setitem(sys.modules, "ray", ray)


def test_a_process_that_is_no_worker_may_use_all_cores():
    assert threads_allowed() is None


def test_a_worker_of_joblib_reads_openmps_variable(monkeypatch):
    process = SimpleNamespace(name="LokyProcess-1")
    monkeypatch.setattr(multiprocessing, "current_process", lambda: process)
    assert threads_allowed() == 3


def test_a_worker_of_dask_has_the_threads_of_the_worker(monkeypatch):
    run_in_dask(monkeypatch, 4)
    assert threads_allowed() == 4


def test_a_client_of_dask_may_use_all_cores(monkeypatch):
    def no_worker():
        raise ValueError("No worker found")

    module = SimpleNamespace(get_worker=no_worker)
    monkeypatch.setitem(sys.modules, "distributed", module)
    assert threads_allowed() is None


@pytest.mark.parametrize(("mode", "threads"), [(0, None), (1, 3)])
def test_a_worker_of_ray_reads_openmps_variable_and_its_driver_does_not(
    monkeypatch, mode, threads
):
    run_in_ray(monkeypatch, mode)
    assert threads_allowed() == threads


def test_the_variable_of_tensorflow_wins(monkeypatch):
    run_in_dask(monkeypatch, 4)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "8")
    assert threads_allowed() == 8


@pytest.mark.parametrize("value", ["", "0", "many"])
def test_variables_without_a_number_are_ignored(monkeypatch, value):
    run_in_dask(monkeypatch, 4)
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", value)
    assert threads_allowed() == 4


def test_tasks_at_once_in_one_worker_of_dask_share_its_threads():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        futures = [client.submit(threads_allowed, pure=False) for _ in range(2)]
        assert client.gather(futures) == [2, 2]
