"""Print tables of skhisto beside its peers, and write them to ``docs/benchmarks.md``.

Run from the root of the repository::

    python -m benchmarks                        # all sections
    python -m benchmarks training prediction    # only these
    python -m benchmarks --quick                # next to nothing, to see that all works
    python -m benchmarks --full                 # also reads 220,025 files
    python -m benchmarks folders --full         # loads a folder of 220,025 files
    python -m benchmarks --write                # also writes docs/benchmarks.md

The peers are installed by ``pip install -e '.[benchmarks]'``; the rows of those that
are missing say so. All contenders of a section are in memory at once, up to 1.7 GB
each, and nothing else should run. Progress goes to stderr, the tables to stdout.
"""

import argparse
import os
from pathlib import Path

from benchmarks.machine import describe_machine
from benchmarks.options import Options
from benchmarks.page import write
from benchmarks.speed import (
    embedding,
    exports,
    fine_tuning,
    folders,
    importing,
    maps,
    parallel,
    precision,
    prediction,
    reading,
    refits,
    report,
    settings,
    training,
)
from benchmarks.table import Section
from benchmarks.worker import without_folders

SECTIONS = {
    "training": training.run,
    "prediction": prediction.run,
    "exports": exports.run,
    "embedding": embedding.run,
    "fine_tuning": fine_tuning.run,
    "precision": precision.run,
    "settings": settings.run,
    "refits": refits.run,
    "parallel": parallel.run,
    "maps": maps.run,
    "reading": reading.run,
    "report": report.run,
    "folders": folders.run,
    "importing": importing.run,
}
RESULTS = Path(__file__).parents[1] / "docs" / "benchmarks.md"


def main() -> None:
    """Run what the command line asks for."""
    parser = _parser()
    arguments = parser.parse_args()
    names = arguments.sections or list(SECTIONS)
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}.")
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1.")
    if arguments.write and (arguments.quick or set(names) != set(SECTIONS)):
        parser.error(
            "--write takes all sections, measured in full: leave out --quick and the "
            "names of sections, or write elsewhere with --output FILE."
        )
    options = Options(
        rounds=1 if arguments.quick else arguments.rounds,
        quick=arguments.quick,
        full=arguments.full,
    )
    # Set before TensorFlow's first message, in all workers.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    parts = [_heading(names, options)]
    print(parts[0], flush=True)
    for name in names:
        parts.append(_run(name, options).markdown())
        print(f"\n{parts[-1]}", flush=True)
    file = RESULTS if arguments.write else arguments.output
    if file is not None:
        write(file, "\n\n".join(parts) + "\n")
        print(f"\nWritten to {file.name}.")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure skhisto beside its peers and print tables.",
    )
    parser.add_argument(
        "sections",
        nargs="*",
        metavar="section",
        help=f"what to measure: {', '.join(SECTIONS)}; default: all of it",
    )
    parser.add_argument(
        "--rounds",
        type=int,
        default=Options.rounds,
        help=f"turns of each contender; default: {Options.rounds}",
    )
    parser.add_argument(
        "--quick", action="store_true", help="measure next to nothing, as a test"
    )
    parser.add_argument(
        "--full", action="store_true", help="read 220,025 files (7 GB) too"
    )
    results = parser.add_mutually_exclusive_group()
    results.add_argument(
        "--write", action="store_true", help="write docs/benchmarks.md"
    )
    results.add_argument("--output", type=Path, help="write this Markdown file")
    return parser


def _heading(names: list[str], options: Options) -> str:
    command = ["python -m benchmarks", *(names if len(names) < len(SECTIONS) else [])]
    command += [f"--{word}" for word in ("quick", "full") if getattr(options, word)]
    if options.rounds != Options.rounds and not options.quick:
        command.append(f"--rounds {options.rounds}")
    intro = (
        f"Results of `{' '.join(command)}`, on the CPU. Every row was measured in the "
        "same run as its neighbours, on the same data, in turns. The headings of "
        "ratios say what is divided by what."
    )
    if options.quick:
        intro += " With `--quick` the numbers mean nothing."
    return f"# Benchmarks\n\n{intro}\n\n{describe_machine()}"


def _run(name: str, options: Options) -> Section:
    try:
        return SECTIONS[name](options)
    except OSError as error:  # such as a full disk
        reason = without_folders(str(error))
        return Section(name.capitalize(), f"Not measured: {reason}", [])


if __name__ == "__main__":
    main()
