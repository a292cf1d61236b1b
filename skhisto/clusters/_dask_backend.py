"""A joblib backend for dask.distributed that reports every failure.

It is a subclass of joblib's own backend, which is private. The tests fail if the parts
used here change. Importing this module imports dask.distributed.
"""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import CancelledError
from functools import partial
from typing import Any, NamedTuple
from uuid import uuid4

from joblib import parallel_config
from joblib._dask import DaskDistributedBackend

_SECONDS_BETWEEN_LOOKS = 1.0

Task = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class _Job(NamedTuple):
    """A task on the cluster that has not returned yet."""

    future: Any
    callback: Callable[[Any], None]
    task: Task
    number: int
    is_repeated: bool


class DaskBackend(DaskDistributedBackend):
    """A joblib backend that sends each task as one dask task.

    Parameters
    ----------
    client : distributed.Client or None
    scatter : list of objects or None
    wait_for_workers_timeout : float
        Seconds to wait for workers, at the start and after the last worker is lost.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # In a worker, the client of the worker is used.
        return (DaskBackend, ())

    def get_nested_backend(self) -> tuple[Any, int]:
        """Return the backend of parallel calls inside a task."""
        return DaskBackend(client=self.client), -1

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return the number of threads of all workers, but not 1.

        With one job, joblib runs the tasks in this process and not on the cluster.
        """
        return max(2, super().effective_n_jobs(n_jobs))

    def compute_batch_size(self) -> int:
        """Return 1, so that a task that kills its worker costs no other task."""
        return 1

    def start_call(self) -> None:
        """Begin a call of ``joblib.Parallel``."""
        self._call = uuid4().hex
        self._jobs: dict[str, _Job] = {}
        self._n_submitted = 0
        self._workers_are_missing = False
        if self.wait_for_workers_timeout:
            self.client.loop.add_callback(self._watch_workers, self._call)

    def stop_call(self) -> None:
        """End the call."""
        self._call = ""

    def submit(self, func: Any, callback: Callable[[Any], None]) -> Any:
        """Send a task. The callback gets a function that returns its result."""
        (task,) = func.items
        self._n_submitted += 1
        return self._send(task, callback, self._n_submitted)

    def _send(
        self,
        task: Task,
        callback: Callable[[Any], None],
        number: int,
        is_repeated: bool = False,
    ) -> Any | None:
        function, args, kwargs = task
        key = f"{getattr(function, '__name__', 'task')}-{uuid4().hex}"
        try:
            future = self.client.submit(
                _run,
                function,
                [self._sent(value) for value in args],
                {name: self._sent(value) for name, value in kwargs.items()},
                key,
                self._call,
                key=key,
                **self.submit_kwargs,
            )
        except Exception as error:
            # Not raised: joblib may have called from a thread in which nobody notices.
            callback(partial(_raise, _not_sent(task, number, error)))
            return None
        self._jobs[key] = _Job(future, callback, task, number, is_repeated)
        future.add_done_callback(partial(self._finish, self._call))
        return future

    def _sent(self, value: Any) -> Any:
        return self.data_futures.get(id(value), value)

    def _finish(self, call: str, future: Any) -> None:
        """Report a finished task, or send it again. Runs in a thread of dask."""
        if call != self._call or future.key not in self._jobs:
            return  # aborted
        job = self._jobs[future.key]
        try:
            outcome = self._outcome(job)
        except Exception as error:
            outcome = partial(_raise, error)
        self._jobs.pop(future.key, None)
        if outcome is None:
            self._send(job.task, job.callback, job.number, is_repeated=True)
        else:
            job.callback(outcome)

    def _outcome(self, job: _Job) -> Callable[[], Any] | None:
        """Return a function that returns the result, or None to repeat the task."""
        from distributed import KilledWorker

        try:
            result = job.future.result()
        except KilledWorker as error:
            n_workers = error.allowed_failures + 1
            if self._n_starts(job) < n_workers and not job.is_repeated:
                return None  # it was only waiting on some of the workers
            raise RuntimeError(
                f"{n_workers} workers died while they ran "
                f"{_name(job.task, job.number)}. Often, a task needs more memory than "
                "a worker has, or a library crashes. The logs of the workers contain "
                "the reason."
            ) from error
        except CancelledError as error:
            raise self._reason(error) from error
        return lambda: result

    def _n_starts(self, job: _Job) -> int:
        events = self.client.get_events(self._call)
        return sum(started == job.future.key for _, started in events)

    def _reason(self, error: BaseException) -> Exception:
        if self._workers_are_missing:
            return TimeoutError(
                f"The cluster has had no workers for {self.wait_for_workers_timeout} "
                "seconds. Start workers, or pass a larger wait_for_workers_timeout."
            )
        return RuntimeError(
            f"The cluster cancelled tasks of this call: {error} Tasks are cancelled if "
            "the scheduler or its client is closed or restarted, or if scattered data "
            "is lost with its workers."
        )

    def retrieve_result_callback(self, out: Callable[[], Any]) -> Any:
        """Return the result of a task, or raise its error."""
        return out()

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Cancel the tasks of this call that have not started."""
        futures = [job.future for job in self._jobs.values()]
        self._jobs.clear()
        if futures and self.client.status == "running":
            self.client.cancel(futures, force=True)

    async def _watch_workers(self, call: str) -> None:
        """Cancel all tasks after the cluster has had no workers for too long."""
        last_seen = time.monotonic()
        while call == self._call and self.client.status == "running":
            if await self.client.ncores():
                last_seen = time.monotonic()
            elif time.monotonic() - last_seen > self.wait_for_workers_timeout:
                self._workers_are_missing = True
                futures = [job.future for job in list(self._jobs.values())]
                await self.client.cancel(futures, force=True)
                return
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)


def _run(
    function: Callable[..., Any],
    args: list[Any],
    kwargs: dict[str, Any],
    key: str,
    topic: str,
) -> list[Any]:
    """Run a task in a worker.

    When a worker dies, dask suspects all tasks that were assigned to it. Only a task
    that was running has reported its start.
    """
    from distributed import get_client

    client = get_client()
    client.log_event(topic, key)
    with parallel_config(backend=DaskBackend(client=client)):
        return [function(*args, **kwargs)]


def _raise(error: Exception) -> None:
    raise error


def _not_sent(task: Task, number: int, error: Exception) -> Exception:
    failure = TypeError(
        f"{_name(task, number)} could not be sent to a worker: "
        f"{error.__cause__ or error}. Its function and arguments must survive pickle."
    )
    failure.__cause__ = error
    return failure


def _name(task: Task, number: int) -> str:
    """Describe a task. Fits of scikit-learn are described by parameters and fold."""
    function, _, kwargs = task
    name = f"task {number} ({getattr(function, '__name__', 'a function')}"
    if kwargs.get("parameters"):
        name += f", parameters {kwargs['parameters']}"
    if kwargs.get("split_progress"):
        fold, n_folds = kwargs["split_progress"]
        name += f", fold {fold + 1} of {n_folds}"
    return name + ")"
