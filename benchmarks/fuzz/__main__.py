"""Read damaged and hostile files with every reader of skhisto.

Run from the root of the repository, on Linux::

    python -m benchmarks.fuzz                              # 1,000 files per reader
    python -m benchmarks.fuzz png maps --inputs 100000     # more, of two readers
    python -m benchmarks.fuzz --minutes 10 --seed 1        # other files, ten minutes
    python -m benchmarks.fuzz png --first 4711 --inputs 1  # one file again

Small valid files are damaged at random and read in another process. Checksums and
lengths are repaired, because plain damage seldom gets past them. The command fails if a
reader

- raises an exception that it does not document;
- needs more than 2 seconds of processor time or 512 MB of memory, except for networks
  in ONNX files, whose computation is not limited;
- opens another file, starts a process or opens a connection, according to the audit
  events of Python;
- crashes.

The same seed gives the same files.
"""

import argparse
import os
import sys
from pathlib import Path

from benchmarks.fuzz.campaign import fuzz
from benchmarks.fuzz.readers import READERS


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz",
        description="Read damaged and hostile files with every reader of skhisto.",
    )
    parser.add_argument(
        "readers",
        nargs="*",
        metavar="reader",
        help=f"default: all of {', '.join(READERS)}",
    )
    parser.add_argument("--inputs", type=int, default=1000, help="files per reader")
    parser.add_argument("--seed", type=int, default=0, help="determines the files")
    parser.add_argument("--first", type=int, default=0, help="number of the first file")
    parser.add_argument(
        "--minutes", type=float, default=float("inf"), help="time limit per reader"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        help="folder for the files that make a reader fail",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.readers) - set(READERS):
        parser.error(f"no such reader: {', '.join(sorted(unknown))}.")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    if arguments.keep is not None:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    has_found = False
    for name in arguments.readers or READERS:
        result = fuzz(
            name,
            n_inputs=arguments.inputs,
            seed=arguments.seed,
            first=arguments.first,
            seconds=60 * arguments.minutes,
            keep=arguments.keep,
        )
        print(result.summary(), flush=True)
        for items in result.findings.values():
            has_found = True
            print(f"    {items[0].what}: {items[0].details:.3000}", file=sys.stderr)
    sys.exit(int(has_found))


if __name__ == "__main__":
    main()
