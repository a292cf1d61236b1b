"""Export to ONNX with a configuration file for WSInfer."""

import json
import os
from pathlib import Path
from typing import Any

from skhisto._atomic_file import atomic_path
from skhisto.export._metadata import as_strings, check_mpp, metadata_of
from skhisto.export._plan import ExportPlan, Size, plan_export
from skhisto.export._targets import check_file

_CONFIG = "config.json"
_SPEC_VERSION = "1.0"


def export_onnx(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    patch_size: int | Size | None = None,
    mpp: float | None = None,
) -> None:
    """Write a fitted classifier as an ONNX file.

    The network contains all steps from pixels to probabilities: the steps of a Pipeline
    after its `PatchLoader`, the scaling of pixels, the views of test-time augmentation,
    and sigmoid or softmax. It computes in float32. Its probabilities differ from
    `predict_proba` with ``precision="float32"`` by less than 1e-4 (see the notes).

    - Input "patches": shape (n, height, width, channels) for any n, with the dtype
      ``pixel_dtype_`` of the classifier, usually uint8.
    - Output "probabilities": shape (n, n_classes), float32, in the order of
      ``classes_``.

    Parameters
    ----------
    estimator : PatchCNNClassifier or Pipeline
        A fitted classifier, or a fitted Pipeline of an optional `PatchLoader`, any
        number of `CenterCrop` and `Resize` steps, and a classifier, in this order. The
        loader is not exported.
    path : str or path-like
        Name of the file. It must end with ".onnx". An existing file is replaced.
    patch_size : int or tuple of int (height, width), default=None
        Size of the input patches of the exported network in pixels. An int means a
        square. None uses the parameter ``size`` of the `PatchLoader`, or the size of
        the patches that the classifier was fitted on. It is required if the Pipeline
        crops or resizes patches and its loader has no size.
    mpp : float, default=None
        Microns per pixel of the input patches, for the metadata. If it is given and
        patches are square, the file ``config.json`` with the fields of WSInfer [1]_ is
        written to the same folder.

    Raises
    ------
    ImportError
        If a package of the extra ``export`` is not installed.
    TypeError
        If the estimator is neither a classifier nor a Pipeline.
    NotFittedError
        If the classifier is not fitted.
    ValueError
        - If `path` does not end with ".onnx", or `mpp` is not positive.
        - If the Pipeline has a step that cannot be exported.
        - If `patch_size` is missing or does not match the classifier.
        - If ONNX lacks an operation of the network.
    FileNotFoundError
        If the folder of `path` does not exist.
    FileExistsError
        If the folder contains another ``config.json`` that is not from WSInfer. It is
        not replaced.

    See Also
    --------
    export_openvino : Write the same network for OpenVINO.
    export_saved_model : Write the same network for TensorFlow.

    Notes
    -----
    ``session.get_modelmeta().custom_metadata_map`` returns the metadata as strings:
    "classes" and "patch_shape" as JSON, "pixel_dtype", "mpp", "tta", "architecture",
    "initial_weights_licence" and "skhisto_version". Entries without a value are left
    out. Architecture and licence are taken from the current parameter `architecture` of
    the classifier.

    In tests, the probabilities differ from `predict_proba` by less than 1e-5. Resizing
    computes in float64 and gives exactly the pixels of `Resize`.

    References
    ----------
    .. [1] J. R. Kaczmarzyk et al. "Open and reusable deep learning for pathology with
       WSInfer and QuPath". npj Precision Oncology, 2024.
       https://github.com/SBU-BMI/wsinfer-zoo

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skhisto import PatchCNNClassifier, ReferenceCNN, make_patches
    >>> from skhisto.export import export_onnx
    >>> X, y = make_patches(20, size=24, random_state=0)
    >>> small = ReferenceCNN(filters=(4,), dense_units=8)
    >>> clf = PatchCNNClassifier(architecture=small, epochs=1, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(clf.fit(X, y), Path(folder, "network.onnx"), mpp=0.5)
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['config.json', 'network.onnx']
    """
    path = check_file(path, ".onnx")
    check_mpp(mpp)
    plan = plan_export(estimator, patch_size)
    config = _wsinfer_config(plan, mpp)
    if config is not None:
        _check_replaceable(path.with_name(_CONFIG))
    model = onnx_model(plan, mpp)
    with atomic_path(path) as temporary:
        Path(temporary).write_bytes(model.SerializeToString())
    if config is not None:
        with atomic_path(path.with_name(_CONFIG)) as temporary:
            Path(temporary).write_text(json.dumps(config, indent=2) + "\n", "utf-8")


def onnx_model(plan: ExportPlan, mpp: float | None) -> Any:
    """Return an ONNX model with metadata.

    Raises
    ------
    ImportError
        If a package of the extra ``export`` is not installed.
    """
    try:
        import onnx  # noqa: F401
        import tf2onnx  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"The export needs the package {error.name}, which is not installed. "
            'Install it with: pip install "skhisto[export]"'
        ) from error
    from skhisto._keras.export_graph import to_onnx

    model = to_onnx(plan.build())
    for key, value in as_strings(metadata_of(plan, mpp)).items():
        model.metadata_props.add(key=key, value=value)
    return model


def _wsinfer_config(plan: ExportPlan, mpp: float | None) -> dict[str, Any] | None:
    """Return WSInfer's configuration, or None if it cannot describe the network."""
    height, width = plan.input_size
    if mpp is None or height != width:
        return None
    metadata = metadata_of(plan, mpp)
    return {
        "spec_version": _SPEC_VERSION,
        "architecture": metadata["architecture"],
        "num_classes": len(metadata["classes"]),
        "class_names": [str(label) for label in metadata["classes"]],
        "patch_size_pixels": height,
        "spacing_um_px": metadata["mpp"],
        "transform": [],  # the network receives unchanged pixels
    }


def _check_replaceable(config: Path) -> None:
    """Raise a FileExistsError if a file exists that is not from WSInfer."""
    if not config.exists():
        return
    try:
        is_known = "spec_version" in json.loads(config.read_bytes())
    except (ValueError, TypeError):
        is_known = False
    if not is_known:
        raise FileExistsError(
            f"'{config}' exists and does not describe a network. The export would "
            "replace this file. Export to another folder, or set mpp=None."
        )
