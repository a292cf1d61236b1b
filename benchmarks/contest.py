"""Contenders that take turns.

Each contender has its own worker, and one works at a time. The order is reversed in
every other round, so that a slow phase of the machine affects all contenders. A
contender that fails is removed, and the others continue.
"""

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from benchmarks.memory import peak_megabytes_of_tree, shared_megabytes_of_tree
from benchmarks.table import Cell, Table
from benchmarks.worker import Worker, WorkerError

# Threads of OpenMP spin for a while after their work.
PAUSE_S = 0.3

Entry = tuple[Callable[..., Any], tuple[Any, ...]]


def seconds(call: Callable[..., Any], *arguments: Any, **parameters: Any) -> float:
    """Return the time of a call."""
    start = time.perf_counter()
    call(*arguments, **parameters)
    return time.perf_counter() - start


def alone(topic: str, entry: Entry, *calls: tuple[Any, ...]) -> tuple[list[Any], float]:
    """Call methods of a single contender.

    Parameters
    ----------
    topic : str
        For messages on progress.
    entry : (callable, tuple)
    *calls : tuple
        The name of a method and its arguments.

    Returns
    -------
    answers : list
    megabytes : float
        Peak memory.

    Raises
    ------
    WorkerError
        If the contender cannot be made, or a method fails.
    """
    with Contest(topic, {topic: entry}) as contest:
        answers = [contest.each(*call).get(topic) for call in calls]
        megabytes = contest.peak_megabytes()
    if topic in contest.errors:
        raise WorkerError(contest.errors[topic])
    return answers, megabytes[topic]


class Contest:
    """Contenders by name.

    Parameters
    ----------
    topic : str
        What is measured, for messages on progress.
    entries : dict of str to (callable, tuple)
        For each contender, a callable that makes it in its worker, and the arguments.

    Attributes
    ----------
    errors : dict of str to str
        Errors of the contenders that failed, in one line.
    """

    def __init__(self, topic: str, entries: Mapping[str, Entry]) -> None:
        self.topic = topic
        self.names = list(entries)
        self.errors: dict[str, str] = {}
        self._entries = entries
        self._workers: dict[str, Worker] = {}

    def __enter__(self) -> Self:
        for name, (make, arguments) in self._entries.items():
            self._report(f"start {name}")
            self._try(name, lambda m=make, a=arguments: Worker(m, *a), self._workers)
        return self

    def __exit__(self, *exception: object) -> None:
        for worker in self._workers.values():
            worker.stop()

    def each(self, method: str, *arguments: Any) -> dict[str, Any]:
        """Call a method of every contender once and return the answers by name."""
        return self._turn(method, lambda name: arguments, list(self._workers))

    def rounds(
        self,
        n_rounds: int,
        method: str,
        arguments: Callable[[str], Iterable[Any]] = lambda name: (),
    ) -> dict[str, list[Any]]:
        """Call a method in rounds and return lists of answers by name."""
        answers: dict[str, list[Any]] = {name: [] for name in self.names}
        for number in range(n_rounds):
            self._report(f"round {number + 1} of {n_rounds}")
            order = list(self._workers)
            for name, answer in self._turn(
                method, arguments, order[:: -1 if number % 2 else 1]
            ).items():
                answers[name].append(answer)
        return answers

    def peak_megabytes(self) -> dict[str, float]:
        """Return the peak memory of each contender and its child processes."""
        return {n: peak_megabytes_of_tree(w.pid) for n, w in self._workers.items()}

    def shared_megabytes(self) -> dict[str, float]:
        """Return the memory that several processes of a contender share."""
        return {n: shared_megabytes_of_tree(w.pid) for n, w in self._workers.items()}

    def fill(
        self,
        table: Table,
        row: Callable[[str], Sequence[Cell]],
        notes: Mapping[str, str] | None = None,
    ) -> Table:
        """Add a row for each contender, or its error, and return the table.

        Parameters
        ----------
        table : Table
        row : callable
            Returns the cells of a contender that follow its name.
        notes : dict of str to str or None
        """
        for name in self.names:
            if name in self.errors:
                table.fail(name, self.errors[name])
            else:
                table.add(name, *row(name), note=(notes or {}).get(name, ""))
        return table

    def _turn(
        self, method: str, arguments: Callable[[str], Iterable[Any]], order: list[str]
    ) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        for name in order:
            worker = self._workers[name]
            self._report(f"{method} {name}")
            self._try(
                name,
                lambda w=worker, n=name: w.call(method, *arguments(n)),
                answers,
            )
            time.sleep(PAUSE_S)
        return answers

    def _try(self, name: str, work: Callable[[], Any], results: dict[str, Any]) -> None:
        try:
            results[name] = work()
        except WorkerError as error:
            self.errors[name] = str(error)
            self._report(f"{name} failed: {error}")
            if worker := self._workers.pop(name, None):
                worker.stop()

    def _report(self, message: str) -> None:
        print(f"[{self.topic}] {message}", file=sys.stderr, flush=True)
