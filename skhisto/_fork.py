"""Detect processes that were forked after TensorFlow was used.

After a fork, only the calling thread continues in the child process. TensorFlow's
threads do not exist there, and the next operation waits for them forever. TensorFlow
starts its threads with the first operation. Importing it before a fork is harmless.
"""

import os
import sys

_forked_from_user_of_tensorflow = False


def check_not_forked() -> None:
    """Raise a RuntimeError in a process in which TensorFlow would hang."""
    if _forked_from_user_of_tensorflow:
        raise RuntimeError(
            "This process was forked from a process that had already used TensorFlow. "
            "TensorFlow would wait forever for threads that do not exist here. Start "
            "processes with multiprocessing.get_context('spawn'), use joblib's default "
            "backend 'loky', or use threads."
        )


def watch_forks() -> None:
    """Check in each child process that is forked whether TensorFlow was used."""
    if hasattr(os, "register_at_fork"):  # not available on Windows
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    global _forked_from_user_of_tensorflow
    # Looked up instead of imported: if the parent process has not imported TensorFlow,
    # it has not used it either.
    module = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(module, "_context", None)
    if getattr(context, "_initialized", False):
        _forked_from_user_of_tensorflow = True
