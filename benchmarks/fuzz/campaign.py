"""Runs workers, and starts a new one after a file has killed one."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.fuzz.worker import Finding, Task

_MAX_RESTARTS = 200


@dataclass
class Result:
    """Findings of one reader.

    Attributes
    ----------
    reader : str
    n_inputs : int
        The number of inputs that were read.
    seconds : float
    findings : dict of str to list of Finding
        The keys describe the event.
    """

    reader: str
    n_inputs: int = 0
    seconds: float = 0.0
    findings: dict[str, list[Finding]] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Add a finding."""
        self.findings.setdefault(finding.what, []).append(finding)

    def summary(self) -> str:
        """Return one line."""
        found = "; ".join(
            f"{what} ({len(items)}x, first in input {items[0].number})"
            for what, items in self.findings.items()
        )
        return (
            f"{self.reader}: {self.n_inputs:,} inputs in {self.seconds:.0f} s, "
            f"{found or 'nothing found'}"
        )


def fuzz(
    reader: str,
    *,
    n_inputs: int,
    seed: int = 0,
    first: int = 0,
    seconds: float = float("inf"),
    keep: Path | None = None,
) -> Result:
    """Read damaged files with one reader.

    Parameters
    ----------
    reader : str
    n_inputs : int
    seed : int
        The seed and the number of an input determine the input.
    first : int
        The number of the first input.
    seconds : float
        No further input is read after this time.
    keep : Path or None
        A folder for the inputs with findings.
    """
    result = Result(reader)
    start = time.monotonic()
    number, n_restarts = first, 0
    while number < first + n_inputs and n_restarts <= _MAX_RESTARTS:
        left = seconds - (time.monotonic() - start)
        if left <= 0:
            break
        with tempfile.TemporaryDirectory(dir=_in_memory()) as folder:
            task = Task(
                reader=reader,
                seed=seed,
                first=number,
                end=first + n_inputs,
                seconds=min(left, 1e9),
                folder=str(Path(folder, "files")),
                position=str(Path(folder, "position")),
                findings=str(Path(folder, "findings")),
                keep=None if keep is None else str(keep),
            )
            Path(task.folder).mkdir()
            for finding in _run(task):
                if isinstance(finding, int):
                    number = finding
                else:
                    result.add(finding)
        n_restarts += 1
    result.n_inputs = number - first
    result.seconds = time.monotonic() - start
    return result


def _in_memory() -> str | None:
    """Return a folder in memory, or None for the default folder."""
    return "/dev/shm" if os.path.isdir("/dev/shm") else None


def _run(task: Task) -> Iterator[Finding | int]:
    """Yield the findings of a worker, then the number of the next input."""
    with tempfile.TemporaryFile("w+", errors="replace") as errors:
        worker = subprocess.run(
            [sys.executable, "-m", "benchmarks.fuzz.worker", json.dumps(asdict(task))],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        )
        errors.seek(0)
        text = errors.read().partition("Extension modules:")[0][-3000:]
    if not Path(task.findings).exists():
        raise RuntimeError(f"The worker of {task.reader} does not start:\n{text}")
    for line in Path(task.findings).read_text().splitlines():
        yield Finding(**json.loads(line))
    number = int(Path(task.position).read_text())
    if worker.returncode == 0:
        yield number
        return
    yield Finding(task.reader, number, _cause_of_death(worker.returncode, text), text)
    yield number + 1


def _cause_of_death(code: int, text: str) -> str:
    if "Timeout" in text:
        return "it hangs"
    return f"it crashes with signal {-code}" if code < 0 else f"it exits with {code}"
