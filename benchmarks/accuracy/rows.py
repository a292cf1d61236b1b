"""The rows of the tables: which predictions are scored."""

from typing import NamedTuple

from benchmarks.accuracy.fits import SIZES
from benchmarks.accuracy.predictions import Prediction, Run
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
    """Return the rows of the recipes that begin with random weights or colours."""
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
    """Return the row of means with the recommended recipe, one for each seed of it."""
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
