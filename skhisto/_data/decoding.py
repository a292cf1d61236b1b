"""Decode patches ahead of time, in the dtype that a network receives."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from skhisto._types import ValueRange
from skhisto.patches._definition import Patches

_N_AHEAD = 2

Key = TypeVar("Key")
Loaded = TypeVar("Loaded")


def prefetch(
    load: Callable[[Key], Loaded], keys: Iterable[Key]
) -> Generator[Loaded, None, None]:
    """Yield ``load(key)`` for each key in order, loaded ahead of time in a thread.

    A single thread loads, so that a source of patches is never read concurrently.
    """
    executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="skhisto-batches")
    pending: deque[Future[Loaded]] = deque()
    try:
        for key in keys:
            pending.append(executor.submit(load, key))
            if len(pending) > _N_AHEAD:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        executor.shutdown(cancel_futures=True)


def as_pixels(patches: Patches, pixel_dtype: str) -> np.ndarray:
    """Decode patches in the dtype that a network receives.

    Arrays have been checked before. Lazy patches are checked here when they are read,
    and so is whether large float64 values fit into float32.
    """
    with np.errstate(over="ignore"):
        pixels = np.asarray(patches, dtype=pixel_dtype)
    if pixel_dtype == "float32" and not np.isfinite(pixels).all():
        raise ValueError(
            "X contains NaN, infinity or numbers that are too large for float32."
        )
    return pixels


def range_of(pixels: np.ndarray) -> ValueRange | None:
    """Return the minimum and maximum of numbers that a network does not rescale."""
    if pixels.dtype.kind != "f":
        return None
    return float(pixels.min()), float(pixels.max())


def check_unit_range(value_range: ValueRange | None) -> None:
    """Raise a ValueError if numbers are outside [0, 1].

    Pretrained networks need pixels in this range.
    """
    if value_range is None:
        return
    low, high = value_range
    if low < 0 or high > 1:
        raise ValueError(
            f"X contains numbers from {low:g} to {high:g}, but a pretrained network "
            "needs pixels of dtype uint8 or uint16, or numbers in [0, 1]. Convert "
            "pixels from 0 to 255 with X.astype(np.uint8)."
        )
