"""Memory of processes, as Linux counts it in ``/proc``; elsewhere it is unknown (NaN).

Resident memory is all that a process holds in RAM, shared libraries included.
"""

import os
from contextlib import suppress
from math import nan
from pathlib import Path


def resident_megabytes() -> float:
    """Return what this process holds now."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return nan
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak_megabytes(pid: int) -> float:
    """Return the most that a process has held since it started."""
    return _kilobytes(Path(f"/proc/{pid}/status"), "VmHWM") * 1024 / 1e6


def peak_megabytes_of_tree(pid: int) -> float:
    """Return the sum of the peaks of a process and all that it has started.

    An upper bound of their common peak: the peaks need not coincide, and the libraries
    that they share count in each.
    """
    return sum(map(peak_megabytes, _tree(pid)))


def shared_megabytes_of_tree(pid: int) -> float:
    """Return what the sum of peaks counts too often: files that several have mapped.

    These are nearly all libraries; the process with most of them has those of all.
    """
    mapped = [
        _kilobytes(Path(f"/proc/{number}/status"), "RssFile") for number in _tree(pid)
    ]
    return (sum(mapped) - max(mapped)) * 1024 / 1e6


def available_gigabytes() -> float:
    """Return the memory that a new process can have without swapping."""
    return _kilobytes(Path("/proc/meminfo"), "MemAvailable") * 1024 / 1e9


def total_gigabytes() -> float:
    """Return the memory of the machine."""
    return _kilobytes(Path("/proc/meminfo"), "MemTotal") * 1024 / 1e9


def _tree(pid: int) -> list[int]:
    """Return the numbers of a process and all that it has started."""
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # threads come and go
            for child in task.read_text().split():
                pids += _tree(int(child))
    return pids


def _kilobytes(file: Path, name: str) -> float:
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return nan
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(fields[name].split()[0])
