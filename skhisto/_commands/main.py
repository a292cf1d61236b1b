"""Command-line parser and exit codes."""

import argparse
import sys
from collections.abc import Sequence

import skhisto
from skhisto._commands import doctor, map_slides
from skhisto._commands.errors import UsageError

INTERRUPTED = 130  # the code that shells report after Ctrl-C


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, default=None
        The arguments. None uses the arguments of the process.

    Returns
    -------
    code : int
        0 on success, 1 if something failed, 130 after Ctrl-C.

    Raises
    ------
    SystemExit
        With code 2 if the arguments are wrong. With code 0 after ``--help``.
    """
    arguments = _parser().parse_args(argv)
    try:
        return arguments.run(arguments)
    except UsageError as error:
        parser: argparse.ArgumentParser = arguments.parser
        parser.error(str(error))
    except KeyboardInterrupt:
        print("\nInterrupted. Run the same command again to continue.", file=sys.stderr)
        return INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m skhisto",
        description="Commands for histopathology slides.",
    )
    parser.add_argument(
        "--version", action="version", version=f"skhisto {skhisto.__version__}"
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for command in (map_slides, doctor):
        command.add_to(commands)
    return parser
