"""The number of TensorFlow threads, also in workers of joblib, dask and Ray."""

import os
from contextlib import suppress

import joblib

from skhisto._threads import threads_allowed


def keep_to_share_of_cores() -> None:
    """Limit TensorFlow to the threads that this process may use.

    TensorFlow ignores ``OMP_NUM_THREADS`` and would use all cores in each worker. All
    operations of a process share one pool of threads. Therefore tasks that run at the
    same time in one worker do not exceed its share. TensorFlow's own environment
    variables have precedence.
    """
    threads = threads_allowed()
    if threads is None:
        return
    from tensorflow import config

    # TensorFlow raises a RuntimeError if it has already been used.
    with suppress(RuntimeError):
        if "TF_NUM_INTRAOP_THREADS" not in os.environ:
            config.threading.set_intra_op_parallelism_threads(threads)
        if "TF_NUM_INTEROP_THREADS" not in os.environ:
            config.threading.set_inter_op_parallelism_threads(threads)


def n_threads() -> int:
    """Return the number of threads that TensorFlow uses within an operation."""
    from tensorflow import config

    chosen = config.threading.get_intra_op_parallelism_threads()  # 0: not set in Python
    return chosen or threads_allowed() or joblib.cpu_count()
