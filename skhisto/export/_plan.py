"""The plan of an export: a classifier and the steps of a Pipeline before it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skhisto._classifier.fitting import fitted_spec
from skhisto._classifier.patch_cnn import PatchCNNClassifier
from skhisto.patches._patch_array import as_height_width, center_window
from skhisto.patches._resizing import resampling_matrix
from skhisto.patches._views import SYMMETRIES, check_square
from skhisto.preprocessing import CenterCrop, PatchLoader, Resize

if TYPE_CHECKING:
    from skhisto._keras.export_graph import ExportedFunction

Size = tuple[int, int]


@dataclass(frozen=True)
class ExportPlan:
    """The parts of an export.

    Parameters
    ----------
    classifier : PatchCNNClassifier
    steps : list of CenterCrop or Resize
        The steps before the classifier, in order.
    input_size : tuple of int (height, width)
        Size of the patches before all steps, in pixels.
    """

    classifier: PatchCNNClassifier
    steps: list[CenterCrop | Resize]
    input_size: Size

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Height, width and channels of the patches before all steps."""
        return (*self.input_size, self.classifier.patch_shape_[2])

    @property
    def has_resizing(self) -> bool:
        """Whether a step resizes patches."""
        return any(isinstance(step, Resize) for step in self.steps)

    def build(self) -> "ExportedFunction":
        """Build the function that computes probabilities from patches."""
        from skhisto._keras.export_graph import ExportedFunction, Resampling, Window

        classifier, size = self.classifier, self.input_size
        steps: list[Window | Resampling] = []
        for step in self.steps:
            new_size = as_height_width(step.size)
            if isinstance(step, CenterCrop):
                steps.append(Window(*center_window(*size, new_size)))
            elif new_size != size:
                pairs = zip(size, new_size, strict=True)
                matrices = [resampling_matrix(*p, step.interpolation) for p in pairs]
                steps.append(Resampling(*matrices))
            size = new_size
        views = (0,) if classifier.tta is None else SYMMETRIES[classifier.tta]
        spec, weights = fitted_spec(classifier), classifier.weights_
        return ExportedFunction(spec, weights, self.input_shape, steps, views)


def plan_export(estimator: Any, patch_size: int | Size | None) -> ExportPlan:
    """Check an estimator and return the plan of its export.

    Raises
    ------
    TypeError
        If the estimator is neither a classifier nor a Pipeline.
    NotFittedError
        If the classifier is not fitted.
    ValueError
        If a step cannot be exported, or if the size of the patches is unknown or does
        not match the classifier.
    """
    loader, steps, classifier = _split(estimator)
    check_is_fitted(classifier, "weights_")
    classifier._validate_params()  # tta may have changed after fit
    if classifier.tta is not None:
        check_square(classifier.patch_shape_, f"tta={classifier.tta!r}")
    given = patch_size or (loader.size if loader is not None else None)
    fitted_size: Size = classifier.patch_shape_[:2]
    if given is None and steps:
        raise ValueError(
            "The Pipeline crops or resizes patches, but does not store the size of its "
            "input patches. Set patch_size to their height and width in pixels."
        )
    input_size = fitted_size if given is None else as_height_width(given)
    _check_sizes(steps, input_size, fitted_size)
    return ExportPlan(classifier, steps, input_size)


def _split(
    estimator: Any,
) -> tuple[PatchLoader | None, list[CenterCrop | Resize], PatchCNNClassifier]:
    """Return the loader of a Pipeline, the steps after it, and the classifier."""
    if isinstance(estimator, PatchCNNClassifier):
        return None, [], estimator
    if not isinstance(estimator, Pipeline):
        hint = ""
        if hasattr(estimator, "best_estimator_"):
            hint = " Export its best_estimator_."
        raise TypeError(
            "The estimator must be a PatchCNNClassifier or a Pipeline that ends with "
            f"one, got {type(estimator).__name__}.{hint}"
        )
    named = [s for s in estimator.steps if s[1] not in (None, "passthrough")]
    loader = None
    if named and isinstance(named[0][1], PatchLoader):
        loader = named.pop(0)[1]
    for position, (name, step) in enumerate(named, 1):
        is_last = position == len(named)
        kinds = PatchCNNClassifier if is_last else (CenterCrop, Resize)
        if not isinstance(step, kinds):
            raise ValueError(_message(name, step, is_last))
    if not named:
        raise ValueError("The Pipeline must end with a PatchCNNClassifier.")
    return loader, [step for _, step in named[:-1]], named[-1][1]


def _message(name: str, step: BaseEstimator, is_last: bool) -> str:
    expected = (
        "The last step must be a PatchCNNClassifier."
        if is_last
        else "Between PatchLoader and PatchCNNClassifier, only CenterCrop and Resize "
        "can be exported. Apply other steps to the patches before the exported "
        "network, and export the steps after them."
    )
    return (
        f"The step {name!r} ({type(step).__name__}) of the Pipeline cannot be "
        f"exported. {expected}"
    )


def _check_sizes(
    steps: list[CenterCrop | Resize], input_size: Size, fitted_size: Size
) -> None:
    size = input_size
    for step in steps:
        new_size = as_height_width(step.size)
        if isinstance(step, CenterCrop):
            center_window(*size, new_size)  # raises an error if the crop is too large
        size = new_size
    if size != fitted_size:
        raise ValueError(
            f"The classifier was fitted on patches of {fitted_size[0]}x{fitted_size[1]}"
            f" pixels (height x width), but would receive {size[0]}x{size[1]} pixels. "
            "Correct patch_size or the steps of the Pipeline."
        )
