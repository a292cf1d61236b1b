"""Files that are complete or absent."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[str]:
    """Give a temporary path, whose file replaces `path` if no error is raised.

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
            f"'{path}' is a folder. Give the name of the file to write."
        )
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"The folder '{folder}' to write to does not exist.")
    stem, suffix = os.path.splitext(name)
    # Files of tempfile are readable for their owner only, also after a rename.
    temporary = os.path.join(folder, f".{stem}.{uuid.uuid4().hex}{suffix}")
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.remove(temporary)
