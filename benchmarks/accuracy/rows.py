"""The rows of the tables, and the predictions behind them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

from benchmarks.accuracy.fits import FOLDS, SIZES, Fit, Record
from benchmarks.accuracy.recipes import (
    FINE_TUNED,
    FROZEN,
    LEARNING_CURVES,
    PRETRAINED,
    RECIPES,
    RECOMMENDED,
    STEPS,
    ways,
)

Records = Mapping[Fit, Record]


@dataclass(frozen=True)
class Run:
    """Fits of a recipe that predict each fold after training on the others.

    Parameters
    ----------
    recipe : str
    seed : int
    way : {"plain", "tta"}
    n_train : int or None
        Number of patches drawn from the other folds. None is all.
    """

    recipe: str
    seed: int = 0
    way: str = "plain"
    n_train: int | None = None

    def __str__(self) -> str:
        way = "" if self.way == "plain" else f", {self.way}"
        size = "" if self.n_train is None else f", {self.n_train} patches"
        return f"{self.recipe}{way}, seed {self.seed}{size}"

    def fit(self, fold: int) -> Fit:
        """Return the fit that predicts a fold."""
        return Fit(self.recipe, self.seed, (fold,), self.n_train)


@dataclass(frozen=True)
class Prediction:
    """The prediction of a run, or the mean of several runs.

    Parameters
    ----------
    runs : tuple of Run
    """

    runs: tuple[Run, ...]

    def __str__(self) -> str:
        return " + ".join(map(str, self.runs))

    @property
    def fits(self) -> list[Fit]:
        """Return all fits that the prediction needs."""
        return [run.fit(fold) for run in self.runs for fold in FOLDS]

    def probas(self, records: Records) -> list[np.ndarray]:
        """Return the probabilities of the patches of each fold."""
        return [
            _mean([records[run.fit(fold)].proba[run.way] for run in self.runs])
            for fold in FOLDS
        ]

    def minutes(self, records: Records) -> list[float]:
        """Return the time to train all networks of each fold."""
        return [
            sum(records[run.fit(fold)].minutes for run in self.runs) for fold in FOLDS
        ]


def as_logits(proba: Iterable[float]) -> np.ndarray:
    """Return finite logits, also of 0 and 1."""
    margin = np.finfo(np.float32).eps
    return logit(np.clip(proba, margin, 1 - margin))


def _mean(probas: list[list[float]]) -> np.ndarray:
    """Return the probability of the mean logit."""
    if len(probas) == 1:  # not clipped
        return np.array(probas[0])
    return expit(np.mean([as_logits(proba) for proba in probas], axis=0))


class Row(NamedTuple):
    """A row of a table.

    Attributes
    ----------
    label : str
    predictions : list of Prediction
        One for each seed, or for each size of a training set.
    """

    label: str
    predictions: list[Prediction]


def step_rows() -> list[Row]:
    """Return the rows of recipes without pretrained networks."""
    return [row for recipe in STEPS for row in _rows_of(recipe)]


def pretrained_rows() -> list[Row]:
    """Return the rows of pretrained networks, alone and with the recommended one."""
    return [
        *(row for row in _rows_of(RECOMMENDED) if row.label.endswith("tta")),
        *(row for recipe in PRETRAINED for row in _rows_of(recipe)),
        _row_of_pairs("mean of frozen and recommended, tta", FROZEN),
        _row_of_pairs("mean of fine-tuned and recommended, tta", FINE_TUNED),
    ]


def curve_rows() -> list[Row]:
    """Return the rows of learning curves, from the smallest training set to all."""
    return [
        Row(
            _label(recipe, ways(recipe)[-1]),
            [
                Prediction((Run(recipe, 0, ways(recipe)[-1], size),))
                for size in (*SIZES, None)
            ],
        )
        for recipe in LEARNING_CURVES
    ]


def all_predictions() -> list[Prediction]:
    """Return the predictions of all rows, each once."""
    rows = [*step_rows(), *pretrained_rows(), *curve_rows()]
    return list(dict.fromkeys(p for row in rows for p in row.predictions))


def _rows_of(recipe: str) -> list[Row]:
    rows = []
    for way in ways(recipe):
        runs = [Run(recipe, seed, way) for seed in range(RECIPES[recipe].n_seeds)]
        label = _label(recipe, way)
        rows.append(Row(label, [Prediction((run,)) for run in runs]))
        if len(runs) > 1:
            mean = Prediction(tuple(runs))
            rows.append(Row(f"{label}, mean of {len(runs)} networks", [mean]))
    return rows


def _row_of_pairs(label: str, recipe: str) -> Row:
    """Return the row of means with each seed of the recommended recipe."""
    pairs = [
        Prediction(
            (
                Run(recipe, min(seed, RECIPES[recipe].n_seeds - 1), ways(recipe)[-1]),
                Run(RECOMMENDED, seed, "tta"),
            )
        )
        for seed in range(RECIPES[RECOMMENDED].n_seeds)
    ]
    return Row(label, pairs)


def _label(recipe: str, way: str) -> str:
    return recipe if way == "plain" else f"{recipe}, {way}"
