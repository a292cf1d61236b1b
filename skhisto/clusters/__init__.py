"""Searches and cross-validation on compute clusters."""

from collections.abc import Sequence
from typing import Any

__all__ = ["dask_backend"]


def dask_backend(
    client: Any = None,
    *,
    scatter: Sequence[Any] | None = None,
    wait_for_workers_timeout: float = 60.0,
) -> Any:
    """Return a joblib backend that runs tasks on a dask cluster and never hangs.

    It differs from joblib's own backend "dask" in the following cases:

    - A worker is killed: another worker repeats its tasks. joblib stores arguments over
      1 kB on a single worker. If that worker dies, all tasks with these arguments fail.
      This backend sends the arguments with each task.
    - A task repeatedly kills its worker: an error names the parameters and the fold of
      the task. By default, it is raised after four workers, see
      ``distributed.scheduler.allowed-failures`` in dask's configuration. joblib waits
      forever.
    - A task cannot be pickled, or the cluster is closed or has no workers: an error is
      raised. joblib waits forever.
    - An error or Ctrl-C stops the call: tasks that have not started are cancelled.
      Running tasks continue to their end. ``client.restart()`` stops them at once.
    - The cluster has a single worker with one thread: the tasks run on it. joblib runs
      them in the process of the client.

    Pass file names or a `skhisto.PatchArray` of files to estimators, so that pixels are
    not sent over the network. All workers must see the files under the same names.

    Parameters
    ----------
    client : distributed.Client, default=None
        The client of the cluster. None uses the client that was created last.

    scatter : list of objects, default=None
        Large arguments of tasks, such as X. They are copied to all workers once. The
        same objects must be passed to the search. If all workers with a copy die, the
        search raises an error.

    wait_for_workers_timeout : float, default=60.0
        Seconds to wait for workers before a TimeoutError is raised. 0 waits forever.

    Returns
    -------
    joblib.parallel.ParallelBackendBase
        The backend, for the parameter ``backend`` of ``joblib.parallel_config``.

    Raises
    ------
    ImportError
        If dask.distributed is not installed.
    ValueError
        If `client` is None and no client exists.

    Examples
    --------
    >>> import joblib
    >>> from distributed import Client
    >>> from sklearn.dummy import DummyClassifier
    >>> from sklearn.model_selection import cross_val_score
    >>> from skhisto import make_patches
    >>> from skhisto.clusters import dask_backend
    >>> X, y = make_patches(20, size=32, random_state=0)
    >>> client = Client(
    ...     n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None
    ... )
    >>> with joblib.parallel_config(backend=dask_backend(client)):
    ...     scores = cross_val_score(DummyClassifier(), X, y)
    >>> client.close()
    >>> scores.shape
    (5,)
    """
    try:
        import distributed  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "dask_backend needs dask.distributed, which is not installed. Install it "
            'with: pip install "skhisto[dask]"'
        ) from error
    from skhisto.clusters._dask_backend import DaskBackend

    return DaskBackend(
        client=client,
        scatter=scatter,
        wait_for_workers_timeout=wait_for_workers_timeout,
    )
