"""Model cards, which describe fitted estimators for their users."""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from numbers import Real
from typing import Any

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skhisto._classifier.patch_cnn import PatchCNNClassifier
from skhisto.architectures import Architecture
from skhisto.architectures._names import ARCHITECTURES
from skhisto.embedding import PatchEmbedder
from skhisto.embedding._resolve import classifier_of
from skhisto.export._metadata import UNKNOWN, weights_licence

_NOT_STATED = "Not stated."
_NOT_A_DEVICE = (
    "This model is not a medical device. It has not been evaluated or approved for "
    "diagnosis, and must not be used for decisions about patients."
)
_GENERAL_LIMITS = (
    "Predictions can be wrong for patches from other scanners, laboratories, stains, "
    "tissues or magnifications than in the training data. Validate the model on your "
    "own data."
)
_PACKAGES = ("skhisto", "scikit-learn", "keras", "tensorflow", "numpy")
# Parameters with folder names, which may be private.
_FOLDERS = ("root", "memory")


def model_card(
    estimator: BaseEstimator,
    *,
    data: str | None = None,
    groups: str | None = None,
    scores: Mapping[str, float | tuple[float, float, float]] | None = None,
    intended_use: str | None = None,
    limits: str | None = None,
) -> Any:
    """Describe a fitted estimator for its users.

    The card lists intended use, limits, data, groups, scores, parameters, the licence
    of the initial weights and versions. It states that the model is not a medical
    device. Missing texts appear as "Not stated."

    Parameters
    ----------
    estimator : estimator object
        A fitted `PatchCNNClassifier`, or a fitted Pipeline.
    data : str, default=None
        The training data: source, number of patches and slides, tissue, stain, scanner,
        microns per pixel, and origin of the labels.
    groups : str, default=None
        The meaning of the groups, such as slides or patients, and how they were split.
    scores : dict, default=None
        Maps the name of a metric to a number, or to a tuple (score, low, high) with the
        limits of an interval. State in the name which patches were used.
    intended_use : str, default=None
        Intended use of the estimator.
    limits : str, default=None
        Known limits, in addition to the general ones on the card.

    Returns
    -------
    card : skops.card.Card
        ``card.save("model_card.md")`` writes it as Markdown. ``card.add`` adds
        sections.

    Raises
    ------
    ImportError
        If skops is not installed.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If a score is neither a number nor a tuple of three numbers.

    Notes
    -----
    Parameters with folder names are left out.

    Examples
    --------
    >>> from skhisto import PatchCNNClassifier, ReferenceCNN, make_patches
    >>> from skhisto.export import model_card
    >>> X, y = make_patches(20, size=24, random_state=0)
    >>> small = ReferenceCNN(filters=(4,), dense_units=8)
    >>> clf = PatchCNNClassifier(architecture=small, epochs=1, random_state=0)
    >>> card = model_card(
    ...     clf.fit(X, y),
    ...     data="20 synthetic patches of 24x24 pixels.",
    ...     scores={"AUC, slides held out": (0.91, 0.85, 0.95)},
    ...     intended_use="An example.",
    ... )
    >>> "0.91" in card.render()
    True
    """
    check_is_fitted(estimator)
    rows = _score_rows(scores or {})
    try:
        from skops.card import Card
    except ImportError as error:
        raise ImportError(
            "Model cards need skops, which is not installed. Install it with: "
            'pip install "skhisto[export]"'
        ) from error
    card = Card(estimator, model_diagram=False, template=None)
    card.add(
        **{
            "Model card": _NOT_A_DEVICE,
            "Intended use": intended_use or _NOT_STATED,
            "Limits": "\n\n".join(filter(None, (limits, _GENERAL_LIMITS))),
            "Data": data or _NOT_STATED,
            "Groups": groups or _NOT_STATED,
        }
    )
    if rows:
        card.add_table(**{"Scores": _columns("Metric", rows)})
    else:
        card.add(**{"Scores": _NOT_STATED})
    card.add_table(
        **{
            "Fitted": _columns("Property", _fitted_rows(estimator)),
            "Parameters": _columns("Parameter", _parameter_rows(estimator)),
            "Versions": _columns("Package", _version_rows()),
        }
    )
    card.add(**{"Licence of the initial weights": _licences(estimator)})
    return card


def _columns(heading: str, rows: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Return rows as the columns of a Markdown table."""
    cells = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return {heading: [row[0] for row in cells], "Value": [row[1] for row in cells]}


def _score_rows(scores: Mapping[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for name, score in scores.items():
        numbers = [score] if isinstance(score, Real) else score
        is_valid = isinstance(numbers, list | tuple) and len(numbers) in (1, 3)
        if not is_valid or not all(isinstance(number, Real) for number in numbers):
            raise TypeError(
                "A score must be a number or a tuple (score, low, high), got "
                f"{score!r} for {name!r}."
            )
        texts = [f"{float(number):.3g}" for number in numbers]
        interval = f" ({texts[1]} to {texts[2]})" if len(texts) == 3 else ""
        rows.append((name, texts[0] + interval))
    return rows


def _steps(estimator: BaseEstimator) -> Iterator[BaseEstimator]:
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            yield from _steps(step)
    else:
        yield estimator


def _fitted_rows(estimator: BaseEstimator) -> list[tuple[str, str]]:
    rows = [("estimator", " > ".join(type(s).__name__ for s in _steps(estimator)))]
    if hasattr(estimator, "classes_"):
        rows.append(("classes", ", ".join(map(str, estimator.classes_))))
    for step in _steps(estimator):
        if hasattr(step, "patch_shape_"):
            height, width, n_channels = step.patch_shape_
            shape = f"{height}x{width} pixels, {n_channels} channels"
            name = type(step).__name__
            rows.append((f"patches of {name}", f"{shape}, {step.pixel_dtype_}"))
        if hasattr(step, "n_iter_") and isinstance(step, PatchCNNClassifier):
            rows.append(("epochs", str(step.n_iter_)))
    return rows


def _parameter_rows(estimator: BaseEstimator) -> list[tuple[str, str]]:
    parameters = estimator.get_params(deep=True)
    return [
        (name, " ".join(repr(value).split()))
        for name, value in sorted(parameters.items())
        if name.rpartition("__")[2] not in _FOLDERS
        and name != "steps"
        and not isinstance(value, BaseEstimator)
    ]


def _version_rows() -> list[tuple[str, str]]:
    rows = [(package, version(package)) for package in _PACKAGES]
    return [*rows, ("Python", platform.python_version())]


def _licences(estimator: BaseEstimator) -> str:
    licences = {
        _licence_of(step.backbone if isinstance(step, PatchEmbedder) else step)
        for step in _steps(estimator)
        if isinstance(step, PatchCNNClassifier | PatchEmbedder)
    }
    texts = [licence or "None: the initial weights were random" for licence in licences]
    return "; ".join(sorted(texts)) + "." if texts else "No initial weights."


def _licence_of(network: Any) -> str | None:
    """Return the licence of the initial weights of a classifier or a backbone."""
    classifier = classifier_of(network)
    if classifier is not None:
        return weights_licence(classifier.architecture)
    if isinstance(network, Architecture) or (
        isinstance(network, str) and network in ARCHITECTURES
    ):
        return weights_licence(network)
    return UNKNOWN
