"""Kill a checkpointed fit at random moments, run it again and compare the results.

Run from the root of the repository::

    python -m benchmarks.kills                          # ten moments
    python -m benchmarks.kills --moments 3 --seed 1     # fewer, and other moments

An undisturbed fit without checkpoints comes first. Then, for each moment, another
process trains with a checkpoint after every epoch. It is killed by ``kill -9`` at a
random moment after its first epoch, and the same fit is run again to its end. The
command fails unless every second run ends bitwise where the undisturbed fit ends, and
every checkpoint is readable. Progress goes to stderr, the table to stdout.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.table import Table

EPOCHS = 40


@dataclass(frozen=True)
class Kill:
    """What was found after one kill.

    Attributes
    ----------
    moment : float
        Time from the end of the first epoch to the kill, as a share of the duration of
        an undisturbed fit.
    epochs_saved : int
        Epochs in the checkpoint that was left, 0 if there was none yet.
    n_leftovers : int
        Temporary files, which show that the process was killed while it was writing.
    is_readable : bool
        Whether the checkpoint could be read, or there was none yet.
    is_equal : bool
        Whether weights, history and probabilities of the second run are bitwise those
        of the undisturbed fit.
    """

    moment: float
    epochs_saved: int
    n_leftovers: int
    is_readable: bool
    is_equal: bool


def measure(n_moments: int, seed: int, folder: Path) -> list[Kill]:
    """Kill a fit at random moments.

    Parameters
    ----------
    n_moments : int
    seed : int
        Determines the moments.
    folder : Path
        An empty folder for checkpoints.
    """
    fit(None)  # compiles the network, which takes most of the time
    start = time.perf_counter()
    expected = fit(None)
    seconds = time.perf_counter() - start
    print(f"The undisturbed fit took {seconds:.1f} s.", file=sys.stderr)
    moments = sorted(np.random.default_rng(seed).uniform(0, 1, n_moments).tolist())
    kills = []
    for number, moment in enumerate(moments):
        checkpoints = folder / f"checkpoints-{number}"
        kills.append(_kill(moment, moment * seconds, checkpoints, expected))
        print(f"{number + 1}/{n_moments}: {kills[-1]}", file=sys.stderr)
    return kills


def _kill(
    moment: float, seconds: float, checkpoints: Path, expected: dict[str, np.ndarray]
) -> Kill:
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "benchmarks.kills", "--fit", checkpoints],
        cwd=Path(__file__).parents[1],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        while not process.stdout.readline().startswith("Epoch 2/"):
            if process.poll() is not None:
                raise RuntimeError("The process that fits ended too early.")
        time.sleep(seconds)
        process.kill()
    epochs_saved, is_readable = _look_at(checkpoints)
    n_leftovers = len(list(checkpoints.glob("*/*.tmp")))
    found = fit(checkpoints)
    is_equal = found.keys() == expected.keys() and all(
        value.dtype == expected[name].dtype
        and value.shape == expected[name].shape
        and value.tobytes() == expected[name].tobytes()
        for name, value in found.items()
    )
    return Kill(moment, epochs_saved, n_leftovers, is_readable, is_equal)


def _look_at(checkpoints: Path) -> tuple[int, bool]:
    """Return the epochs in a checkpoint, and whether it can be read."""
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


def fit(checkpoints: Path | None, verbose: int = 0) -> dict[str, np.ndarray]:
    """Fit a small network with all that is random, and return what comes out."""
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


def table_of(kills: list[Kill]) -> Table:
    """Return one row for each kill."""
    table = Table(["killed at", "epochs saved", "readable", "bitwise equal"])
    for kill in kills:
        table.add(
            f"{kill.moment:.0%} of the fit",
            str(kill.epochs_saved),
            "yes" if kill.is_readable else "no",
            "yes" if kill.is_equal else "no",
            note="killed while writing" if kill.n_leftovers else "",
        )
    return table


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.kills",
        description="Kill a checkpointed fit and compare what it resumes to.",
    )
    parser.add_argument("--moments", type=int, default=10, help="default: 10")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--fit", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    if arguments.fit is not None:
        fit(arguments.fit, verbose=2)
        return
    with tempfile.TemporaryDirectory() as folder:
        kills = measure(arguments.moments, arguments.seed, Path(folder))
    print(table_of(kills).markdown())
    n_equal = sum(kill.is_equal for kill in kills)
    n_readable = sum(kill.is_readable for kill in kills)
    print(
        f"\n{n_equal} of {len(kills)} runs end bitwise where the undisturbed fit ends, "
        f"and {n_readable} of {len(kills)} checkpoints are readable."
    )
    if not n_equal == n_readable == len(kills):
        sys.exit(1)


if __name__ == "__main__":
    main()
