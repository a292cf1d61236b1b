"""The recipes that are compared."""

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sklearn import config_context
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from benchmarks.accuracy.baselines import NotebookClassifier, colour_features
from benchmarks.accuracy.two_speeds import HeadFirst, SlowBackbone
from skhisto import (
    EfficientNetLite,
    PatchCNNClassifier,
    PatchEmbedder,
    StainJitter,
    StainNormalizer,
)
from skhisto.architectures._names import as_builder


@dataclass(frozen=True)
class Recipe:
    """A pipeline and its seeds.

    Parameters
    ----------
    make : callable
        Returns the pipeline for a seed.
    n_seeds : int
        Number of seeds. The first one is 0.
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

FINE_TUNING = {
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
    classifier: type[PatchCNNClassifier] = PatchCNNClassifier,
    **parameters: Any,
) -> Pipeline:
    architecture = EfficientNetLite(variant=variant, input_size=input_size)
    parameters = FINE_TUNING | {"epochs": epochs} | parameters
    return make_pipeline(
        classifier(architecture=architecture, random_state=seed, **parameters)
    )


def _frozen_linear(seed: int, **parameters: Any) -> Pipeline:
    head = LogisticRegression(C=0.01, max_iter=5000)
    return make_pipeline(PatchEmbedder(**parameters), StandardScaler(), head)


def _frozen_neighbours(seed: int, **parameters: Any) -> Pipeline:
    head = KNeighborsClassifier(n_neighbors=20)
    return make_pipeline(PatchEmbedder(**parameters), StandardScaler(), head)


# Parameters at these values do not change a fit.
_WITHOUT_EFFECT = re.compile(r"\b(checkpoint=None|engine='keras'|engine=None), ")

BASELINES = ["colours, logistic regression", "colours, gradient boosting"]
RECOMMENDED = "recommended: compact, 80 epochs, one cycle, D4, stain jitter"
FROZEN = "frozen, 96 pixels, D4 views, logistic regression"
FINE_TUNED = "fine-tuned: EfficientNet-Lite0 at 144 pixels, 6 epochs, D4, stain jitter"

# From colours and a notebook to the recommended recipe, step by step.
STEPS = {
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
}

PRETRAINED = {
    "frozen, 96 pixels, nearest neighbours": Recipe(_frozen_neighbours),
    "frozen, 96 pixels, logistic regression": Recipe(_frozen_linear),
    "frozen, 192 pixels, logistic regression": Recipe(
        partial(_frozen_linear, size=192)
    ),
    FROZEN: Recipe(partial(_frozen_linear, views="d4")),
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
    FINE_TUNED: Recipe(partial(_fine_tuned, input_size=144, epochs=6), n_seeds=3),
    "fine-tuned, 144 pixels, 6 epochs, after an epoch of the head": Recipe(
        partial(_fine_tuned, input_size=144, epochs=6, classifier=HeadFirst)
    ),
    "fine-tuned, 144 pixels, 6 epochs, pretrained layers at a third of the rate": (
        Recipe(partial(_fine_tuned, input_size=144, epochs=6, classifier=SlowBackbone))
    ),
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

RECIPES = STEPS | PRETRAINED
LEARNING_CURVES = [
    *BASELINES,
    RECOMMENDED,
    *(name for name in PRETRAINED if name.startswith("frozen")),
    FINE_TUNED,
]


def ways(name: str) -> list[str]:
    """Return the ways in which a recipe predicts, the best one last."""
    is_network = isinstance(RECIPES[name].make(0)[-1], PatchCNNClassifier)
    return ["plain", "tta"] if is_network else ["plain"]


def settings_of(name: str, seed: int) -> str:
    """Describe all parameters of a recipe. Fits with other settings are ignored."""
    pipeline = RECIPES[name].make(seed)
    with config_context(print_changed_only=False):  # defaults may change too
        described = [pipeline.__repr__(N_CHAR_MAX=sys.maxsize)]
        if isinstance(pipeline[-1], PatchCNNClassifier):
            parts = (StainJitter(), as_builder(pipeline[-1].architecture))
            described += map(repr, parts)
    text = " ".join(" ".join(described).split())
    text = _WITHOUT_EFFECT.sub("", text)
    return re.sub(r" at 0x[0-9a-f]+", "", text)  # addresses of functions
