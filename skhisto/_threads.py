"""The number of threads that this process may use for computing."""

import multiprocessing
import os
import sys


def threads_allowed() -> int | None:
    """Return the number of threads that this process may compute with.

    The first of these values that exists is returned:

    - The environment variable ``TF_NUM_INTRAOP_THREADS``.
    - In a task of a dask worker, the number of threads of the worker.
      ``OMP_NUM_THREADS`` is not used, because dask sets it to 1 in every worker.
    - In a worker of joblib or Ray, ``OMP_NUM_THREADS``. Both set it to the share of
      the worker.

    Tasks that run at the same time in one process share its threads.

    Returns
    -------
    n_threads : int or None
        None means all cores.
    """
    chosen = _number_in("TF_NUM_INTRAOP_THREADS")
    if chosen is not None:
        return chosen
    in_dask = _threads_of_dask_worker()
    if in_dask is not None:
        return in_dask
    if _is_worker_of_joblib() or _is_worker_of_ray():
        return _number_in("OMP_NUM_THREADS")
    return None


def _number_in(variable: str) -> int | None:
    value = os.environ.get(variable, "")
    return int(value) if value.isdecimal() and int(value) > 0 else None


def _threads_of_dask_worker() -> int | None:
    # A dask worker has already imported this package, so no import is needed.
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return int(distributed.get_worker().state.nthreads)
    except (AttributeError, ValueError):  # partly imported, or not in a worker
        return None


def _is_worker_of_joblib() -> bool:
    return multiprocessing.current_process().name.startswith("LokyProcess")


def _is_worker_of_ray() -> bool:
    ray = sys.modules.get("ray")
    worker = getattr(getattr(ray, "_private", None), "worker", None)
    mode = getattr(getattr(worker, "global_worker", None), "mode", None)
    return mode is not None and mode == getattr(worker, "WORKER_MODE", 1)
