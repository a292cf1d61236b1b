"""Fits behind the scores, and their probabilities, a line of JSON for each fit.

The file is not a part of the repository. It lets an interrupted run continue.
"""

import gzip
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.accuracy.recipes import LEARNING_CURVES, RECIPES, RECOMMENDED
from skhisto import load_patch_folder

FOLDS = (0, 1, 2, 3)
SIZES = (100, 300, 600, 1200)


class Patches(NamedTuple):
    """Patches of several slides.

    Attributes
    ----------
    X : ndarray of shape (n, 96, 96, 3), uint8
    y : ndarray of shape (n,)
        1 is tumour.
    fold : ndarray of shape (n,)
        Patches of different folds are from different slides.
    """

    X: np.ndarray
    y: np.ndarray
    fold: np.ndarray


@dataclass(frozen=True)
class Fit:
    """One fit of a recipe.

    Parameters
    ----------
    recipe : str
    seed : int
    held_out : tuple of int
        Folds that were not used for training.
    n_train : int or None
        Number of patches drawn from the other folds. None is all.
    """

    recipe: str
    seed: int
    held_out: tuple[int, ...]
    n_train: int | None = None


@dataclass(frozen=True)
class Record:
    """A fit and its result.

    Parameters
    ----------
    fit : Fit
    settings : str
        All parameters of the recipe, see `recipes.settings_of`.
    commit : str
    date : str
        Year, month and day.
    machine : str
    n_processes : int
        Number of fits that shared the cores of the machine.
    minutes : float
        Time of training.
    proba : dict of str to list of float
        Probabilities of the patches of the held-out folds, in the order of the data.
        The keys are "plain" and, for networks, "tta", the average over eight views.
    """

    fit: Fit
    settings: str
    commit: str
    date: str
    machine: str
    n_processes: int
    minutes: float
    proba: dict[str, list[float]]


def load_patches(folder: Path) -> Patches:
    """Load the patches from the folder that SKHISTO_DATA names."""
    bunch = load_patch_folder(folder / "pcam")
    return Patches(np.asarray(bunch.data), bunch.target, bunch.groups)


def read(file: Path) -> dict[Fit, Record]:
    """Read all records of a file. A missing file contains no records."""
    if not file.exists():
        return {}
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        return {record.fit: record for record in map(_parse, lines)}


def append(file: Path, record: Record) -> None:
    """Add a record to a file."""
    with gzip.open(file, "at", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(record)) + "\n")


def _parse(line: str) -> Record:
    values: dict[str, Any] = json.loads(line)
    fit = values.pop("fit")
    return Record(Fit(**fit | {"held_out": tuple(fit["held_out"])}), **values)


def all_fits() -> list[Fit]:
    """Return all fits, the most important first."""
    fits = [fit for seed in range(3) for fit in _outer_fits(seed)]
    return [*fits, *_inner_fits(), *_smaller_fits()]


def _outer_fits(seed: int) -> Iterator[Fit]:
    for name, recipe in RECIPES.items():
        if seed < recipe.n_seeds:
            yield from (Fit(name, seed, (fold,)) for fold in FOLDS)


def _inner_fits() -> Iterator[Fit]:
    """Yield the fits of nested cross-validation.

    Each of them is trained on two folds. It predicts one of the others if the other one
    is held out, and the reverse.
    """
    yield from (Fit(RECOMMENDED, 0, pair) for pair in combinations(FOLDS, 2))


def _smaller_fits() -> Iterator[Fit]:
    for name in LEARNING_CURVES:
        yield from (Fit(name, 0, (fold,), size) for size in SIZES for fold in FOLDS)
