"""TensorFlow's threads."""

import os
from contextlib import suppress

import joblib

from skhisto._cores import share_of_cores


def keep_to_share_of_cores() -> None:
    """Have TensorFlow use no more threads than joblib grants its worker.

    TensorFlow does not read OMP_NUM_THREADS: it would take all cores in each worker.
    What is set for TensorFlow itself stays.
    """
    share = share_of_cores()
    if share is None:
        return
    from tensorflow import config

    # After its first use TensorFlow takes no other number of threads.
    with suppress(RuntimeError):
        if "TF_NUM_INTRAOP_THREADS" not in os.environ:
            config.threading.set_intra_op_parallelism_threads(share)
        if "TF_NUM_INTEROP_THREADS" not in os.environ:
            config.threading.set_inter_op_parallelism_threads(share)


def n_threads() -> int:
    """Return how many threads TensorFlow uses within an operation."""
    from tensorflow import config

    chosen = config.threading.get_intra_op_parallelism_threads()
    if chosen == 0:  # not set in Python
        chosen = int(os.environ.get("TF_NUM_INTRAOP_THREADS", "0"))
    return chosen or joblib.cpu_count()
