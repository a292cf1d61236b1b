"""Choice of the reader that opens a slide."""

import os
from typing import Any

import numpy as np

from skhisto.slides._array_reader import ArrayReader
from skhisto.slides._openslide_reader import (
    OpenSlideReader,
    UnrecognisedSlideError,
    is_openslide_installed,
)
from skhisto.slides._pillow_reader import PillowReader
from skhisto.slides._reader import Reader

ENGINES = ("auto", "openslide", "pillow")


def open_reader(source: Any, engine: str) -> Reader:
    """Return a reader for a file or an array.

    Raises
    ------
    TypeError
        If `source` is neither a path nor an array.
    ValueError
        If `engine` is unknown, or if the slide cannot be read.
    """
    if engine not in ENGINES:
        raise ValueError(f"engine must be one of {list(ENGINES)}, got {engine!r}.")
    if isinstance(source, np.ndarray):
        return ArrayReader(source)
    if not isinstance(source, str | os.PathLike):
        raise TypeError(
            "A slide must be a path or a uint8 array of shape (height, width, 3), got "
            f"{type(source).__name__}."
        )
    path = os.fspath(source)
    if engine == "pillow":
        return PillowReader(path)
    if engine == "openslide":
        return OpenSlideReader(path)
    return _open_with_any(path)


def _open_with_any(path: str) -> Reader:
    """Open a file with OpenSlide if possible, otherwise with Pillow."""
    if not is_openslide_installed():
        return _open_without_openslide(path)
    try:
        return OpenSlideReader(path)
    except UnrecognisedSlideError:
        return PillowReader(path)
    except ValueError as error:
        try:
            return PillowReader(path)
        except ValueError:
            raise error from None


def _open_without_openslide(path: str) -> Reader:
    try:
        return PillowReader(path)
    except ValueError as error:
        raise ValueError(
            f"{error} OpenSlide supports more formats but is not installed. Install it "
            'with: pip install "skhisto[slides]"'
        ) from error
