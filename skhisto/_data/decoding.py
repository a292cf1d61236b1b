"""Patches to pixels: decoded ahead, in the dtype in which a network takes them."""

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
    """Yield ``load(key)`` of all keys in order, loaded ahead of time in a thread.

    In one thread only: a source of patches is never read twice at the same time.
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
    """Decode patches, in the dtype in which they enter a network.

    Whole arrays were checked before. Only here it is known whether patches that are
    read lazily are finite, and whether finite float64 values are finite in float32.
    """
    with np.errstate(over="ignore"):
        pixels = np.asarray(patches, dtype=pixel_dtype)
    if pixel_dtype == "float32" and not np.isfinite(pixels).all():
        raise ValueError(
            "X holds NaN, infinity or numbers that are too large for float32."
        )
    return pixels


def range_of(pixels: np.ndarray) -> ValueRange | None:
    """Return minimum and maximum of numbers that a network takes as they are."""
    if pixels.dtype.kind != "f":
        return None
    return float(pixels.min()), float(pixels.max())


def check_unit_range(value_range: ValueRange | None) -> None:
    """Raise a ValueError if numbers are not in [0, 1], as pretrained networks need."""
    if value_range is None:
        return
    low, high = value_range
    if low < 0 or high > 1:
        raise ValueError(
            f"X holds numbers from {low:g} to {high:g}, but a pretrained network "
            "expects pixels: of dtype uint8 or uint16, or numbers in [0, 1]. Convert "
            "pixels from 0 to 255 with X.astype(np.uint8)."
        )
