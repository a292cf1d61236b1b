"""Whether this process was forked from one in which TensorFlow was in use.

Only the thread that calls `fork` continues in the child. TensorFlow's own threads are
gone, and its next operation waits for them forever. TensorFlow starts its threads with
its first operation: importing it does no harm.
"""

import os
import sys

_forked_from_user_of_tensorflow = False


def check_not_forked() -> None:
    """Raise a RuntimeError in a process in which TensorFlow would hang."""
    if _forked_from_user_of_tensorflow:
        raise RuntimeError(
            "This process was forked from a process that had already used TensorFlow. "
            "Here, TensorFlow would wait forever for threads that do not exist. Start "
            "processes with multiprocessing.get_context('spawn'), or use joblib's "
            "default backend 'loky', or threads."
        )


def watch_forks() -> None:
    """Have processes that are forked from this one find out about TensorFlow."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=_after_fork)


def _after_fork() -> None:
    global _forked_from_user_of_tensorflow
    # Looked up and not imported: if the parent has not imported TensorFlow, it has not
    # used it either.
    module = sys.modules.get("tensorflow.python.eager.context")
    context = getattr(module, "_context", None)
    if getattr(context, "_initialized", False):
        _forked_from_user_of_tensorflow = True
