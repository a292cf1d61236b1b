"""Each export is opened by its own runtime and predicts what the classifier does."""

import json
import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

import skhisto
from skhisto.export import export_onnx, export_openvino, export_saved_model

TOLERANCE = 1e-5
N_ROWS = (1, 5, 40)


@pytest.fixture(scope="session")
def exported(tmp_path_factory, cropped, three_classes, resized, numbers):
    """A function that exports a case once, and returns the path."""
    pipeline, _ = cropped
    cases = {
        "cropped": (pipeline, {"patch_size": 20, "mpp": 0.5}),
        "three_classes": (three_classes.estimator, {}),
        "resized": (resized.estimator, {"patch_size": 33}),
        "numbers": (numbers.estimator, {}),
    }

    @cache
    def export(case, function, name):
        path = tmp_path_factory.mktemp(case) / name
        estimator, options = cases[case]
        function(estimator, path, **options)
        return path

    return export


@pytest.fixture
def case(request, cropped):
    return (
        cropped[1]
        if request.param == "cropped"
        else request.getfixturevalue(request.param)
    )


def every(*names):
    return pytest.mark.parametrize(
        ("name", "case"), [(n, n) for n in names], indirect=["case"], ids=names
    )


def run_onnx(path):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda X: session.run(["probabilities"], {"patches": X})[0]


def run_openvino(path):
    openvino = pytest.importorskip("openvino")
    exact = {"INFERENCE_PRECISION_HINT": "f32"}
    network = openvino.Core().compile_model(path, "CPU", exact)
    return lambda X: network({"patches": X})["probabilities"].copy()


def run_saved_model(path):
    import tensorflow as tf

    signature = tf.saved_model.load(str(path)).signatures["serving_default"]
    return lambda X: signature(patches=tf.constant(X))["probabilities"].numpy()


def assert_same(predict, case):
    X = case.X
    if X.dtype.kind == "f":
        X = X.astype(np.float32)
    expected = case.expected
    assert np.ptp(expected) > 0.1  # errors would show
    for n in N_ROWS:
        proba = predict(X[:n])
        assert proba.dtype == np.float32
        assert_allclose(proba, expected[:n], atol=TOLERANCE, rtol=0)


@every("cropped", "three_classes", "resized", "numbers")
def test_onnx_runtime_predicts_the_same(exported, name, case):
    pytest.importorskip("tf2onnx")
    assert_same(run_onnx(exported(name, export_onnx, "network.onnx")), case)


@every("cropped", "three_classes")
def test_openvino_predicts_the_same(exported, name, case):
    pytest.importorskip("tf2onnx")
    path = exported(name, export_openvino, "network.xml")
    assert sorted(os.listdir(path.parent)) == ["network.bin", "network.xml"]
    assert_same(run_openvino(path), case)


@every("cropped", "three_classes", "resized", "numbers")
def test_tensorflow_predicts_the_same(exported, name, case):
    assert_same(run_saved_model(exported(name, export_saved_model, "folder")), case)


METADATA = {
    "classes": ["normal", "tumour"],
    "patch_shape": [20, 20, 3],
    "pixel_dtype": "uint8",
    "mpp": 0.5,
    "tta": "d4",
    "architecture": "ReferenceCNN(dense_units=8, filters=(4,))",
}


def check_metadata(metadata):
    assert metadata.pop("skhisto_version")
    assert metadata == METADATA


def decoded(metadata):
    """Return the metadata of formats that store strings only."""
    encoded = {key for key, value in METADATA.items() if not isinstance(value, str)}
    return {k: json.loads(v) if k in encoded else v for k, v in metadata.items()}


