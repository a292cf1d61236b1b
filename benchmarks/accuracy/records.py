"""Probabilities that fits gave, a line of JSON for each fit.

The file is not a part of the repository. It lets a run that was interrupted go on.
"""

import gzip
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Fit:
    """One fit of a recipe.

    Parameters
    ----------
    recipe : str
    seed : int
    held_out : tuple of int
        Folds that were not trained on.
    n_train : int or None
        Number of patches that were drawn from the others; None is all.
    """

    recipe: str
    seed: int
    held_out: tuple[int, ...]
    n_train: int | None = None


@dataclass(frozen=True)
class Record:
    """A fit and what came out of it.

    Parameters
    ----------
    fit : Fit
    settings : str
        The recipe as it was, see `recipes.settings_of`.
    commit : str
        Of the code that was run.
    date : str
        Year, month and day.
    machine : str
    n_processes : int
        How many fits at a time shared the cores of the machine.
    minutes : float
        Time to train.
    proba : dict of str to list of float
        Probabilities of the patches of the held-out folds, in the order of the data:
        "plain", and for networks "tta", averaged over the eight views of the square.
    """

    fit: Fit
    settings: str
    commit: str
    date: str
    machine: str
    n_processes: int
    minutes: float
    proba: dict[str, list[float]]


def read(file: Path) -> dict[Fit, Record]:
    """Read all records of a file, none if there is no file."""
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
