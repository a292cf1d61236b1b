"""Patches for measurements. Their content does not change the times."""

import functools

import numpy as np

from skhisto import make_patches


@functools.cache
def _distinct_patches(size: int) -> tuple[np.ndarray, np.ndarray]:
    return make_patches(128, size=size, random_state=0)


def many_patches(n_patches: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 patches of size x size pixels and labels 0 and 1.

    They repeat 128 generated patches.
    """
    X, y = _distinct_patches(size)
    rows = np.arange(n_patches) % len(X)
    return X[rows], y[rows]
