"""The rows that early stopping sets aside."""

from collections.abc import Iterator
from itertools import product
from math import inf

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

# Up to this many groups all subsets are looked at, above it some random ones.
_MAX_GROUPS_EXHAUSTIVE = 12
_N_RANDOM_SUBSETS = 200


def validation_split(
    target: np.ndarray,
    groups: np.ndarray | None,
    fraction: float,
    random_state: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into training and validation rows.

    Without groups the split is random and stratified. With groups, whole groups are set
    aside, with every class on both sides: of up to 12 groups those whose size is
    nearest to the fraction, of more groups the nearest of 200 random choices.

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

    n_wanted = fraction * len(target)
    best, chosen = inf, None
    for subset in _subsets(counts.sum(axis=1), n_wanted, random_state):
        aside = counts[subset].sum(axis=0)
        distance = abs(aside.sum() - n_wanted)
        complete = aside.all() and (aside < counts.sum(axis=0)).all()
        if complete and distance < best:
            best, chosen = distance, subset
    if chosen is None:
        raise ValueError(
            f"early_stopping found no way to set aside whole groups with every class "
            f"on both sides, with {len(names)} groups. Give more groups, or X_val and "
            "y_val. groups=np.arange(len(X)) sets aside single patches, also where X "
            "is a PatchArray with groups of its own."
        )
    in_validation = np.isin(group, chosen)
    return np.flatnonzero(~in_validation), np.flatnonzero(in_validation)


def _subsets(
    sizes: np.ndarray, n_wanted: float, random_state: int
) -> Iterator[np.ndarray]:
    """Yield candidate sets of groups, in random order."""
    rng = np.random.default_rng(random_state)
    n_groups = len(sizes)
    if n_groups <= _MAX_GROUPS_EXHAUSTIVE:
        membership = np.array(list(product((False, True), repeat=n_groups)))
        yield from map(np.flatnonzero, rng.permutation(membership))
        return
    # Of each random order, the first groups that come nearest to the fraction.
    for _ in range(_N_RANDOM_SUBSETS):
        order = rng.permutation(n_groups)
        filled = np.cumsum(sizes[order])
        yield order[: np.abs(filled - n_wanted).argmin() + 1]
