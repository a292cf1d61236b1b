"""Cache of open files and decoded pixels with a limited size."""

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple


class _Kept(NamedTuple):
    item: Any
    weight: int


class LRU:
    """A cache of the most recently used objects, up to a total weight.

    It is thread-safe. A forked process starts with an empty cache, because processes
    must not share the position in an open file.

    Parameters
    ----------
    limit : int
        Maximum total weight. The newest object is always kept, so that an object above
        the limit is not created again for each use.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        # Objects of the parent process. Deleting them would close its files.
        self._inherited: list[OrderedDict[Hashable, _Kept]] = []
        self._start()
        if hasattr(os, "register_at_fork"):  # not available on Windows
            os.register_at_fork(after_in_child=self._after_fork)

    def get(
        self,
        key: Hashable,
        make: Callable[[], Any],
        weigh: Callable[[Any], int] = lambda item: 1,
    ) -> Any:
        """Return the object of a key. Create it if it is missing."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key].item
        # Objects are created without the lock, so that threads decode in parallel. Two
        # threads may create the same object.
        item = make()
        self._keep(key, item, weigh(item))
        return item

    def forget(self, key: Hashable) -> None:
        """Remove the object of a key if it exists."""
        with self._lock:
            self._drop(key)

    @property
    def weight(self) -> int:
        """Total weight of the objects."""
        return self._weight

    def _keep(self, key: Hashable, item: Any, weight: int) -> None:
        with self._lock:
            self._drop(key)
            self._kept[key] = _Kept(item, weight)
            self._weight += weight
            while self._weight > self.limit and len(self._kept) > 1:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        kept = self._kept.pop(key, None)
        self._weight -= kept.weight if kept is not None else 0

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._weight = 0

    def _after_fork(self) -> None:
        self._inherited.append(self._kept)
        self._start()
