"""The windows of an estimator, and the steps that process them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skhisto._classifier.patch_cnn import PatchCNNClassifier
from skhisto._data.checks import check_fitted_patches
from skhisto.embedding import PatchEmbedder
from skhisto.patches._patch_array import Window, as_height_width, center_window
from skhisto.preprocessing import CenterCrop, PatchLoader, Resize, StainNormalizer

Size = tuple[int, int]
Step = tuple[str, Any]


@dataclass(frozen=True)
class WindowUse:
    """How an estimator processes a window.

    Parameters
    ----------
    window : tuple of int (height, width)
        Size of the window in pixels.
    classifier : PatchCNNClassifier or None
        The classifier, if its input is a crop of the window.
    crop : tuple of slice (rows, columns)
        The part of the window that the classifier gets.
    reason : str
        Why `classifier` is None, as a sentence. Otherwise empty.
    """

    window: Size
    classifier: PatchCNNClassifier | None
    crop: Window
    reason: str


def use_of_windows(estimator: Any, window: int | Size | None) -> WindowUse:
    """Determine how an estimator processes a window.

    Parameters
    ----------
    estimator : estimator
        A fitted classifier of patches.
    window : int, tuple of int (height, width) or None
        Size in pixels. None uses the size that the estimator was fitted on.

    Raises
    ------
    TypeError
        If the estimator does not have `predict_proba`, or if a step of a pipeline may
        not treat every patch separately.
    NotFittedError
        If the estimator is not fitted.
    ValueError
        If the size of the windows is unknown, or if a crop is larger than the windows.
    """
    steps = list(_steps_of(estimator))
    if not hasattr(steps[-1][1], "predict_proba"):
        raise TypeError(
            "A map needs a classifier with predict_proba, or a Pipeline that ends in "
            f"one, got {estimator!r}."
        )
    _check_fitted(steps)
    on_patches, (_, receiver) = _split(steps)
    size = (
        _known_window(on_patches, receiver)
        if window is None
        else as_height_width(window)
    )
    others = [step for step in on_patches if not isinstance(step[1], CenterCrop)]
    if others:
        name, step = others[0]
        reason = f"The step {name!r} ({type(step).__name__}) changes each window."
    elif not isinstance(receiver, PatchCNNClassifier):
        reason = f"The windows are predicted by a {type(receiver).__name__}."
    else:
        crop = _crop([step for _, step in on_patches], size)
        return WindowUse(size, receiver, crop, "")
    return WindowUse(size, None, _crop([], size), reason)


def check_window(estimator: Any, use: WindowUse, n_channels: int) -> None:
    """Check that an estimator can predict its windows.

    Raises
    ------
    ValueError
        If the estimator cannot predict such windows.
    """
    shape = (*use.window, n_channels)
    try:
        if use.classifier is None:
            estimator.predict_proba(np.full((1, *shape), 255, np.uint8))
        else:
            windows = np.broadcast_to(np.uint8(255), (1, *shape))
            check_fitted_patches(use.classifier, windows[:, *use.crop])
    except ValueError as error:
        raise ValueError(
            f"The estimator cannot predict windows of shape {shape} and dtype uint8: "
            f"{error}"
        ) from error


def unwrapped(estimator: Any) -> Any:
    """Return the estimator inside a search or a FrozenEstimator."""
    while True:
        if isinstance(estimator, FrozenEstimator):
            estimator = estimator.estimator
        elif hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        else:
            return estimator


def _steps_of(estimator: Any, name: str = "") -> Iterator[Step]:
    """Yield the steps of nested pipelines, in order."""
    estimator = unwrapped(estimator)
    if not isinstance(estimator, Pipeline):
        yield name, estimator
        return
    for step_name, step in estimator.steps:
        if step is not None and not isinstance(step, str):  # "passthrough"
            yield from _steps_of(step, step_name)


def _check_fitted(steps: list[Step]) -> None:
    for _, step in steps:
        if isinstance(step, PatchCNNClassifier):
            check_is_fitted(step, "weights_")
        else:
            check_is_fitted(step)


def _split(steps: list[Step]) -> tuple[list[Step], Step]:
    """Split steps at the first one that does not return patches.

    Later steps get features, row by row.
    """
    for position, (name, step) in enumerate(steps):
        is_last = position == len(steps) - 1
        if is_last or isinstance(step, PatchEmbedder):
            return steps[:position], (name, step)
        _check_per_patch(name, step)
    raise AssertionError  # unreachable, the last step returns


def _check_per_patch(name: str, step: Any) -> None:
    if isinstance(step, StainNormalizer) and step.per_group:
        raise TypeError(
            f"The step {name!r} is a StainNormalizer with per_group=True, which needs "
            "the group of each patch. Maps need steps that treat every patch "
            "separately. Fit the step with per_group=False."
        )
    if isinstance(step, PatchLoader):
        raise TypeError(
            f"The step {name!r} is a PatchLoader, which reads patch files, but a map "
            "reads the slide itself. Pass the pipeline without this step, as in "
            "pipeline[1:]."
        )
    if not isinstance(step, CenterCrop | Resize | StainNormalizer):
        raise TypeError(
            f"The step {name!r} ({type(step).__name__}) may not treat every patch "
            "separately. Before the classifier or a PatchEmbedder, a map accepts the "
            "steps CenterCrop, Resize and StainNormalizer(per_group=False)."
        )


def _known_window(on_patches: list[Step], receiver: Any) -> Size:
    """Return the size of the windows if it can be determined.

    If the first step is a crop, its size is used, because other pixels are dropped.
    Otherwise, it is the patch size that the classifier or embedder was fitted on,
    unless a step changes the size.
    """
    kinds = [type(step) for _, step in on_patches]
    if kinds and kinds[0] is CenterCrop:
        return as_height_width(on_patches[0][1].size)
    shape = getattr(receiver, "patch_shape_", None)
    if shape is None or set(kinds) - {StainNormalizer}:
        raise ValueError(
            "The size of the patches that the estimator was fitted on is unknown. Pass "
            "it as window=(height, width), in pixels."
        )
    return shape[:2]


def _crop(crops: list[CenterCrop], size: Size) -> Window:
    """Return the part of a window that is left after all crops."""
    top = left = 0
    for crop in crops:
        rows, columns = center_window(*size, crop.size)
        top, left = top + rows.start, left + columns.start
        size = (rows.stop - rows.start, columns.stop - columns.start)
    return slice(top, top + size[0]), slice(left, left + size[1])
