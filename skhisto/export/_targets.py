"""Checks of the target paths of exports."""

import os
from pathlib import Path


def check_file(path: str | os.PathLike[str], suffix: str) -> Path:
    """Return the path of a file that can be written.

    Raises
    ------
    ValueError
        If the name has another suffix.
    FileNotFoundError
        If the folder does not exist.
    """
    path = Path(path)
    if path.suffix != suffix:
        raise ValueError(f"The file name must end with '{suffix}', got '{path}'.")
    check_folder_of(path)
    return path


def check_folder_of(path: Path) -> None:
    """Raise a FileNotFoundError unless the folder of a file exists."""
    if not path.parent.is_dir():
        raise FileNotFoundError(f"The target folder '{path.parent}' does not exist.")
