"""Export to OpenVINO."""

import os
import tempfile
from pathlib import Path
from typing import Any

from skhisto._openvino import import_openvino
from skhisto.export._metadata import as_strings, check_mpp, metadata_of
from skhisto.export._onnx import onnx_model
from skhisto.export._plan import Size, plan_export
from skhisto.export._targets import check_file


def export_openvino(
    estimator: Any,
    path: str | os.PathLike[str],
    *,
    patch_size: int | Size | None = None,
    mpp: float | None = None,
) -> None:
    """Write a fitted classifier for OpenVINO as an ``.xml`` and a ``.bin`` file.

    The network is the same as in `export_onnx`, with the same input and output. Its
    weights are float32.

    **Processors with native bfloat16 compute in bfloat16 by default.** Compile the
    network with ``{"INFERENCE_PRECISION_HINT": "f32"}`` for probabilities that differ
    from `predict_proba` with ``precision="float32"`` by less than 1e-4. In bfloat16,
    errors of up to 5e-2 were measured (see the user guide).

    Parameters
    ----------
    estimator : PatchCNNClassifier or Pipeline
        A fitted classifier or Pipeline, as in `export_onnx` but without `Resize`.
    path : str or path-like
        Name of the network file. It must end with ".xml". The weight file has the same
        name with the suffix ".bin". Existing files are replaced.
    patch_size : int or tuple of int (height, width), default=None
        Size of the input patches in pixels, as in `export_onnx`.
    mpp : float, default=None
        Microns per pixel of the input patches, for the metadata.

    Raises
    ------
    ImportError
        If a package of the extra ``export`` is not installed.
    TypeError
        If the estimator is neither a classifier nor a Pipeline.
    NotFittedError
        If the classifier is not fitted.
    ValueError
        - If `path` does not end with ".xml", or `mpp` is not positive.
        - If the Pipeline has a step that cannot be exported. `Resize` is not supported,
          because it needs float64 and OpenVINO does not use float64 on processors.
        - If `patch_size` is missing or does not match the classifier.
        - If ONNX lacks an operation of the network.
    FileNotFoundError
        If the folder of `path` does not exist.

    See Also
    --------
    export_onnx : Write the same network as an ONNX file.

    Notes
    -----
    For a model from ``Core.read_model``, ``model.get_rt_info(["skhisto", key])``
    returns the metadata, with the same keys as in `export_onnx`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skhisto import PatchCNNClassifier, ReferenceCNN, make_patches
    >>> from skhisto.export import export_openvino
    >>> X, y = make_patches(20, size=24, random_state=0)
    >>> small = ReferenceCNN(filters=(4,), dense_units=8)
    >>> clf = PatchCNNClassifier(architecture=small, epochs=1, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_openvino(clf.fit(X, y), Path(folder, "network.xml"))
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['network.bin', 'network.xml']
    """
    path = check_file(path, ".xml")
    check_mpp(mpp)
    plan = plan_export(estimator, patch_size)
    if plan.has_resizing:
        raise ValueError(
            "A Pipeline with Resize cannot be exported to OpenVINO. Resize needs "
            "float64, but OpenVINO does not use float64 on processors, so the pixels "
            "would differ. Use export_onnx or export_saved_model. Or export the steps "
            "after Resize, and resize patches before the exported network."
        )
    openvino = import_openvino()
    # Written to the same folder, so that the files can be renamed.
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        # Unlike openvino.convert_model, read_model sends no telemetry.
        content = onnx_model(plan, mpp).SerializeToString()
        model = openvino.Core().read_model(content)
        for key, value in as_strings(metadata_of(plan, mpp)).items():
            model.set_rt_info(value, ["skhisto", key])
        written = Path(folder, "network.xml")
        openvino.save_model(model, written, compress_to_fp16=False)
        # The network is renamed last, so that it is complete when its name appears.
        for suffix in (".bin", ".xml"):
            os.replace(written.with_suffix(suffix), path.with_suffix(suffix))
