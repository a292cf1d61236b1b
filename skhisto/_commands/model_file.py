"""Loading of models from skops files."""

import os
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from skhisto._commands.errors import UsageError

TRUSTED = (
    "skhisto.BrightnessJitter",
    "skhisto.CenterCrop",
    "skhisto.Checkpoint",
    "skhisto.CompactCNN",
    "skhisto.D4",
    "skhisto.EfficientNetLite",
    "skhisto.KerasApplication",
    "skhisto.PatchCNNClassifier",
    "skhisto.PatchEmbedder",
    "skhisto.PatchLoader",
    "skhisto.ReferenceCNN",
    "skhisto.Resize",
    "skhisto.StainJitter",
    "skhisto.StainNormalizer",
)
"""The types of skhisto in saved models, as listed in docs/user_guide/saving.rst.

skops itself trusts the types of NumPy, SciPy and scikit-learn.
"""


def load_model(path: str | os.PathLike[str], trusted: Sequence[str] = ()) -> Any:
    """Load a model without running code from the file.

    Parameters
    ----------
    path : str or path-like
        A file written by ``skops.io.dump``.
    trusted : sequence of str, default=()
        Names of types that may be loaded in addition to `TRUSTED`.

    Raises
    ------
    UsageError
        If skops is not installed, if the file does not exist, if it is not a skops
        file, or if it contains other types.
    """
    skops_io = _import_skops()
    if not os.path.isfile(path):
        raise UsageError(f"The model file '{path}' does not exist.")
    allowed = {*TRUSTED, *trusted}
    try:
        found = skops_io.get_untrusted_types(file=path)
    except Exception as error:  # skops and zipfile raise many types
        raise UsageError(
            f"'{path}' cannot be read as a skops file: {error}. Save the model with "
            "skops.io.dump(model, path)."
        ) from error
    unknown = sorted(set(found) - allowed)
    if unknown:
        options = " ".join(f"--trust {name}" for name in unknown)
        raise UsageError(
            f"'{path}' contains types that are not trusted: {', '.join(unknown)}. "
            "Loading them can run their code. If you trust them, add these options: "
            f"{options}"
        )
    try:
        return skops_io.load(path, trusted=[*allowed])
    except Exception as error:  # includes errors of the loaded types
        raise UsageError(f"The model '{path}' cannot be loaded: {error}") from error


def _import_skops() -> ModuleType:
    try:
        import skops.io
    except ImportError:
        raise UsageError(
            "Reading models needs skops, which is not installed. Install it with: "
            "pip install skops"
        ) from None
    return skops.io
