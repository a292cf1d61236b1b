"""Export to TensorFlow's SavedModel format."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from skhisto.export._metadata import check_mpp, metadata_of
from skhisto.export._plan import Size, plan_export
from skhisto.export._targets import check_folder_of

_METADATA = Path("assets.extra", "metadata.json")


def export_saved_model(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    patch_size: int | Size | None = None,
    mpp: float | None = None,
) -> None:
    """Write a fitted classifier as a TensorFlow SavedModel, which is a folder.

    The network is the same as in `export_onnx`. ``tf.saved_model.load`` and TensorFlow
    Serving load it without Keras and skhisto. Its signature "serving_default" has the
    input "patches" and the output "probabilities".

    Parameters
    ----------
    estimator : PatchCNNClassifier or Pipeline
        A fitted classifier or Pipeline, as in `export_onnx`.
    path : str or path-like
        Name of the folder to create. An existing SavedModel or an empty folder is
        replaced.
    patch_size : int or tuple of int (height, width), default=None
        Size of the input patches in pixels, as in `export_onnx`.
    mpp : float, default=None
        Microns per pixel of the input patches, for the metadata.

    Raises
    ------
    TypeError
        If the estimator is neither a classifier nor a Pipeline.
    NotFittedError
        If the classifier is not fitted.
    ValueError
        - If `mpp` is not positive.
        - If the Pipeline has a step that cannot be exported.
        - If `patch_size` is missing or does not match the classifier.
    FileNotFoundError
        If the parent of the folder does not exist.
    FileExistsError
        If `path` is a file, or a folder with other content.

    See Also
    --------
    export_onnx : Write the same network as an ONNX file.

    Notes
    -----
    The file ``assets.extra/metadata.json`` in the folder contains the same metadata as
    `export_onnx`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import tensorflow as tf
    >>> from skhisto import PatchCNNClassifier, ReferenceCNN, make_patches
    >>> from skhisto.export import export_saved_model
    >>> X, y = make_patches(20, size=24, random_state=0)
    >>> small = ReferenceCNN(filters=(4,), dense_units=8)
    >>> clf = PatchCNNClassifier(architecture=small, epochs=1, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_saved_model(clf.fit(X, y), Path(folder, "network"))
    ...     loaded = tf.saved_model.load(str(Path(folder, "network")))
    >>> predict = loaded.signatures["serving_default"]
    >>> predict(patches=tf.constant(X))["probabilities"].shape
    TensorShape([20, 2])
    """
    path = Path(path)
    check_folder_of(path)
    _check_replaceable(path)
    check_mpp(mpp)
    plan = plan_export(estimator, patch_size)
    from skhisto._keras.export_graph import write_saved_model

    # Written to the same parent folder, so that it can be renamed.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        written = Path(folder, "new")
        write_saved_model(plan.build(), str(written))
        file = written / _METADATA
        file.parent.mkdir()
        file.write_text(json.dumps(metadata_of(plan, mpp), indent=2) + "\n")
        if path.exists():
            os.rename(path, Path(folder, "old"))
        os.rename(written, path)


def _check_replaceable(path: Path) -> None:
    """Raise a FileExistsError if anything but a SavedModel would be replaced."""
    if not path.exists() or (path / "saved_model.pb").is_file():
        return
    if not path.is_dir() or any(path.iterdir()):
        raise FileExistsError(
            f"'{path}' exists and is not a SavedModel. The export would replace it. "
            "Use another name."
        )
