"""A separate process for each contender.

In one process, the thread pools of TensorFlow, PyTorch and OpenVINO would disturb each
other, and their memory could not be told apart. A worker waits on a pipe, without using
a core. Its output is kept for the case that it fails.
"""

import multiprocessing
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
INSTALL = "not installed: pip install -e . --group benchmarks"
TIMEOUT_S = 30


class WorkerError(Exception):
    """An error in a worker, as one line."""


class Worker:
    """A process that makes an object and calls its methods.

    Parameters
    ----------
    make : callable
        Makes the object in the process, from `arguments`. It must be importable.
    *arguments : object

    Attributes
    ----------
    pid : int
        Number of the process.

    Raises
    ------
    WorkerError
        If the object cannot be made.
    """

    def __init__(self, make: Callable[..., Any], *arguments: Any) -> None:
        self._connection, other_end = multiprocessing.Pipe()
        self._printed = tempfile.TemporaryFile()  # noqa: SIM115  # closed by stop
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", str(other_end.fileno())],
            pass_fds=[other_end.fileno()],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=self._printed,
            stderr=subprocess.STDOUT,
        )
        other_end.close()
        self.pid = self._process.pid
        try:
            self._ask((make, arguments))
        except WorkerError:
            self.stop()
            raise

    def call(self, method: str, *arguments: Any) -> Any:
        """Call a method of the object and return its result.

        Raises
        ------
        WorkerError
            If the method fails or the process has ended.
        """
        return self._ask((method, arguments))

    def stop(self) -> None:
        """End the process."""
        self._connection.close()
        try:
            self._process.wait(TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._printed.close()

    def _ask(self, question: Any) -> Any:
        try:
            self._connection.send(question)
            is_error, answer = self._connection.recv()
        except (EOFError, OSError):
            raise WorkerError(self._last_words()) from None
        if is_error:
            raise WorkerError(answer)
        return answer

    def _last_words(self) -> str:
        code = self._process.wait(TIMEOUT_S)
        self._printed.seek(0)
        lines = self._printed.read().decode(errors="replace").strip().splitlines()
        last_line = without_folders(lines[-1]) if lines else "it printed nothing"
        return f"the process ended with code {code}: {last_line}"


def serve(connection: Connection) -> None:
    """Make an object, and call its methods until the other end is closed."""

    def make_or_call(function: Any, arguments: tuple[Any, ...]) -> Any:
        nonlocal contender
        if isinstance(function, str):
            return getattr(contender, function)(*arguments)
        contender = function(*arguments)
        return None

    contender: Any = None
    while True:
        try:
            question = connection.recv()
        except EOFError:
            return
        try:
            answer = (False, make_or_call(*question))
        except Exception as error:  # libraries raise errors of any type
            answer = (True, _one_line(error))
        connection.send(answer)


def _one_line(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return INSTALL
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {without_folders(lines[0])}"


def without_folders(text: str) -> str:
    """Reduce paths to file names, because results must not name folders."""
    return re.sub(r"(/[\w.~+-]+)+/", "", text)


if __name__ == "__main__":
    serve(Connection(int(sys.argv[1])))
