"""Checked patches with their labels and weights."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Self

import numpy as np
from scipy.special import expit, logsumexp, softmax
from sklearn.utils import compute_class_weight

from skhisto._data.checks import (
    check_labels,
    check_sample_weight,
)
from skhisto.patches._definition import Patches
from skhisto.patches._patch_array import check_groups


@dataclass(frozen=True)
class Samples:
    """Patches with labels and weights, for training or validation.

    Attributes
    ----------
    X : ndarray or PatchArray of shape (n_all, height, width, channels)
        All patches. They are indexed when needed, and never copied.
    rows : ndarray of shape (n,), int
        Rows of X that belong to these samples.
    y : ndarray of shape (n,)
        Labels.
    classes : ndarray of shape (n_classes,)
        Labels of all classes, sorted.
    sample_weight : ndarray of shape (n,) or None
        The argument `sample_weight` of the user.
    weight : ndarray of shape (n,), float64
        Weights of the rows in the loss, including class weights.
    groups : ndarray of shape (n,) or None
        Group of each row, such as its slide.
    """

    X: Patches
    rows: np.ndarray
    y: np.ndarray
    classes: np.ndarray
    sample_weight: np.ndarray | None
    weight: np.ndarray
    groups: np.ndarray | None

    @classmethod
    def from_arrays(
        cls,
        X: Patches,
        y: Any,
        *,
        classes: np.ndarray | None = None,
        sample_weight: Any = None,
        groups: Any = None,
    ) -> Self:
        """Check the labels, weights and groups of checked patches.

        `classes` are the labels of a previous fit. None takes them from y.
        """
        y = check_labels(y, len(X))
        if classes is None:
            classes = np.unique(y)
        unknown = np.setdiff1d(y, classes)
        if len(unknown):
            raise ValueError(
                f"y contains labels that are not in the classes {classes}: "
                f"{unknown[:10]}."
            )
        sample_weight = check_sample_weight(sample_weight, y)
        weight = np.ones(len(y)) if sample_weight is None else sample_weight
        groups = check_groups(groups, len(X))
        samples = cls(X, np.arange(len(X)), y, classes, sample_weight, weight, groups)
        return samples.without_zero_weights()

    def __len__(self) -> int:
        return len(self.y)

    def __getitem__(self, positions: np.ndarray) -> Self:
        return replace(
            self,
            rows=self.rows[positions],
            y=self.y[positions],
            sample_weight=_take(self.sample_weight, positions),
            weight=self.weight[positions],
            groups=_take(self.groups, positions),
        )

    @property
    def patches(self) -> Patches:
        """The patches of these samples. A copy, unless they are all rows of X."""
        is_all = np.array_equal(self.rows, np.arange(len(self.X)))
        return self.X if is_all else self.X[self.rows]

    @property
    def target(self) -> np.ndarray:
        """Index of each label in the classes, int of shape (n,)."""
        return np.searchsorted(self.classes, self.y)

    @property
    def callback_data(self) -> dict[str, Any]:
        """The training data that scikit-learn passes to its callbacks."""
        # The groups are left out, because scorers receive this metadata and do not
        # accept groups.
        metadata = None
        if self.sample_weight is not None:
            metadata = {"sample_weight": self.sample_weight}
        # A callable, so that X is indexed only if a callback needs the patches.
        return {"X": lambda: self.patches, "y": self.y, "metadata": metadata}

    def without_zero_weights(self) -> Self:
        """Return the rows whose weight is not zero."""
        if not self.weight.any():
            raise ValueError(
                "All samples have weight zero. Training needs at least one sample with "
                "a positive weight."
            )
        return self if self.weight.all() else self[np.flatnonzero(self.weight)]

    def class_weight(self, class_weight: Any) -> np.ndarray:
        """Convert the parameter `class_weight` to one weight for each class."""
        weights = np.ones(len(self.classes))
        if isinstance(class_weight, Mapping):
            return _class_weight_from_dict(class_weight, self.classes)
        present = np.unique(self.target)
        weights[present] = compute_class_weight(
            class_weight,
            classes=self.classes[present],
            y=self.y,
            sample_weight=self.weight,
        )
        return weights

    def weighted(self, class_weight: np.ndarray) -> Self:
        """Multiply the weights by the class weights, and drop rows of weight zero."""
        weight = self.weight * class_weight[self.target]
        return replace(self, weight=weight).without_zero_weights()

    def with_mean_weight_one(self) -> Self:
        """Scale the weights to a mean of one, so that only their ratios matter."""
        return replace(self, weight=self.weight / self.weight.mean())

    def loss_and_accuracy(self, logits: np.ndarray) -> tuple[float, float]:
        """Return the weighted mean cross-entropy and the accuracy of logits."""
        logits = with_both_classes(logits).astype(np.float64)
        rows = np.arange(len(self))
        losses = logsumexp(logits, axis=1) - logits[rows, self.target]
        hits = logits.argmax(axis=1) == self.target
        return (
            float(np.average(losses, weights=self.weight)),
            float(np.average(hits, weights=self.weight)),
        )


def _class_weight_from_dict(
    class_weight: Mapping[Any, float], classes: np.ndarray
) -> np.ndarray:
    known = classes.tolist()
    unknown = [label for label in class_weight if label not in known]
    # As in compute_class_weight, additional labels are accepted if every class of y has
    # a weight: a fold may lack a class. Otherwise they are probably of another type.
    if unknown and not set(known) <= set(class_weight):
        raise ValueError(
            f"class_weight contains the labels {unknown}, which are not in the classes "
            f"{known} of y."
        )
    for label, weight in class_weight.items():
        if not isinstance(weight, Real) or not 0 <= weight < np.inf:
            raise ValueError(
                "class_weight must contain finite, non-negative numbers, but the "
                f"weight of {label!r} is {weight!r}."
            )
    return np.array([float(class_weight.get(label, 1)) for label in known])


def _take(values: np.ndarray | None, positions: np.ndarray) -> np.ndarray | None:
    return None if values is None else values[positions]


def probabilities_of(logits: np.ndarray) -> np.ndarray:
    """Convert logits to probabilities, float64 of shape (n, n_classes)."""
    logits = logits.astype(np.float64)
    if logits.shape[1] == 1:
        return expit(np.hstack([-logits, logits]))
    return softmax(logits, axis=1)


def with_both_classes(logits: np.ndarray) -> np.ndarray:
    """Return one column of logits for each class. For two classes, the first is 0."""
    if logits.shape[1] > 1:
        return logits
    return np.hstack([np.zeros_like(logits), logits])
