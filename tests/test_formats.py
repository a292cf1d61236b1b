"""Files of every format that was ever written can still be read."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import skops.io
from sklearn.pipeline import Pipeline

import skhisto
from skhisto import PatchCNNClassifier, ProbabilityMap
from skhisto._saved_format import FORMAT

SAVED = Path(__file__).parent / "saved_files"
FOLDERS = sorted(SAVED.glob("format_*"))
TRUSTED = [f"skhisto.{name}" for name in skhisto.__all__]
# Results differ a little between processors.
TOLERANCE = 1e-5


def writer():
    """Return the script that wrote the files."""
    spec = importlib.util.spec_from_file_location("write", SAVED / "write.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def expected(folder):
    return np.load(folder / "expected.npz", allow_pickle=False)


def load(folder, name):
    return skops.io.load(folder / f"{name}.skops", trusted=TRUSTED)


def test_there_are_files_of_the_present_format():
    assert SAVED / f"format_{FORMAT}" in FOLDERS


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
@pytest.mark.parametrize("name", ["reference", "compact", "three_classes", "embedder"])
def test_a_saved_pipeline_predicts_what_it_predicted(folder, name):
    X, _ = writer().patches()
    proba = load(folder, name).predict_proba(X)
    np.testing.assert_allclose(proba, expected(folder)[name], atol=TOLERANCE)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_training_continues_from_a_saved_classifier(folder):
    pipeline = load(folder, "compact")
    n_epochs = len(pipeline[-1].history_["loss"])
    pipeline.fit(*writer().patches())
    assert len(pipeline[-1].history_["loss"]) == n_epochs + 1


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_saved_parameters_are_those_that_were_set(folder):
    pipeline = load(folder, "unfitted")
    assert isinstance(pipeline, Pipeline)
    written = writer().unfitted()
    assert repr(pipeline.get_params()) == repr(written.get_params())


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_saved_map_has_the_probabilities_that_it_had(folder):
    result = ProbabilityMap.load(folder / "map.npz")
    np.testing.assert_array_equal(result.of(), expected(folder)["map"])
    classifier = load(folder, "reference")[-1]
    assert isinstance(classifier, PatchCNNClassifier)
    again = writer().map_of(classifier)
    np.testing.assert_allclose(again.of(), result.of(), atol=TOLERANCE)
