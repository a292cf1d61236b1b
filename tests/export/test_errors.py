"""What cannot be exported is refused by name, before anything is written."""

import os
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from skhisto import (
    CenterCrop,
    PatchCNNClassifier,
    PatchEmbedder,
    PatchLoader,
    Resize,
    StainNormalizer,
)
from skhisto.export import export_onnx, export_openvino, export_saved_model
from skhisto.export._plan import plan_export

NAMES = {
    export_onnx: "network.onnx",
    export_openvino: "network.xml",
    export_saved_model: "folder",
}
every_format = pytest.mark.parametrize("export", NAMES)


@pytest.fixture
def classifier(numbers):
    return numbers.estimator


def refuse(export, estimator, folder, error, message, **options):
    with pytest.raises(error, match=message):
        export(estimator, folder / NAMES[export], **options)
    assert not os.listdir(folder)


@every_format
def test_a_classifier_that_is_not_fitted(export, tmp_path):
    refuse(export, PatchCNNClassifier(), tmp_path, NotFittedError, "not fitted")


@every_format
def test_other_steps_are_named(export, classifier, tmp_path):
    pipeline = make_pipeline(PatchLoader(), StainNormalizer(), classifier)
    message = r"'stainnormalizer' \(StainNormalizer\) .* only CenterCrop and Resize"
    refuse(export, pipeline, tmp_path, ValueError, message)


@every_format
def test_an_embedder_is_named(export, tmp_path):
    pipeline = make_pipeline(PatchEmbedder(), LogisticRegression())
    message = r"step 'patchembedder' \(PatchEmbedder\)"
    refuse(export, pipeline, tmp_path, ValueError, message)
    pipeline = make_pipeline(CenterCrop(), PatchEmbedder())
    message = r"\(PatchEmbedder\) .* last step must be a PatchCNNClassifier"
    refuse(export, pipeline, tmp_path, ValueError, message)


@every_format
def test_a_loader_that_is_not_first_is_named(export, classifier, tmp_path):
    pipeline = make_pipeline(CenterCrop(12), PatchLoader(), classifier)
    refuse(export, pipeline, tmp_path, ValueError, r"\(PatchLoader\) of the Pipeline")


@every_format
def test_a_pipeline_without_classifier(export, tmp_path):
    pipeline = make_pipeline(PatchLoader())
    refuse(export, pipeline, tmp_path, ValueError, "must end with a PatchCNNClassifier")


@every_format
def test_a_search_says_what_to_export(export, classifier, tmp_path):
    search = GridSearchCV(classifier, {})
    search.best_estimator_ = classifier
    refuse(export, search, tmp_path, TypeError, "GridSearchCV. Export its best_est")


@every_format
def test_an_unknown_size(export, classifier, tmp_path):
    pipeline = make_pipeline(CenterCrop(12), classifier)
    refuse(export, pipeline, tmp_path, ValueError, "Set patch_size to their height")


@every_format
def test_a_size_that_does_not_match(export, classifier, tmp_path):
    message = r"fitted on patches of 12x12 pixels .* would receive 13x14"
    refuse(export, classifier, tmp_path, ValueError, message, patch_size=(13, 14))
    pipeline = make_pipeline(CenterCrop(12), classifier)
    refuse(export, pipeline, tmp_path, ValueError, "does not fit", patch_size=10)


@every_format
@pytest.mark.parametrize("mpp", [0, -1, np.nan, np.inf])
def test_microns_per_pixel_that_are_not_positive(export, mpp, classifier, tmp_path):
    refuse(export, classifier, tmp_path, ValueError, "mpp must be", mpp=mpp)


@every_format
def test_a_folder_that_does_not_exist(export, classifier, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere' does not exist"):
        export(classifier, tmp_path / "nowhere" / NAMES[export])


@pytest.mark.parametrize(
    ("export", "suffix"), [(export_onnx, ".onnx"), (export_openvino, ".xml")]
)
def test_a_wrong_ending(export, suffix, classifier, tmp_path):
    with pytest.raises(ValueError, match=f"must end with '{suffix}', got .*network.h5"):
        export(classifier, tmp_path / "network.h5")


@pytest.mark.parametrize(
    ("export", "package"),
    [
        (export_onnx, "tf2onnx"),
        (export_onnx, "onnx"),
        (export_openvino, "openvino"),
        (export_openvino, "tf2onnx"),
    ],
)
def test_a_package_that_is_missing(export, package, classifier, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    extra = "openvino" if package == "openvino" else "export"
    message = rf'not installed. Install it with: pip install "skhisto\[{extra}\]"'
    refuse(export, classifier, tmp_path, ImportError, message)


def test_openvino_does_not_resize_exactly(classifier, tmp_path):
    pipeline = make_pipeline(Resize(12), classifier)
    message = "Pipeline with Resize cannot be exported to OpenVINO"
    refuse(export_openvino, pipeline, tmp_path, ValueError, message, patch_size=20)


@pytest.mark.parametrize("content", ["[1]", "no JSON", '{"name": "other"}', "3"])
def test_another_description_is_not_replaced(content, classifier, tmp_path):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(FileExistsError, match=r"config.json' exists and does not"):
        export_onnx(classifier, tmp_path / "network.onnx", mpp=0.5)
    assert (tmp_path / "config.json").read_text() == content
    assert os.listdir(tmp_path) == ["config.json"]


def test_another_folder_or_file_is_not_replaced(classifier, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    for name in (tmp_path, tmp_path / "file"):
        with pytest.raises(FileExistsError, match="exists and is not a SavedModel"):
            export_saved_model(classifier, name)
    assert os.listdir(tmp_path) == ["file"]


def test_an_export_that_fails_leaves_earlier_files(classifier, tmp_path, monkeypatch):
    monkeypatch.setattr("os.replace", fail)
    file = tmp_path / "network.onnx"
    file.write_bytes(b"old")
    pytest.importorskip("tf2onnx")
    with pytest.raises(OSError, match="full"):
        export_onnx(classifier, file)
    assert file.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["network.onnx"]


def fail(*args, **kwargs):
    raise OSError("full")


def test_the_size_of_the_loader_is_the_size_of_the_patches(classifier):
    pipeline = make_pipeline(PatchLoader(size=(20, 21)), CenterCrop(12), classifier)
    assert plan_export(pipeline, None).input_size == (20, 21)
    assert plan_export(pipeline, 16).input_size == (16, 16)


def test_steps_that_do_nothing_are_left_out(classifier):
    pipeline = make_pipeline(None, "passthrough", classifier)
    plan = plan_export(pipeline, None)
    assert plan.steps == []
    assert plan.input_size == (12, 12)
