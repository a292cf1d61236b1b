"""Write files atomically."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[str]:
    """Yield a temporary path, and rename its file to `path` if no error is raised.

    Parameters
    ----------
    path : str or path-like
        The file to write. An existing file is replaced.

    Yields
    ------
    temporary : str
        A path in the same folder, with the same suffix.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError
        If `path` is a folder.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(
            f"'{path}' is a folder. Pass the name of the file to write."
        )
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(
            f"The folder '{folder}' does not exist. Create it, or choose another one."
        )
    stem, suffix = os.path.splitext(name)
    # The tempfile module would create a file that only its owner can read.
    temporary = os.path.join(folder, f".{stem}.{uuid.uuid4().hex}{suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
