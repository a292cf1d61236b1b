"""Checks of the names that exports are written to."""

import os
from pathlib import Path


def check_file(path: str | os.PathLike[str], suffix: str) -> Path:
    """Return the path of a file that can be written.

    Raises
    ------
    ValueError
        If the name has another ending.
    FileNotFoundError
        If its folder does not exist.
    """
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(
            f"The name of the file must end with '{suffix}'; got '{path}'."
        )
    check_folder_of(path)
    return path


def check_folder_of(path: Path) -> None:
    """Raise a FileNotFoundError unless the folder of a file exists."""
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"The folder '{path.parent}' to write to does not exist."
        )