def test_onnx_files_have_metadata(exported):
    pytest.importorskip("tf2onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    path = exported("cropped", export_onnx, "network.onnx")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    check_metadata(decoded(session.get_modelmeta().custom_metadata_map))
    assert session.get_inputs()[0].shape == ["n", 20, 20, 3]
    assert session.get_outputs()[0].shape == ["n", 2]


def test_openvino_files_have_metadata(exported):
    pytest.importorskip("tf2onnx")
    openvino = pytest.importorskip("openvino")
    path = exported("cropped", export_openvino, "network.xml")
    model = openvino.Core().read_model(path)
    keys = [*METADATA, "skhisto_version"]
    found = {key: model.get_rt_info(["skhisto", key]).astype(str) for key in keys}
    check_metadata(decoded(found))
    assert path.with_suffix(".bin").stat().st_size > 4 * 100  # float32


def test_saved_models_have_metadata(exported):
    path = exported("cropped", export_saved_model, "folder")
    metadata = json.loads((path / "assets.extra" / "metadata.json").read_text())
    assert metadata.pop("initial_weights_licence") is None
    check_metadata(metadata)


def test_networks_of_functions_have_an_unknown_licence(exported):
    path = exported("three_classes", export_saved_model, "folder")
    metadata = json.loads((path / "assets.extra" / "metadata.json").read_text())
    assert metadata["initial_weights_licence"] == "unknown"
    assert metadata["architecture"] == "with_a_lambda_layer"
    assert metadata["classes"] == [0, 1, 2]
    assert metadata["mpp"] is None


def test_the_description_has_the_fields_of_wsinfer(exported):
    pytest.importorskip("tf2onnx")
    path = exported("cropped", export_onnx, "network.onnx")
    assert json.loads((path.parent / "config.json").read_text()) == {
        "spec_version": "1.0",
        "architecture": METADATA["architecture"],
        "num_classes": 2,
        "class_names": ["normal", "tumour"],
        "patch_size_pixels": 20,
        "spacing_um_px": 0.5,
        "transform": [],
    }


def test_there_is_no_description_without_microns_per_pixel(exported):
    pytest.importorskip("tf2onnx")
    path = exported("numbers", export_onnx, "network.onnx")
    assert os.listdir(path.parent) == ["network.onnx"]


def test_exports_replace_earlier_ones(exported, numbers, tmp_path):
    pytest.importorskip("tf2onnx")
    file, folder = tmp_path / "network.onnx", tmp_path / "folder"
    file.write_bytes(b"old")
    (tmp_path / "config.json").write_text('{"spec_version": "0"}')
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(b"old")
    (folder / "old").write_bytes(b"old")
    export_onnx(numbers.estimator, file, mpp=0.25)
    export_saved_model(numbers.estimator, folder)
    assert_same(run_onnx(file), numbers)
    assert_same(run_saved_model(folder), numbers)
    assert not (folder / "old").exists()
    assert json.loads((tmp_path / "config.json").read_text())["spacing_um_px"] == 0.25
    assert sorted(os.listdir(tmp_path)) == ["config.json", "folder", "network.onnx"]


def test_exports_print_only_messages_of_tensorflow_and_redirect_nothing(
    numbers, tmp_path, capfd, monkeypatch
):
    pytest.importorskip("tf2onnx")
    numbers.estimator.predict_proba(numbers.X)  # TensorFlow's first messages
    capfd.readouterr()
    with monkeypatch.context() as patched:
        for name in ("dup", "dup2"):
            patched.setattr(os, name, lambda *a, n=name: pytest.fail(f"calls {n}"))
        export_onnx(numbers.estimator, tmp_path / "network.onnx")
        export_saved_model(numbers.estimator, tmp_path / "folder")
    out, err = capfd.readouterr()
    assert out == ""
    # TensorFlow's C++ code writes to the file descriptor, with a level and a time.
    assert [
        line for line in err.splitlines() if not re.match(r"[IW]\d{4} ", line)
    ] == []


def test_an_operation_that_onnx_lacks_is_an_error(tmp_path):
    pytest.importorskip("tf2onnx")
    from skhisto import PatchCNNClassifier, make_patches

    X, y = make_patches(10, size=24, random_state=0)
    classifier = PatchCNNClassifier(architecture=with_antialiasing, epochs=1)
    classifier.fit(X, y)
    message = "cannot be converted to ONNX: .*ScaleAndTranslate.* SavedModel"
    with pytest.raises(ValueError, match=message):
        export_onnx(classifier, tmp_path / "network.onnx")
    assert not os.listdir(tmp_path)


def with_antialiasing(patch_shape, n_outputs):
    import keras
    from keras import layers

    inputs = keras.Input(patch_shape)
    x = keras.ops.image.resize(inputs, (12, 12), antialias=True)
    outputs = layers.Dense(n_outputs)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, outputs)


def test_openvino_is_imported_without_its_telemetry():
    pytest.importorskip("openvino")
    code = """
import sys
from importlib.util import find_spec
from skhisto._openvino import import_openvino
assert import_openvino().Core() is not None
assert "openvino_telemetry" not in sys.modules
from openvino.tools.ovc import telemetry_utils
assert telemetry_utils.tm.__name__.endswith("telemetry_stub")
"""
    package = Path(skhisto.__file__).parents[1]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=package)
