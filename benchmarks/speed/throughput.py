"""Patches per second of contenders that take turns."""

from collections.abc import Mapping
from typing import Any

from benchmarks import contest
from benchmarks.contest import Contest, Entry
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.table import Table, median, spread

OURS = "skhisto, float32"
OURS_AUTO = 'skhisto, precision="auto"'
RATIOS = {"skhisto float32 / this": OURS, "skhisto auto / this": OURS_AUTO}
LIMIT_S = 15


class Timed:
    """A contender whose calls are timed.

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
        """Return the time of a method."""
        return contest.seconds(getattr(self._contender, method), n_patches)

    def note(self, method: str) -> str:
        """Return the remark of the contender."""
        return self._contender.note(method)


def measure_throughput(
    topic: str,
    entries: Mapping[str, Entry],
    method: str,
    options: Options,
    *,
    n_batches: int,
    ours: Mapping[str, str],
    batch_size: int = 64,
    n_rounds: int | None = None,
) -> Table:
    """Return the table of patches per second.

    Every contender warms up with one batch, which traces graphs and takes memory. A
    second batch is timed. Contenders that would need more than 15 seconds for all
    patches receive fewer of them, in whole batches.

    Parameters
    ----------
    topic : str
    entries : dict of str to (callable, tuple)
        The contenders and their arguments.
    method : {"train", "predict"}
    options : Options
    n_batches, batch_size : int
        Patches in a turn.
    ours : dict of str to str
        Headings of the columns of ratios, and the contender whose speed is divided by
        the speeds of all contenders.
    n_rounds : int or None
        None is the number of `options`.
    """
    if options.quick:
        n_batches, batch_size = 1, 16
    if n_rounds is None:
        n_rounds = options.rounds
    n_patches = n_batches * batch_size
    timed = {name: (Timed, (make, *args)) for name, (make, args) in entries.items()}
    with Contest(topic, timed) as turns:
        turns.each("prepare", *many_patches(n_patches, 96))
        turns.each("seconds", method, batch_size)
        a_batch = turns.each("seconds", method, batch_size)
        n_each = {
            name: batch_size * min(n_batches, max(1, int(LIMIT_S / seconds)))
            for name, seconds in a_batch.items()
        }
        seconds = turns.rounds(n_rounds, "seconds", lambda name: (method, n_each[name]))
        notes = turns.each("note", method)
        megabytes = turns.peak_megabytes()
    speeds = {name: [n_each[name] / s for s in seconds[name]] for name in n_each}
    for name in notes:
        if n_each[name] < n_patches:
            slow = [f"slow, therefore only {n_each[name]} patches per turn"]
            notes[name] = "; ".join([notes[name]] * bool(notes[name]) + slow)

    def row(name: str) -> list[str | float]:
        speed = median(speeds[name])
        ratios = [median(speeds.get(our, [])) / speed for our in ours.values()]
        return [speed, spread(speeds[name]), *ratios, megabytes[name]]

    table = Table(
        ["", "patches/s", "lowest to highest", *ours, "peak MB"],
        caption=f"{n_patches} patches of 96x96 RGB pixels (uint8) in batches of "
        f"{batch_size}, on all cores, after a warm-up. Medians over {n_rounds} "
        "turn(s):",
    )
    return turns.fill(table, row, notes)
