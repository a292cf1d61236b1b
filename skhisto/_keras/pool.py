"""Compiled networks, kept for the next fit that needs the same graph.

Tracing a network costs seconds and memory that TensorFlow never gives back, so a
network that has done its work is kept and lent again. Keys describe the content of a
network. A network is lent to one borrower at a time, who sets all of its variables. It
returns to the pool only if the borrower succeeded: nobody knows what an exception, or
the code that raised it, has left behind.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class NetworkPool:
    """Idle networks by key, of which the least recently used are dropped.

    Parameters
    ----------
    max_idle : int
        Maximum number of idle networks.
    """

    def __init__(self, max_idle: int) -> None:
        self._max_idle = max_idle
        self._idle: list[tuple[Any, Any]] = []
        self._lock = threading.Lock()

    @contextmanager
    def borrow(self, key: Any, make: Callable[[], Any]) -> Iterator[Any]:
        """Lend an idle network of this key, or a new one from ``make()``."""
        network = self._take(key)
        if network is None:
            network = make()
        yield network
        # Not reached after an exception.
        with self._lock:
            self._idle.append((key, network))
            del self._idle[: -self._max_idle]

    def _take(self, key: Any) -> Any:
        with self._lock:
            for position in reversed(range(len(self._idle))):
                if self._idle[position][0] == key:
                    return self._idle.pop(position)[1]
        return None


POOL = NetworkPool(max_idle=8)
