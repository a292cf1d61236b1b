"""Files that are written as a whole or not at all."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file to write, which appears under its name when all is written.

    Nobody sees a part of the file, and an error leaves an existing file as it was.

    Parameters
    ----------
    path : str or path-like
        Name of the file. An existing file is replaced.

    Yields
    ------
    file : file object
        Open for bytes.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    IsADirectoryError
        If `path` is a folder.
    """
    if os.path.isdir(path):
        raise IsADirectoryError(
            f"'{os.fspath(path)}' is a folder, but the name of the file to write was "
            "expected."
        )
    path = os.path.realpath(path)
    folder = os.path.dirname(path)
    if not os.path.isdir(folder):
        raise FileNotFoundError(f"The folder '{folder}' to write to does not exist.")
    # Not tempfile: its files are readable for their owner only, also when renamed.
    temporary = f"{path}.{uuid.uuid4().hex}.tmp"
    try:
        with open(temporary, "xb") as file:
            yield file
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.remove(temporary)
        raise
