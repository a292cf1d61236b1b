"""Metadata of exported files."""

import json
import math
from importlib.metadata import version
from typing import Any

from skhisto.architectures import Architecture
from skhisto.architectures._names import as_builder
from skhisto.export._plan import ExportPlan

UNKNOWN = "unknown"


def check_mpp(mpp: float | None) -> None:
    """Raise a ValueError unless `mpp` is None or a positive number."""
    if mpp is not None and not (mpp > 0 and math.isfinite(mpp)):
        raise ValueError(
            f"mpp must be a positive number of microns per pixel, got {mpp!r}."
        )


def weights_licence(architecture: Any) -> str | None:
    """Return the licence of the initial weights of an architecture.

    Returns
    -------
    licence : str or None
        None if the initial weights are random. "unknown" for functions.
    """
    builder = as_builder(architecture)
    return builder.weights_licence if isinstance(builder, Architecture) else UNKNOWN


def architecture_name(architecture: Any) -> str:
    """Return a one-line description of an architecture."""
    builder = as_builder(architecture)
    if isinstance(builder, Architecture):
        return " ".join(repr(builder).split())
    return getattr(builder, "__qualname__", type(builder).__name__)


def metadata_of(plan: ExportPlan, mpp: float | None) -> dict[str, Any]:
    """Return the metadata of an export as JSON values."""
    classifier = plan.classifier
    return {
        "classes": classifier.classes_.tolist(),
        "patch_shape": list(plan.input_shape),
        "pixel_dtype": classifier.pixel_dtype_,
        "mpp": None if mpp is None else float(mpp),
        "tta": classifier.tta,
        "architecture": architecture_name(classifier.architecture),
        "initial_weights_licence": weights_licence(classifier.architecture),
        "skhisto_version": version("skhisto"),
    }


def as_strings(metadata: dict[str, Any]) -> dict[str, str]:
    """Return metadata for formats that only store strings. None is left out."""
    return {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in metadata.items()
        if value is not None
    }
