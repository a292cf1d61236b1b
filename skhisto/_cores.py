"""How many cores a worker of joblib may use."""

import multiprocessing
import os


def share_of_cores() -> int | None:
    """Return the threads that joblib grants its worker, None outside of workers.

    joblib tells its workers through OMP_NUM_THREADS, which only some libraries read.
    """
    share = os.environ.get("OMP_NUM_THREADS", "")
    is_worker = multiprocessing.current_process().name.startswith("LokyProcess")
    return int(share) if is_worker and share.isdecimal() else None
