"""Kill a checkpointed fit at random moments, run it again and compare the results.

Run from the root of the repository::

    python -m benchmarks.kills                          # ten moments
    python -m benchmarks.kills --moments 3 --seed 1     # fewer, and other moments

A fit without checkpoints is the reference. For each moment, another process trains with
a checkpoint after every epoch. It is killed by ``kill -9`` at a random moment after its
first epoch, and the same fit is run again. The command fails unless

- every second run ends bitwise where the reference ends;
- every checkpoint is readable.

Progress goes to stderr, the table to stdout.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.machine import use_cpu
from benchmarks.table import Table
from benchmarks.worker import ROOT

EPOCHS = 40

Arrays = dict[str, np.ndarray]


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kills",
        description="Kill a checkpointed fit at random moments and resume it.",
    )
    parser.add_argument("--moments", type=int, default=10, help="default: 10")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    use_cpu()
    if arguments.fit is not None:
        fit(arguments.fit, verbose=2)
        return
    with tempfile.TemporaryDirectory() as folder:
        table, n_failed = measure(arguments.moments, arguments.seed, Path(folder))
    print(table.markdown())
    if n_failed:
        sys.exit(f"{n_failed} of {arguments.moments} moments failed.")


def measure(n_moments: int, seed: int, folder: Path) -> tuple[Table, int]:
    """Kill fits at random moments. Return a table and the number of failures."""
    fit(None)  # compiles the network, which takes most of the time
    start = time.perf_counter()
    expected = fit(None)
    seconds = time.perf_counter() - start
    table = Table(["killed at", "epochs saved", "readable", "bitwise equal"])
    n_failed = 0
    moments = sorted(np.random.default_rng(seed).uniform(0, 1, n_moments).tolist())
    for number, moment in enumerate(moments):
        checkpoints = folder / f"checkpoints-{number}"
        kill_fit(checkpoints, moment * seconds)
        epochs, is_readable = saved_epochs(checkpoints)
        was_writing = any(checkpoints.glob("*/*.tmp"))
        is_equal = are_equal(fit(checkpoints), expected)
        n_failed += not (is_readable and is_equal)
        answers = ("yes" if answer else "no" for answer in (is_readable, is_equal))
        note = "killed while writing" if was_writing else ""
        table.add(f"{moment:.0%} of the fit", str(epochs), *answers, note=note)
        print(f"{number + 1} of {n_moments} moments", file=sys.stderr)
    return table, n_failed


def kill_fit(checkpoints: Path, seconds: float) -> None:
    """Kill a fit some seconds after its first epoch."""
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "benchmarks.kills", "--fit", checkpoints],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        while not process.stdout.readline().startswith("Epoch 2/"):
            if process.poll() is not None:
                raise RuntimeError("The process that fits ended too early.")
        time.sleep(seconds)
        process.kill()


def saved_epochs(checkpoints: Path) -> tuple[int, bool]:
    """Return the number of epochs in a checkpoint, and whether it is readable."""
    from skhisto._classifier.checkpoint_file import CheckpointFile

    epochs = 0
    for path in checkpoints.glob("*/checkpoint.npz"):
        try:
            document, _ = CheckpointFile(path.parent).read()
            epochs = document["last"]["n_iter"]
            with np.load(path, allow_pickle=False) as arrays:
                for name in arrays.files:
                    arrays[name]
        except (OSError, ValueError):
            return epochs, False
    return epochs, True


def are_equal(found: Arrays, expected: Arrays) -> bool:
    """Return whether arrays are bitwise equal."""
    return found.keys() == expected.keys() and all(
        value.dtype == expected[name].dtype
        and value.shape == expected[name].shape
        and value.tobytes() == expected[name].tobytes()
        for name, value in found.items()
    )


def fit(checkpoints: Path | None, verbose: int = 0) -> Arrays:
    """Fit a small network with all sources of randomness. Return the results."""
    from skhisto import (
        Checkpoint,
        PatchCNNClassifier,
        ReferenceCNN,
        StainJitter,
        make_patches,
    )

    X, y, groups = make_patches(96, size=16, random_state=0, return_groups=True)
    classifier = PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(8,), dense_units=16),
        epochs=EPOCHS,
        batch_size=16,
        learning_rate_schedule="one_cycle",
        augment=["d4", StainJitter()],
        early_stopping=True,
        n_iter_no_change=EPOCHS,
        checkpoint=None if checkpoints is None else Checkpoint(checkpoints),
        verbose=verbose,
        random_state=0,
    )
    classifier.fit(X, y, groups=groups)
    return {
        "probabilities": classifier.predict_proba(X),
        "best epoch": np.array(classifier.best_epoch_),
        **{f"history {k}": np.array(v) for k, v in classifier.history_.items()},
        **{f"weight {k}": v for k, v in classifier.weights_.items()},
    }


if __name__ == "__main__":
    main()
