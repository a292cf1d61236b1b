"""The process that reads damaged files. A file may kill it."""

import faulthandler
import json
import random
import sys
import time
import traceback
import warnings
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.fuzz.guard import Guard
from benchmarks.fuzz.readers import READERS, Reader

MAX_SECONDS = 2.0  # of processor time, which does not depend on other programs
MAX_MEGABYTES = 512
# Setting the alarm takes longer than reading a small file.
_INPUTS_PER_ALARM = 50
_SECONDS_TO_KILL = 100  # of real time


@dataclass(frozen=True)
class Task:
    """The inputs of a worker.

    Attributes
    ----------
    reader : str
    seed : int
    first, end : int
        Numbers of the inputs. An input depends only on its number and the seed.
    seconds : float
        The worker stops after this time.
    folder : str
        An empty folder for files.
    position : str
        A file with the number of the current input, and finally with the number after
        the last one.
    findings : str
        A file of findings, one line of JSON each.
    keep : str or None
        A folder for the inputs with findings.
    """

    reader: str
    seed: int
    first: int
    end: int
    seconds: float
    folder: str
    position: str
    findings: str
    keep: str | None = None


@dataclass(frozen=True)
class Finding:
    """An event that must not happen.

    Attributes
    ----------
    reader : str
    number : int
        Of the input.
    what : str
        The event, the same text for the same cause.
    details : str
    """

    reader: str
    number: int
    what: str
    details: str = ""


def damaged(reader: Reader, contents: list[bytes], name: str, number: int) -> bytes:
    """Return an input. `name` consists of the seed and the name of the reader."""
    rng = random.Random(f"{name}/{number}")
    return reader.damage(rng, rng.choice(contents))


def run(task: Task) -> None:
    """Read the inputs of a task.

    Results are written to files, because libraries in C print to the output.
    """
    faulthandler.enable()
    warnings.simplefilter("ignore")
    reader, folder = READERS[task.reader], Path(task.folder)
    contents = reader.samples(folder)
    functions = reader.prepare(folder)
    path = folder / reader.file
    for content in contents:  # performs late imports
        for function in functions:
            path.write_bytes(content)
            _outcome(function, path, reader.errors)
    guard = Guard(folder)
    stop = time.monotonic() + task.seconds
    number = task.first
    with open(task.position, "w") as position, open(task.findings, "w") as findings:
        while number < task.end and time.monotonic() < stop:
            _write_number(position, number)
            if (number - task.first) % _INPUTS_PER_ALARM == 0:
                faulthandler.dump_traceback_later(_SECONDS_TO_KILL, exit=True)
            name = f"{task.seed}/{task.reader}"
            content = damaged(reader, contents, name, number)
            for finding in _read(task, number, content, functions, path, guard):
                findings.write(json.dumps(asdict(finding)) + "\n")
                findings.flush()
                if task.keep is not None:
                    kept = Path(task.keep, f"{task.reader}-{number}{path.suffix}")
                    kept.write_bytes(content)
            number += 1
        faulthandler.cancel_dump_traceback_later()
        _write_number(position, number)


def _write_number(file, number):
    file.seek(0)
    file.write(f"{number:12}")
    file.flush()


def _read(task, number, content, functions, path, guard):
    """Yield the findings on one input."""
    reader = READERS[task.reader]
    for function in functions:
        path.write_bytes(content)
        memory = _reset_memory()
        start = time.process_time()
        guard.is_watching = True
        try:
            what, details = _outcome(function, path, reader.errors)
        finally:
            guard.is_watching = False
        if what:
            yield Finding(task.reader, number, what, details)
        seconds = time.process_time() - start
        if reader.is_limited and seconds > MAX_SECONDS:
            what = f"{function.__name__} takes long"
            yield Finding(task.reader, number, what, f"{seconds:.1f} s")
        megabytes = _peak_megabytes() - memory
        if reader.is_limited and megabytes > MAX_MEGABYTES:
            what = f"{function.__name__} needs much memory"
            yield Finding(task.reader, number, what, f"{megabytes:.0f} MB")
        for event in guard.seen:
            what = f"outside of the file: {event}"
            yield Finding(task.reader, number, what)
        guard.seen.clear()


def _outcome(function, path, errors) -> tuple[str, str]:
    """Call a reader. Return an undocumented exception, or empty texts."""
    try:
        function(path)
    except errors:
        return "", ""
    except Exception as error:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [f for f in frames if "skhisto" in Path(f.filename).parts[:-1]]
        place = (ours or frames)[-1]
        what = f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
        return what, f"{error!s:.300}"
    return "", ""


def _reset_memory() -> float:
    """Reset the peak of the memory, and return the current memory."""
    Path("/proc/self/clear_refs").write_text("5")
    return _megabytes("VmRSS")


def _peak_megabytes() -> float:
    return _megabytes("VmHWM")


def _megabytes(name: str) -> float:
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(name):
                return int(line.split()[1]) / 1024
    return 0.0


if __name__ == "__main__":
    run(Task(**json.loads(sys.argv[1])))
