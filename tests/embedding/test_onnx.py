import os
import pickle
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from skhisto import PatchEmbedder
from skhisto.embedding import _onnx_engines

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper  # noqa: E402

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (50, 8, 8, 3), dtype=np.uint8)
WEIGHTS = RNG.normal(size=(3, 5)).astype(np.float32)


def save(path, nodes, shape, outputs, *, kind=TensorProto.FLOAT, external=False):
    """Write an ONNX file; `outputs` has the shape of each output."""
    weights = onnx.numpy_helper.from_array(WEIGHTS, "weights")
    axes = onnx.numpy_helper.from_array(np.array([2, 3]), "axes")
    graph = helper.make_graph(
        nodes,
        "backbone",
        [helper.make_tensor_value_info("x", kind, shape)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, output)
            for name, output in outputs.items()
        ],
        [weights, axes],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 9
    settings = {"save_as_external_data": True, "size_threshold": 60} if external else {}
    onnx.save(model, path, **settings, location="weights.bin" if external else None)
    return path


MEAN = [
    helper.make_node("ReduceMean", ["x", "axes"], ["means"], keepdims=0),
    helper.make_node("MatMul", ["means", "weights"], ["features"]),
]
NCHW = ["n", 3, "h", "w"]
FEATURES = {"features": ["n", 5]}


def expected(pixels):
    return (pixels / 255).mean(axis=(1, 2)) @ WEIGHTS


def test_features_are_the_output_for_pixels_from_0_to_1(tmp_path):
    path = save(tmp_path / "means.onnx", MEAN, NCHW, FEATURES)
    for backbone in (path, str(path)):
        features = PatchEmbedder(backbone).fit_transform(X)
        assert features.dtype == np.float32
        assert_allclose(features, expected(X), atol=1e-5)


def test_openvino_gives_the_same_features_without_onnx_runtime(tmp_path, monkeypatch):
    pytest.importorskip("openvino")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    path = save(tmp_path / "means.onnx", MEAN, NCHW, FEATURES)
    embedder = PatchEmbedder(path, engine="openvino", views="d4")
    assert_allclose(embedder.fit_transform(X), expected(X), atol=1e-5)
    # The same file for patches of another size, and pickles without its file.
    small = PatchEmbedder(path, engine="openvino", size=4).fit(X)
    path.unlink()
    assert_allclose(
        pickle.loads(pickle.dumps(small)).transform(X), expected(X), atol=0.1
    )
    assert_array_equal(embedder.transform(X[31:32]), embedder.transform(X)[31:32])


def test_openvino_has_its_own_stored_features_and_the_same_errors(tmp_path):
    pytest.importorskip("openvino")
    path = save(tmp_path / "means.onnx", MEAN, NCHW, FEATURES)
    store = tmp_path / "store"
    for engine in (None, "openvino"):
        PatchEmbedder(path, engine=engine, memory=store).fit_transform(X)
    assert len(list(store.iterdir())) == 2
    large = save(tmp_path / "large.onnx", MEAN, ["n", 3, 16, 16], FEATURES)
    with pytest.raises(ValueError, match="but the patches have 8x8 pixels"):
        PatchEmbedder(large, engine="openvino").fit(X)
    outputs = {"means": ["n", 3], **FEATURES}
    two = save(tmp_path / "two.onnx", MEAN, NCHW, outputs)
    with pytest.raises(ValueError, match=r"the outputs \['means', 'features'\]"):
        PatchEmbedder(two, engine="openvino").fit(X)
    (tmp_path / "text.onnx").write_text("version https://git-lfs")
    with pytest.raises(ValueError, match="cannot be read as an ONNX file"):
        PatchEmbedder(tmp_path / "text.onnx", engine="openvino").fit(X)


