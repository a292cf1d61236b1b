"""TensorFlow's threads in a worker of joblib."""

import multiprocessing
import os
from contextlib import suppress


def keep_to_share_of_cores() -> None:
    """Have TensorFlow use no more threads than joblib grants its worker.

    joblib tells its workers through OMP_NUM_THREADS, which TensorFlow does not read: it
    would take all cores in each of them. What is set for TensorFlow itself stays.
    """
    share = os.environ.get("OMP_NUM_THREADS", "")
    is_worker = multiprocessing.current_process().name.startswith("LokyProcess")
    if not is_worker or not share.isdecimal():
        return
    from tensorflow import config

    # After its first use TensorFlow takes no other number of threads.
    with suppress(RuntimeError):
        if "TF_NUM_INTRAOP_THREADS" not in os.environ:
            config.threading.set_intra_op_parallelism_threads(int(share))
        if "TF_NUM_INTEROP_THREADS" not in os.environ:
            config.threading.set_inter_op_parallelism_threads(int(share))
