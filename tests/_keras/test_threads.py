import os
import subprocess
import sys

# As a script, since TensorFlow's number of threads cannot be changed in a process.
SCRIPT = """
import joblib
import sys

def threads():
    import skhisto._keras
    from tensorflow import config
    threading = config.threading
    return threading.get_intra_op_parallelism_threads(), threading.get_inter_op_parallelism_threads()

with joblib.parallel_config("loky", inner_max_num_threads=int(sys.argv[1])):
    print(joblib.Parallel(2)(joblib.delayed(threads)() for _ in range(2)))
print(threads())
"""


def threads(share, **environment):
    """Threads that TensorFlow is set to, in two workers and in the main process."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("TF_NUM")}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(share)],
        check=True,
        capture_output=True,
        text=True,
        env=inherited | environment,
    )
    return run.stdout.splitlines()


def test_workers_keep_to_their_share_of_the_cores_and_the_main_process_to_nothing():
    workers, main = threads(3)
    assert workers == "[(3, 3), (3, 3)]"
    assert main == "(0, 0)"  # TensorFlow's default: all cores


def test_what_is_set_for_tensorflow_stays():
    workers, _ = threads(
        1, TF_NUM_INTRAOP_THREADS="2", TF_NUM_INTEROP_THREADS="2", OMP_NUM_THREADS="1"
    )
    assert workers == "[(0, 0), (0, 0)]"  # TensorFlow reads its variables itself
