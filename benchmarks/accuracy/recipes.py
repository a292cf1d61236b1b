"""The recipes that are compared."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sklearn import config_context
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmarks.accuracy.colour import colour_features
from benchmarks.accuracy.notebook import NotebookClassifier
from skhisto import (
    EfficientNetLite,
    PatchCNNClassifier,
    StainJitter,
    StainNormalizer,
)
from skhisto.architectures._names import as_builder


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


ONE_CYCLE = {
    "architecture": "compact",
    "epochs": 40,
    "learning_rate": 3e-3,
    "learning_rate_schedule": "one_cycle",
}

FINE_TUNED = {
    "optimizer": "adamw",
    "learning_rate": 1e-3,
    "learning_rate_schedule": "one_cycle",
    "optimizer_params": {"weight_decay": 1e-2},
    "batch_size": 32,
    "precision": "auto",
}


def _fine_tuned(
    seed: int,
    *,
    variant: int = 0,
    input_size: int | None = None,
    epochs: int,
    **parameters: Any,
) -> Pipeline:
    architecture = EfficientNetLite(variant=variant, input_size=input_size)
    parameters = FINE_TUNED | {"epochs": epochs} | parameters
    return _network(seed, architecture=architecture, **parameters)


FINE_TUNING = "fine-tuned: EfficientNet-Lite0 at 144 pixels, 6 epochs, D4, stain jitter"
RECOMMENDED = "recommended: compact, 80 epochs, one cycle, D4, stain jitter"
BASELINES = ["colours, logistic regression", "colours, gradient boosting"]
LEARNING_CURVE = [*BASELINES, RECOMMENDED, FINE_TUNING]

# From the notebook to the recommended recipe, step by step.
RECIPES = {
    BASELINES[0]: Recipe(_logistic_regression),
    BASELINES[1]: Recipe(_gradient_boosting),
    "notebook: reference, stock Keras, 3 epochs": Recipe(_notebook),
    "reference, 3 epochs": Recipe(partial(_network, epochs=3, augment=None)),
    "reference, 10 epochs": Recipe(partial(_network, augment=None)),
    "defaults: reference, 10 epochs, D4, stain jitter": Recipe(_network),
    "compact, 10 epochs, D4, stain jitter": Recipe(
        partial(_network, architecture="compact")
    ),
    "compact, 40 epochs, one cycle": Recipe(
        partial(_network, **ONE_CYCLE, augment=None)
    ),
    "compact, 40 epochs, one cycle, D4": Recipe(
        partial(_network, **ONE_CYCLE, augment="d4")
    ),
    "compact, 40 epochs, one cycle, D4, stain jitter": Recipe(
        partial(_network, **ONE_CYCLE), n_seeds=2
    ),
    "compact, 40 epochs, one cycle, D4, stain jitter, Reinhard": Recipe(
        partial(_normalised, **ONE_CYCLE)
    ),
    RECOMMENDED: Recipe(partial(_network, **ONE_CYCLE | {"epochs": 80}), n_seeds=3),
    "fine-tuned, 96 pixels, 5 epochs": Recipe(partial(_fine_tuned, epochs=5)),
    "fine-tuned, 96 pixels, 10 epochs": Recipe(partial(_fine_tuned, epochs=10)),
    "fine-tuned, 96 pixels, 20 epochs": Recipe(partial(_fine_tuned, epochs=20)),
    "fine-tuned, 96 pixels, 10 epochs, without augmentation": Recipe(
        partial(_fine_tuned, epochs=10, augment=None)
    ),
    "fine-tuned, 96 pixels, 10 epochs, D4 only": Recipe(
        partial(_fine_tuned, epochs=10, augment="d4")
    ),
    "fine-tuned, 144 pixels, 3 epochs": Recipe(
        partial(_fine_tuned, input_size=144, epochs=3)
    ),
    FINE_TUNING: Recipe(partial(_fine_tuned, input_size=144, epochs=6), n_seeds=3),
    "fine-tuned, 192 pixels, 3 epochs": Recipe(
        partial(_fine_tuned, input_size=192, epochs=3)
    ),
    "fine-tuned, variant 1, 96 pixels, 10 epochs": Recipe(
        partial(_fine_tuned, variant=1, epochs=10)
    ),
    "fine-tuned, variant 2, 96 pixels, 10 epochs": Recipe(
        partial(_fine_tuned, variant=2, epochs=10)
    ),
}


def settings_of(name: str, seed: int) -> str:
    """Describe all parameters of a recipe. Fits with other settings do not count."""
    pipeline = RECIPES[name].make(seed)
    parts: list[Any] = [pipeline, StainJitter()]
    if isinstance(pipeline[-1], PatchCNNClassifier):
        parts.append(as_builder(pipeline[-1].architecture))
    with config_context(print_changed_only=False):  # defaults may change too
        described = ", ".join(map(repr, parts))
    return re.sub(r" at 0x[0-9a-f]+", "", described)  # addresses of functions
