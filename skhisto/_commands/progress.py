"""Progress of a map, on stderr."""

import sys
import time


class Progress:
    """Progress of tiles: a single line on a terminal, otherwise one line per tile.

    Parameters
    ----------
    name : str
        Name of the slide.
    n_tiles : int
        Number of tiles of the map.
    n_done : int
        Number of tiles that an earlier run has finished.
    """

    def __init__(self, name: str, n_tiles: int, n_done: int) -> None:
        self._name = name
        self._n_tiles = n_tiles
        self._n_before = self._n_done = n_done
        self._start = time.monotonic()
        if n_done:
            say(f"{name}: {n_done} of {n_tiles} tiles were done in an earlier run")

    def advance(self) -> None:
        """Report another finished tile."""
        self._n_done += 1
        n_now = self._n_done - self._n_before
        n_left = self._n_tiles - self._n_done
        seconds = (time.monotonic() - self._start) / n_now * n_left
        line = f"{self._name}: {self._n_done} of {self._n_tiles} tiles done"
        if n_left:
            line += f", about {_duration(seconds)} left"
        say(line, end="" if n_left and sys.stderr.isatty() else "\n")


def say(message: str, end: str = "\n") -> None:
    """Print a line to stderr immediately. On a terminal, replace an unfinished line."""
    start = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{start}{message}", end=end, file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min" if minutes else f"{seconds} s"
