"""Split off the validation rows of early stopping."""

from collections.abc import Iterator
from itertools import product
from math import inf

import numpy as np
from sklearn.model_selection import StratifiedShuffleSplit

# With up to this many groups, all subsets are tried. With more, random ones are.
_MAX_GROUPS_EXHAUSTIVE = 12
_N_RANDOM_SUBSETS = 200


def validation_split(
    target: np.ndarray,
    groups: np.ndarray | None,
    fraction: float,
    random_state: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Split rows into training and validation rows.

    Without groups, the split is random and stratified by class. With groups, whole
    groups are held out, and every class is on both sides. The chosen groups are those
    whose total size is closest to the fraction:

    - With up to 12 groups, all subsets are compared.
    - With more groups, 200 random subsets are compared.

    Parameters
    ----------
    target : ndarray of shape (n,), int
        Class numbers.
    groups : ndarray of shape (n,) or None
    fraction : float
        Fraction of the rows to hold out, in (0, 1).
    random_state : int

    Returns
    -------
    train, validation : ndarray of int
        Sorted row numbers.

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
            f"early_stopping cannot hold out validation_fraction={fraction} of "
            f"{len(target)} samples with every class on both sides: {error} Pass more "
            "samples, change validation_fraction, or pass X_val and y_val."
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
            f"early_stopping cannot hold out whole groups of the {len(names)} groups "
            "with every class on both sides. Pass more groups, or pass X_val and "
            "y_val. To hold out single patches instead, pass "
            "groups=np.arange(len(X)), which also overrides the groups of a PatchArray."
        )
    in_validation = np.isin(group, chosen)
    return np.flatnonzero(~in_validation), np.flatnonzero(in_validation)


def _subsets(
    sizes: np.ndarray, n_wanted: float, random_state: int
) -> Iterator[np.ndarray]:
    """Yield candidate subsets of groups in random order."""
    rng = np.random.default_rng(random_state)
    n_groups = len(sizes)
    if n_groups <= _MAX_GROUPS_EXHAUSTIVE:
        membership = np.array(list(product((False, True), repeat=n_groups)))
        yield from map(np.flatnonzero, rng.permutation(membership))
        return
    # From each random order, take the first groups up to the size closest to the goal.
    for _ in range(_N_RANDOM_SUBSETS):
        order = rng.permutation(n_groups)
        filled = np.cumsum(sizes[order])
        yield order[: np.abs(filled - n_wanted).argmin() + 1]
