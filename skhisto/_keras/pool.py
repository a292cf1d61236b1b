"""A pool of compiled networks for fits that need the same graph.

Tracing a network takes seconds, and TensorFlow never releases the memory. Therefore
networks are kept and reused. Keys describe the content of a network. Each network has
one borrower at a time, who sets all of its variables. After an exception, the network
is not returned to the pool, because its state is unknown.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class NetworkPool:
    """Idle networks by key. The least recently used networks are removed first.

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
        """Lend an idle network with this key, or a new network from ``make()``."""
        network = self._take(key)
        if network is None:
            network = make()
        yield network
        # This is not reached after an exception.
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
