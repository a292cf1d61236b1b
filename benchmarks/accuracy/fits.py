"""Which fits the scores are made of."""

from collections.abc import Iterator
from itertools import combinations

from benchmarks.accuracy.recipes import LEARNING_CURVES, RECIPES, RECOMMENDED
from benchmarks.accuracy.records import Fit

FOLDS = (0, 1, 2, 3)
SIZES = (100, 300, 600, 1200)


def all_fits() -> list[Fit]:
    """Return all fits, in the order of how much they matter."""
    fits = [fit for seed in range(3) for fit in _outer_fits(seed)]
    return [*fits, *_inner_fits(), *_smaller_fits()]


def _outer_fits(seed: int) -> Iterator[Fit]:
    for name, recipe in RECIPES.items():
        if seed < recipe.n_seeds:
            yield from (Fit(name, seed, (fold,)) for fold in FOLDS)


def _inner_fits() -> Iterator[Fit]:
    """Yield the fits of nested cross-validation, each of which serves two folds.

    Where one fold is held out, and the others are for cross-validation by fold, the
    network that predicts a second fold is trained on the other two. It is the same one
    with the folds the other way round.
    """
    yield from (Fit(RECOMMENDED, 0, pair) for pair in combinations(FOLDS, 2))


def _smaller_fits() -> Iterator[Fit]:
    for name in LEARNING_CURVES:
        yield from (Fit(name, 0, (fold,), size) for size in SIZES for fold in FOLDS)
