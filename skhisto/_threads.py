"""How many threads this process may use for computing."""

import multiprocessing
import os
import sys


def threads_allowed() -> int | None:
    """Return the number of threads that this process may compute with.

    The first of these that applies is returned:

    - ``TF_NUM_INTRAOP_THREADS``, where it is set;
    - in a task of a dask worker, the threads of that worker. dask sets
      ``OMP_NUM_THREADS`` to 1 in every worker, so it does not contain the share;
    - in a worker of joblib or Ray, ``OMP_NUM_THREADS``, where they store the share.

    Tasks that run at the same time in one process share its threads.

    Returns
    -------
    int or None
        None stands for all cores.
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
    # Looked up and not imported: a worker of dask has imported it.
    distributed = sys.modules.get("distributed")
    if distributed is None:
        return None
    try:
        return int(distributed.get_worker().state.nthreads)
    except (AttributeError, ValueError):  # half imported, or no worker
        return None


def _is_worker_of_joblib() -> bool:
    return multiprocessing.current_process().name.startswith("LokyProcess")


def _is_worker_of_ray() -> bool:
    ray = sys.modules.get("ray")
    worker = getattr(getattr(ray, "_private", None), "worker", None)
    mode = getattr(getattr(worker, "global_worker", None), "mode", None)
    return mode is not None and mode == getattr(worker, "WORKER_MODE", 1)
