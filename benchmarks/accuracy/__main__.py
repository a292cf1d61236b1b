"""Compare recipes on slides that they were not trained on.

Run from the root of the repository, with SKHISTO_DATA set::

    python -m benchmarks.accuracy                                # all missing fits
    python -m benchmarks.accuracy --only "reference, 3 epochs"   # only of this recipe
    python -m benchmarks.accuracy --only --write                 # no fits, writes page

Each fit adds its probabilities to a local file, so that an interrupted run continues.
`--write` computes scores from the probabilities, stores them in
benchmarks/accuracy/scores.json, and writes docs/accuracy.md from that file. Scores
without probabilities do not change. Fits and scores are ignored if the parameters of
their recipe have changed. All fits take hours. On two cores, two processes with one
thread each are faster than one process with two threads.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from sklearn.pipeline import Pipeline

from benchmarks.accuracy.fits import (
    Fit,
    Patches,
    Record,
    all_fits,
    append,
    load_patches,
    read,
)
from benchmarks.accuracy.pages import render
from benchmarks.accuracy.recipes import RECIPES, settings_of, ways
from benchmarks.accuracy.results import as_json, read_results, update
from benchmarks.machine import commit, machine, n_cores, use_cpu
from benchmarks.page import write
from skhisto import PatchEmbedder

HERE = Path(__file__).parent
PROBABILITIES = HERE / "probabilities.jsonl.gz"
SCORES = HERE / "scores.json"
FEATURES = HERE / "features"
PAGE = Path(__file__).parents[2] / "docs" / "accuracy.md"


def main() -> None:
    """Run what the command line asks for."""
    arguments = _parse()
    use_cpu()
    patches = load_patches(Path(os.environ["SKHISTO_DATA"]))
    records = {
        fit: record
        for fit, record in read(arguments.file).items()
        if fit.recipe in RECIPES
        and record.settings == settings_of(fit.recipe, fit.seed)
    }
    missing = [
        fit
        for fit in all_fits()
        if fit not in records
        and (arguments.only is None or fit.recipe in arguments.only)
    ]
    done = Parallel(arguments.jobs, return_as="generator_unordered")(
        delayed(run)(fit, patches, arguments.jobs) for fit in missing
    )
    for number, record in enumerate(done, start=1):
        append(arguments.file, record)
        records[record.fit] = record
        line = f"{number}/{len(missing)}: {record.fit}, {record.minutes:.1f} minutes"
        print(line, file=sys.stderr, flush=True)
    results = update(read_results(SCORES), records, patches)
    text = render(results)
    print(text)
    if arguments.write:
        write(SCORES, as_json(results))
        write(PAGE, text)


def run(fit: Fit, patches: Patches, n_processes: int) -> Record:
    """Train on the folds that are not held out, and predict the held-out folds."""
    held_out = np.isin(patches.fold, fit.held_out)
    rows = np.flatnonzero(~held_out)
    if fit.n_train is not None:
        rng = np.random.default_rng(fit.seed)
        rows = np.sort(rng.permutation(rows)[: fit.n_train])
    estimator = RECIPES[fit.recipe].make(fit.seed)
    if fit.n_train is not None and isinstance(estimator[0], PatchEmbedder):
        # The page does not show the times of these fits.
        estimator[0].set_params(memory=FEATURES)
    start = time.perf_counter()
    estimator.fit(patches.X[rows], patches.y[rows])
    minutes = (time.perf_counter() - start) / 60
    proba = {"plain": _proba(estimator, patches.X[held_out])}
    if "tta" in ways(fit.recipe):
        estimator[-1].set_params(tta="d4")
        proba["tta"] = _proba(estimator, patches.X[held_out])
    return Record(
        fit,
        settings=settings_of(fit.recipe, fit.seed),
        commit=commit().removeprefix(", "),
        date=time.strftime("%Y-%m-%d"),
        machine=machine(),
        n_processes=n_processes,
        minutes=minutes,
        proba=proba,
    )


def _proba(estimator: Pipeline, X: np.ndarray) -> list[float]:
    return estimator.predict_proba(X)[:, 1].astype(float).tolist()


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.accuracy",
        description="Compare recipes on slides that they were not trained on.",
    )
    parser.add_argument(
        "--file",
        type=Path,
        default=PROBABILITIES,
        help=f"file of probabilities (default: {PROBABILITIES.name})",
    )
    parser.add_argument(
        "--only", nargs="*", metavar="RECIPE", choices=RECIPES, help="fit only these"
    )
    parser.add_argument(
        "--jobs", type=int, default=n_cores(), help="processes (default: one per core)"
    )
    parser.add_argument("--write", action="store_true", help="write scores and page")
    arguments = parser.parse_args()
    if not os.environ.get("SKHISTO_DATA"):
        parser.error("set SKHISTO_DATA to the folder of real patches.")
    return arguments


if __name__ == "__main__":
    main()
