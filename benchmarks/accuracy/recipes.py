"""The recipes that are compared."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmarks.accuracy.colour import colour_features
from benchmarks.accuracy.notebook import NotebookClassifier
from skhisto import PatchCNNClassifier, StainJitter, StainNormalizer


@dataclass(frozen=True)
class Recipe:
    """A pipeline, and how often it is fitted.

    Parameters
    ----------
    make : callable
        Gets a seed, gives a pipeline.
    n_seeds : int
        Number of seeds, from 0.
    """

    make: Callable[[int], Pipeline]
    n_seeds: int = 1


def _logistic_regression(seed: int) -> Pipeline:
    return make_pipeline(
        FunctionTransformer(colour_features),
        StandardScaler(),
        LogisticRegression(C=0.01, max_iter=5000),
    )


def _gradient_boosting(seed: int) -> Pipeline:
    return make_pipeline(
        FunctionTransformer(colour_features),
        HistGradientBoostingClassifier(random_state=seed),
    )


def _notebook(seed: int) -> Pipeline:
    return make_pipeline(NotebookClassifier(random_state=seed))


def _network(seed: int, **parameters: Any) -> Pipeline:
    return make_pipeline(PatchCNNClassifier(random_state=seed, **parameters))


def _normalised(seed: int, **parameters: Any) -> Pipeline:
    return make_pipeline(StainNormalizer(), *_network(seed, **parameters))


COMPACT = {
    "architecture": "compact",
    "epochs": 40,
    "learning_rate": 3e-3,
    "learning_rate_schedule": "one_cycle",
}

RECOMMENDED = "compact, D4, stain jitter"
BASELINES = ["colours, logistic regression", "colours, gradient boosting"]
LEARNING_CURVE = [*BASELINES, RECOMMENDED]

RECIPES = {
    BASELINES[0]: Recipe(_logistic_regression),
    BASELINES[1]: Recipe(_gradient_boosting),
    RECOMMENDED: Recipe(partial(_network, **COMPACT), n_seeds=3),
    "notebook: reference, stock Keras, 3 epochs": Recipe(_notebook),
    "defaults: reference, D4, stain jitter, 10 epochs": Recipe(_network),
    "compact": Recipe(partial(_network, **COMPACT, augment=None)),
    "compact, D4": Recipe(partial(_network, **COMPACT, augment="d4")),
    "compact, D4, stain jitter, Reinhard": Recipe(partial(_normalised, **COMPACT)),
}


def settings_of(name: str, seed: int) -> str:
    """Describe a recipe: a fit of other settings is none of that recipe."""
    described = f"{RECIPES[name].make(seed)!r}, {StainJitter()!r}"
    return re.sub(r" at 0x[0-9a-f]+", "", described)  # where functions are
