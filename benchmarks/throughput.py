"""Patches a second of contenders that take turns, and how many times faster ours are.

Every contender warms up on a batch, so that graphs are traced and memory is there, and
is timed on a second one: who would need longer than a limit for all patches gets fewer
of them, in whole batches.
"""

import time
from typing import Any

from benchmarks.contest import Contest, Entry
from benchmarks.patches import many_patches
from benchmarks.table import Table, median, spread


class Timed:
    """A contender with a clock.

    Parameters
    ----------
    make : callable
        Makes the contender from `arguments`.
    *arguments : object
    """

    def __init__(self, make: Any, *arguments: Any) -> None:
        self._contender = make(*arguments)

    def prepare(self, *patches: Any) -> None:
        """Give the contender its patches."""
        self._contender.prepare(*patches)

    def seconds(self, method: str, n_patches: int) -> float:
        """Return the time that a method takes with so many patches."""
        start = time.perf_counter()
        getattr(self._contender, method)(n_patches)
        return time.perf_counter() - start

    def note(self, method: str) -> str:
        """Return the contender's note."""
        return self._contender.note(method)


def measure_throughput(
    entries: dict[str, Entry],
    method: str,
    *,
    n_batches: int,
    batch_size: int,
    n_rounds: int,
    limit_s: float,
    ours: dict[str, str],
) -> Table:
    """Return the table of patches a second.

    Parameters
    ----------
    entries : dict of str to (class, tuple)
        The contenders and what they are made from.
    method : {"train", "predict"}
    n_batches, batch_size : int
        Patches in a turn.
    n_rounds : int
    limit_s : float
        Seconds that a turn should take at most.
    ours : dict of str to str
        Headings of the columns of ratios, and the contender whose speed is divided by
        those of all others.
    """
    timed = {name: (Timed, (make, *args)) for name, (make, args) in entries.items()}
    n_patches = n_batches * batch_size
    with Contest(method, timed) as contest:
        contest.each("prepare", *many_patches(n_patches, 96))
        contest.each("seconds", method, batch_size)
        a_batch = contest.each("seconds", method, batch_size)
        n_each = {
            name: batch_size * min(n_batches, max(1, int(limit_s / seconds)))
            for name, seconds in a_batch.items()
        }
        seconds = contest.rounds(
            n_rounds, "seconds", lambda name: (method, n_each[name])
        )
        notes = contest.each("note", method)
        megabytes = contest.peak_megabytes()
    speeds = {
        name: [n_each[name] / s for s in seconds[name]] if name in notes else []
        for name in contest.names
    }
    table = Table(["", "patches/s", "lowest to highest", *ours, "peak MB"])
    for name in contest.names:
        if name in contest.errors:
            table.fail(name, contest.errors[name])
            continue
        speed = median(speeds[name])
        note = notes[name]
        if n_each[name] < n_patches:
            fewer = f"slow, so only {n_each[name]} patches a turn"
            note = f"{note}; {fewer}" if note else fewer
        ratios = [median(speeds[our]) / speed for our in ours.values()]
        table.add(
            name, speed, spread(speeds[name]), *ratios, megabytes[name], note=note
        )
    return table
