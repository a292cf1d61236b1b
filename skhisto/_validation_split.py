"""The rows that early stopping sets aside."""

from itertools import product
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

# Up to this many groups all subsets are looked at, above it as many random ones.
_MAX_GROUPS_EXHAUSTIVE = 12


def validation_split(
    target: np.ndarray,
    groups: np.ndarray | None,
    fraction: float,
    random_state: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into training and validation rows.

    Without groups the split is random and stratified. With groups, whole groups are set
    aside: those whose size is nearest to the fraction, with every class on both sides.

    Parameters
    ----------
    target : ndarray of shape (n,), int
        Class numbers.
    groups : ndarray of shape (n,) or None
    fraction : float
        Share of the rows to set aside, in (0, 1).
    random_state : int

    Returns
    -------
    train, validation : ndarrays of row numbers, sorted

    Raises
    ------
    ValueError
        If a class cannot be on both sides.
    """
    if groups is None:
        return _stratified(target, fraction, random_state)
    return _by_groups(target, groups, fraction, random_state)


def _stratified(
    target: np.ndarray, fraction: float, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    splitter = StratifiedShuffleSplit(
        n_splits=1, test_size=fraction, random_state=random_state
    )
    try:
        train, validation = next(splitter.split(target, target))
    except ValueError as error:
        raise ValueError(
            f"early_stopping cannot set aside validation_fraction={fraction} of "
            f"{len(target)} samples with every class on both sides: {error} Give more "
            "samples, another validation_fraction, or X_val and y_val."
        ) from error
    return np.sort(train), np.sort(validation)


def _by_groups(
    target: np.ndarray, groups: np.ndarray, fraction: float, random_state: int
) -> tuple[np.ndarray, np.ndarray]:
    names, group = np.unique(groups, return_inverse=True)
    counts = np.zeros((len(names), target.max() + 1), dtype=np.int64)
    np.add.at(counts, (group, target), 1)
    counts = counts[:, counts.any(axis=0)]

    rng = np.random.default_rng(random_state)
    subsets = rng.permutation(_subsets(counts.sum(axis=1), fraction, rng))
    aside = subsets @ counts
    complete = (aside > 0).all(axis=1) & (aside < counts.sum(axis=0)).all(axis=1)
    if not complete.any():
        raise ValueError(
            f"early_stopping found no way to set aside whole groups with every class "
            f"on both sides, with {len(names)} groups. Give more groups, or X_val and "
            "y_val."
        )
    distance = np.abs(aside.sum(axis=1) - fraction * len(target))
    chosen = subsets[np.where(complete, distance, np.inf).argmin()]
    in_validation = chosen[group].astype(bool)
    return np.flatnonzero(~in_validation), np.flatnonzero(in_validation)


def _subsets(
    sizes: np.ndarray, fraction: float, rng: np.random.Generator
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return candidate sets of groups as rows of zeros and ones."""
    n_groups = len(sizes)
    if n_groups <= _MAX_GROUPS_EXHAUSTIVE:
        return np.array(list(product((0, 1), repeat=n_groups)))
    # Of each random order, the first groups that come nearest to the fraction.
    subsets = np.zeros((2**_MAX_GROUPS_EXHAUSTIVE, n_groups), dtype=np.int64)
    for subset in subsets:
        order = rng.permutation(n_groups)
        filled = np.cumsum(sizes[order])
        n_first = np.abs(filled - fraction * filled[-1]).argmin() + 1
        subset[order[:n_first]] = 1
    return subsets
