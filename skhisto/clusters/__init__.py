"""Searches and cross-validation on clusters."""

from collections.abc import Sequence
from typing import Any

__all__ = ["dask_backend"]


def dask_backend(
    client: Any = None,
    *,
    scatter: Sequence[Any] | None = None,
    wait_for_workers_timeout: float = 60.0,
) -> Any:
    """Return a backend of joblib that runs tasks on a dask cluster and never hangs.

    It differs from joblib's own backend "dask" when workers die:

    - A killed worker costs only its tasks, which another worker repeats. joblib stores
      arguments over 1 kB on a single worker. If that worker dies, all tasks with these
      arguments fail. This backend sends arguments with each task.
    - A task that keeps killing its worker is an error that names its parameters and its
      fold. By default, the fourth worker is the last, see
      ``distributed.scheduler.allowed-failures`` in dask's configuration. joblib waits
      forever.
    - Tasks that cannot be pickled, a cluster that is closed, and a cluster without
      workers are errors. joblib waits forever.
    - After an error or Ctrl-C, tasks that have not started are cancelled. Running tasks
      end on their own. ``client.restart()`` stops them at once.
    - A cluster of one worker with one thread runs the tasks. joblib runs them in the
      process of the client.

    Give estimators file names or a `skhisto.PatchArray` of files, so that no pixels are
    sent. All workers must see the files under the same names.

    Parameters
    ----------
    client : distributed.Client, default=None
        The client of the cluster. None takes the client that was created last.

    scatter : list of objects, default=None
        Large arrays that tasks receive as arguments, such as X. They are copied to all
        workers once. The same objects must be passed to the search. If all workers with
        a copy die, the search raises an error.

    wait_for_workers_timeout : float, default=60.0
        Seconds to wait while the cluster has no workers. The error that follows is a
        TimeoutError. 0 waits forever.

    Returns
    -------
    joblib.parallel.ParallelBackendBase
        The value of ``backend`` in ``joblib.parallel_config``.

    Raises
    ------
    ImportError
        If dask.distributed is not installed.
    ValueError
        If there is no client.

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
            "dask_backend needs dask.distributed. Install it with: "
            'pip install "skhisto[dask]"'
        ) from error
    from skhisto.clusters._dask_backend import DaskBackend

    return DaskBackend(
        client=client,
        scatter=scatter,
        wait_for_workers_timeout=wait_for_workers_timeout,
    )