def test_pixels_are_normalised(tmp_path):
    path = save(tmp_path / "means.onnx", MEAN, NCHW, FEATURES)
    mean, std = np.array([0.5, 0.4, 0.3]), (0.1, 0.2, 0.3)
    features = PatchEmbedder(path, mean=mean, std=std).fit_transform(X)
    normalised = ((X / 255).mean(axis=(1, 2)) - mean) / std
    assert_allclose(features, normalised @ WEIGHTS, atol=1e-4)
    for wrong in ({"std": 0.0}, {"mean": [0.1, 0.2]}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            PatchEmbedder(path, **wrong).fit(X)


def test_a_fixed_number_of_images_in_the_file_is_kept(tmp_path):
    path = save(tmp_path / "seven.onnx", MEAN, [7, 3, 8, 8], {"features": [7, 5]})
    features = PatchEmbedder(path, views="d4").fit_transform(X)
    assert_allclose(features, expected(X), atol=1e-5)


def test_features_do_not_depend_on_the_other_patches(tmp_path):
    path = save(tmp_path / "means.onnx", MEAN, NCHW, FEATURES)
    embedder = PatchEmbedder(path).fit(X)
    assert_array_equal(embedder.transform(X[31:32]), embedder.transform(X)[31:32])


def test_channels_may_come_last(tmp_path):
    axes = helper.make_node("Transpose", ["y"], ["x"], perm=[0, 3, 1, 2])
    path = tmp_path / "last.onnx"
    save(path, MEAN, NCHW, FEATURES)
    model = onnx.load(path)
    model.graph.node.insert(0, axes)
    model.graph.input[0].CopyFrom(
        helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 8, 8, 3])
    )
    onnx.save(model, path)
    assert_allclose(PatchEmbedder(path).fit_transform(X), expected(X), atol=1e-5)


def test_a_layout_that_the_file_does_not_show_must_be_given(tmp_path):
    path = save(tmp_path / "open.onnx", MEAN, ["n", "c", "h", "w"], FEATURES)
    with pytest.raises(ValueError, match=r"Set layout='NCHW' or 'NHWC'"):
        PatchEmbedder(path).fit(X)
    features = PatchEmbedder(path, layout="NCHW").fit_transform(X)
    assert_allclose(features, expected(X), atol=1e-5)


def test_another_input_shape_is_an_error_and_size_resizes(tmp_path):
    path = save(tmp_path / "large.onnx", MEAN, ["n", 3, 16, 16], FEATURES)
    message = r"\['n', 3, 16, 16\] \(NCHW\), but the patches have 8x8 pixels and 3 ch"
    with pytest.raises(ValueError, match=message):
        PatchEmbedder(path).fit(X)
    features = PatchEmbedder(path, size=16).fit_transform(X)
    assert_allclose(features, expected(X), atol=5e-3)
    with pytest.raises(ValueError, match="position of the 1 channels is unclear"):
        PatchEmbedder(path).fit(X[..., :1])


def test_several_outputs_are_an_error(tmp_path):
    outputs = {"means": ["n", 3], **FEATURES}
    path = save(tmp_path / "two.onnx", MEAN, NCHW, outputs)
    with pytest.raises(ValueError, match=r"the outputs \['means', 'features'\]"):
        PatchEmbedder(path).fit(X)


