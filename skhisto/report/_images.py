"""Reading of images in small batches, from arrays or files of any size."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from skhisto.patches._definition import as_patches, with_channel_axis
from skhisto.patches._image_files import read_image
from skhisto.patches._pixel_formats import PIXEL_FORMATS
from skhisto.patches._transformed import chunks

_FILES_PER_BATCH = 16  # 50 MB for images of 1000x1000 pixels


class Batch(NamedTuple):
    """Some images of a data set."""

    rows: np.ndarray
    """Their positions in the data set."""

    images: np.ndarray
    """Pixels of shape (n, height, width, channels)."""


class Unreadable(NamedTuple):
    """A file that is not a supported image."""

    row: int
    reason: str


def is_paths(X: Any) -> bool:
    """Return whether X is a sequence of file names."""
    if not isinstance(X, list | tuple | np.ndarray | pd.Series | pd.Index):
        return False
    if len(X) == 0 or np.ndim(X) != 1:
        return False
    return all(isinstance(item, str | os.PathLike) for item in X)


def batches_of(X: Any) -> Iterator[Batch | Unreadable]:
    """Yield all images of a data set. A thread reads one batch ahead.

    Parameters
    ----------
    X : array-like, PatchArray or sequence of paths
        Patches, or names of image files of any sizes and modes.

    Raises
    ------
    TypeError
        If X is a data set, a loader, an iterator or a mapping.
    ValueError
        If X is not a valid stack of patches.
    FileNotFoundError
        If a file does not exist.
    """
    reading = _from_files(list(X)) if is_paths(X) else _from_patches(X)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, reading, None)
        while (batch := coming.result()) is not None:
            coming = pool.submit(next, reading, None)
            yield batch


def read_any_mode(path: str | os.PathLike[str]) -> np.ndarray:
    """Read an image file of any supported mode.

    Raises
    ------
    ValueError
        If all modes fail. The message is the one for 8-bit RGB.
    """
    first_error: ValueError | None = None
    for mode in PIXEL_FORMATS:
        try:
            return read_image(path, mode)
        except ValueError as error:
            first_error = first_error or error
    assert first_error is not None
    raise first_error


def rgb_pictures(paths: list[Any], size: tuple[int, int]) -> np.ndarray:
    """Return images of any mode as 8-bit RGB of one size (height, width) for display.

    Grey is repeated, an alpha channel is dropped, and 16 bits are reduced to 8.
    """
    pictures = np.empty((len(paths), *size, 3), np.uint8)
    for picture, path in zip(pictures, paths, strict=True):
        image = read_any_mode(path)
        if image.dtype == np.uint16:
            image = (image // 257).astype(np.uint8)
        rgb = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image[..., :3]
        picture[:] = np.asarray(Image.fromarray(rgb).resize(size[::-1]))
    return pictures


def _from_patches(X: Any) -> Iterator[Batch]:
    patches = with_channel_axis(as_patches(X))
    for part in chunks(patches):
        rows = np.arange(len(patches))[part]
        yield Batch(rows, np.asarray(patches[part]))


def _from_files(paths: list[Any]) -> Iterator[Batch | Unreadable]:
    for start in range(0, len(paths), _FILES_PER_BATCH):
        alike: dict[Any, list[tuple[int, np.ndarray]]] = {}
        for row, path in enumerate(paths[start : start + _FILES_PER_BATCH], start):
            try:
                image = read_any_mode(path)
            except ValueError as error:
                yield Unreadable(row, str(error))
            else:
                alike.setdefault((image.shape, image.dtype), []).append((row, image))
        for found in alike.values():
            rows, images = zip(*found, strict=True)
            yield Batch(np.array(rows), np.stack(images))
