"""Print tables of skhisto beside its peers, and write them to ``docs/benchmarks.md``.

Run from the root of the repository::

    python -m benchmarks                             # all sections
    python -m benchmarks training prediction         # only these
    python -m benchmarks --quick                     # only to see that all works
    python -m benchmarks folders --full              # also reads 220,025 files
    python -m benchmarks training --write            # replaces this section of the page

``--write`` replaces a section of ``docs/benchmarks.md`` as soon as it has been measured
and keeps the others. Each section names its command, date, machine and versions.

The group "benchmarks" of pyproject.toml lists the peers. The rows of those that
are missing say so. All contenders of a section are in memory at once, up to 1.7 GB
each, and nothing else should run. Progress goes to stderr, the tables to stdout.
"""

import argparse
from pathlib import Path

from benchmarks import clusters, soak
from benchmarks.machine import describe_machine, use_cpu
from benchmarks.options import Options
from benchmarks.page import replace_section
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
    "clusters": clusters.run,
    "soak": soak.run,
    "maps": maps.run,
    "reading": reading.run,
    "report": report.run,
    "folders": folders.run,
    "importing": importing.run,
}
RESULTS = Path(__file__).parents[1] / "docs" / "benchmarks.md"
HEADING = """\
# Benchmarks

Results of `python -m benchmarks`, on the CPU. Every row was measured in the same run as
its neighbours, on the same data, in turns. The headings of ratios say what is divided
by what. Each section ends with its command, date, machine and versions.
"""


def main() -> None:
    """Run what the command line asks for."""
    parser = _parser()
    arguments = parser.parse_args()
    names = arguments.sections or list(SECTIONS)
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}.")
    if arguments.rounds < 1:
        parser.error("--rounds must be at least 1.")
    if arguments.write and arguments.quick:
        parser.error(
            "--write takes sections that are measured in full: leave out --quick, or "
            "write elsewhere with --output FILE."
        )
    options = Options(
        rounds=1 if arguments.quick else arguments.rounds,
        quick=arguments.quick,
        full=arguments.full,
    )
    use_cpu()
    file = RESULTS if arguments.write else arguments.output
    for name in names:
        section = _run(name, options)
        text = f"{section.markdown()}\n\n{_origin(name, options)}"
        print(f"\n{text}", flush=True)
        if file is not None and section.tables:
            replace_section(file, HEADING, name, text, SECTIONS)
            print(f"\nWritten to {file.name}.", flush=True)


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
        "--write", action="store_true", help="replace sections of docs/benchmarks.md"
    )
    results.add_argument(
        "--output", type=Path, help="replace sections of this Markdown file"
    )
    return parser


def _origin(name: str, options: Options) -> str:
    """Say how and where a section was measured."""
    command = ["python -m benchmarks", name]
    command += [f"--{word}" for word in ("quick", "full") if getattr(options, word)]
    if options.rounds != Options.rounds and not options.quick:
        command.append(f"--rounds {options.rounds}")
    command_line = f"Command: `{' '.join(command)}`"
    if options.quick:
        command_line += ", in which the numbers mean nothing"
    return f"- {command_line}\n{describe_machine()}"


def _run(name: str, options: Options) -> Section:
    try:
        return SECTIONS[name](options)
    except OSError as error:  # such as a full disk
        reason = without_folders(str(error))
        return Section(name.capitalize(), f"Not measured: {reason}", [])


if __name__ == "__main__":
    main()
