"""Predictions of all folds, which are what is scored."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from benchmarks.accuracy.fits import FOLDS
from benchmarks.accuracy.records import Fit, Record

Records = Mapping[Fit, Record]


@dataclass(frozen=True)
class Run:
    """Each fold is predicted by a fit on the others.

    Parameters
    ----------
    recipe : str
    seed : int
    way : {"plain", "tta"}
    n_train : int or None
        Number of patches that were drawn from the other folds; None is all.
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
        """All fits that the prediction needs."""
        return [run.fit(fold) for run in self.runs for fold in FOLDS]

    def probas(self, records: Records) -> list[np.ndarray]:
        """Return the probabilities of the patches of each fold."""
        return [
            _mean([records[run.fit(fold)].proba[run.way] for run in self.runs])
            for fold in FOLDS
        ]

    def minutes(self, records: Records) -> list[float]:
        """Return the time to train all networks that predict a fold, for each fold."""
        return [
            sum(records[run.fit(fold)].minutes for run in self.runs) for fold in FOLDS
        ]


def as_logits(proba: Iterable[float]) -> np.ndarray:
    """Return logits; those of 0 and 1 in float32 are finite."""
    margin = np.finfo(np.float32).eps
    return logit(np.clip(proba, margin, 1 - margin))


def _mean(probas: list[list[float]]) -> np.ndarray:
    """Return the probability of the mean logit."""
    if len(probas) == 1:  # not clipped
        return np.array(probas[0])
    return expit(np.mean([as_logits(proba) for proba in probas], axis=0))