@pytest.mark.parametrize(
    ("pooling", "pool"),
    [
        ("avg", lambda tokens: tokens.mean(axis=1)),
        ("max", lambda tokens: tokens.max(axis=1)),
        ("cls", lambda tokens: tokens[:, 0]),
    ],
)
def test_tokens_are_pooled(pooling, pool, tmp_path):
    nodes = [
        helper.make_node("Transpose", ["x"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("MatMul", ["last", "weights"], ["images"]),
        helper.make_node("Reshape", ["images", "shape"], ["features"]),
    ]
    shape = onnx.numpy_helper.from_array(np.array([0, -1, 5]), "shape")
    path = save(tmp_path / "tokens.onnx", nodes, NCHW, {"features": ["n", "t", 5]})
    model = onnx.load(path)
    model.graph.initializer.append(shape)
    onnx.save(model, path)
    tokens = (X / 255).reshape(len(X), 64, 3) @ WEIGHTS
    features = PatchEmbedder(path, pooling=pooling).fit_transform(X)
    assert_allclose(features, pool(tokens), atol=1e-5)


def test_images_are_pooled(tmp_path):
    nodes = [helper.make_node("Identity", ["x"], ["images"])]
    path = save(tmp_path / "images.onnx", nodes, NCHW, {"images": NCHW})
    features = PatchEmbedder(path).fit_transform(X)
    assert_allclose(features, (X / 255).mean(axis=(1, 2)), atol=1e-5)
    with pytest.raises(ValueError, match="pooling='cls' does not support"):
        PatchEmbedder(path, pooling="cls").fit(X)


def test_pickles_contain_the_file(tmp_path):
    path = save(tmp_path / "means.onnx", MEAN, NCHW, FEATURES)
    embedder = PatchEmbedder(path).fit(X)
    features = embedder.transform(X)
    stored = pickle.dumps(embedder)
    path.unlink()
    assert_array_equal(pickle.loads(stored).transform(X), features)


def test_weights_in_another_file_are_part_of_the_fingerprint(tmp_path):
    path = save(tmp_path / "big.onnx", MEAN, NCHW, FEATURES, external=True)
    embedder = PatchEmbedder(path).fit(X)
    assert_allclose(embedder.transform(X), expected(X), atol=1e-5)
    weights = tmp_path / "weights.bin"
    content = weights.read_bytes()
    stored = pickle.dumps(embedder)
    weights.write_bytes(bytes(len(content)))
    assert PatchEmbedder(path).fit(X).fingerprint_ != embedder.fingerprint_
    PatchEmbedder(save(tmp_path / "1.onnx", MEAN, NCHW, FEATURES)).fit(X)
    with pytest.raises(ValueError, match="have changed since this PatchEmbedder was"):
        pickle.loads(stored).transform(X)
    weights.unlink()
    with pytest.raises(FileNotFoundError, match=r"needs the file .*weights\.bin"):
        PatchEmbedder(path).fit(X)


def test_files_that_are_missing_or_no_onnx_are_errors(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no\.onnx' does not exist"):
        PatchEmbedder(tmp_path / "no.onnx").fit(X)
    (tmp_path / "text.onnx").write_text("version https://git-lfs")
    with pytest.raises(ValueError, match="cannot be read as an ONNX file"):
        PatchEmbedder(tmp_path / "text.onnx").fit(X)
    with pytest.raises(ValueError, match=r"must end with '\.onnx' or '\.keras'"):
        PatchEmbedder(tmp_path / "weights.pth").fit(X)


def test_without_onnx_runtime_the_error_says_how_to_install_it(tmp_path, monkeypatch):
    path = save(tmp_path / "means2.onnx", MEAN, NCHW, {"features": ["m", 5]})
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ImportError, match=r'pip install "skhisto\[onnx\]"'):
        PatchEmbedder(path).fit(X)


def test_memory_embeds_every_patch_once(tmp_path, monkeypatch):
    from skhisto.embedding._onnx import OnnxBackbone

    path = save(tmp_path / "means.onnx", MEAN, NCHW, FEATURES)
    embedder = PatchEmbedder(path, memory=tmp_path / "store").fit(X)
    features = embedder.transform(X)
    monkeypatch.delattr(OnnxBackbone, "_run")
    assert_array_equal(embedder.transform(X[::-1]), features[::-1])


@pytest.mark.parametrize(
    "name", ["../weights.bin", "/etc/hostname", "a/../../b", "a\0b"]
)
def test_weights_outside_of_the_folder_are_not_read(tmp_path, name):
    (tmp_path / "folder").mkdir()
    path = save(tmp_path / "folder" / "big.onnx", MEAN, NCHW, FEATURES, external=True)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = name
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="outside its folder"):
        PatchEmbedder(path).fit(X)


@pytest.mark.parametrize("n", [0, 5000])
def test_a_batch_that_would_exhaust_the_memory_is_refused(tmp_path, n):
    path = save(tmp_path / "m.onnx", MEAN, [n, 3, 8, 8], {"features": [n, 5]})
    with pytest.raises(ValueError, match=rf"fixed batch size of {n}\. Supported"):
        PatchEmbedder(path).fit(X)


def test_a_network_that_cannot_be_run_is_an_error_that_names_the_file(tmp_path):
    nodes = [
        helper.make_node("Reshape", ["x", "axes"], ["means"]),
        helper.make_node("MatMul", ["means", "weights"], ["features"]),
    ]
    path = save(tmp_path / "wrong.onnx", nodes, NCHW, FEATURES)
    with pytest.raises(ValueError, match=r"wrong\.onnx' cannot be run"):
        PatchEmbedder(path).fit(X)


@pytest.mark.parametrize("decided", [None, "0"])
def test_the_telemetry_of_onnx_runtime_is_off_unless_the_user_has_decided(
    tmp_path, monkeypatch, decided
):
    name = "ORT_DISABLE_TELEMETRY"
    monkeypatch.delenv(name, raising=False)
    if decided is not None:
        monkeypatch.setenv(name, decided)
    code = f"import os\nseen = os.environ.get('{name}')\n"
    (tmp_path / "onnxruntime.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    assert _onnx_engines._import_onnxruntime().seen == (decided or "1")
    assert os.environ.get(name) == decided
