"""Suppress output of libraries that convert and save networks."""

import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

_STDERR = 2


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Discard the standard error of the process, and raise the level of loggers.

    TensorFlow's C++ code writes its messages to the file descriptor. Their level is
    read when TensorFlow is imported and cannot be changed later. Exceptions are raised
    as usual.

    Parameters
    ----------
    *loggers : str
        Names of Python loggers that write only critical messages.
    """
    with ExitStack() as stack:
        for name in loggers:
            logger = logging.getLogger(name)
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.CRITICAL)
        try:
            saved = os.dup(_STDERR)
        except OSError:  # a program without a standard error
            yield
            return
        stack.callback(os.close, saved)
        stack.callback(os.dup2, saved, _STDERR)
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), _STDERR)
        yield
