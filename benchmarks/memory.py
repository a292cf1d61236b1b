"""Memory of processes, from ``/proc`` of Linux. NaN on other systems.

Resident memory is all that a process holds in RAM, including shared libraries.
"""

import os
from contextlib import suppress
from math import nan
from pathlib import Path


def resident_megabytes() -> float:
    """Return the current memory of this process."""
    return _megabytes(f"{os.getpid()}/status", "VmRSS")


def peak_megabytes(pid: int) -> float:
    """Return the peak memory of a process since its start."""
    return _megabytes(f"{pid}/status", "VmHWM")


def peak_megabytes_of_tree(pid: int) -> float:
    """Return the sum of the peaks of a process and its descendants.

    This is an upper bound. The peaks may occur at different times, and libraries that
    the processes share count in each of them.
    """
    return sum(map(peak_megabytes, _tree(pid)))


def shared_megabytes_of_tree(pid: int) -> float:
    """Return the memory that `peak_megabytes_of_tree` counts repeatedly.

    These are files that several processes have mapped, nearly all of them libraries.
    The process with most of them has those of all.
    """
    mapped = [_megabytes(f"{number}/status", "RssFile") for number in _tree(pid)]
    return sum(mapped) - max(mapped)


def available_gigabytes() -> float:
    """Return the memory that a new process can use without swapping."""
    return _megabytes("meminfo", "MemAvailable") / 1000


def total_gigabytes() -> float:
    """Return the memory of the machine."""
    return _megabytes("meminfo", "MemTotal") / 1000


def _tree(pid: int) -> list[int]:
    """Return the ids of a process and its descendants."""
    pids = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # threads come and go
            for child in task.read_text().split():
                pids += _tree(int(child))
    return pids


def _megabytes(file: str, name: str) -> float:
    try:
        lines = Path("/proc", file).read_text().splitlines()
    except OSError:
        return nan
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    return int(fields[name].split()[0]) * 1024 / 1e6
