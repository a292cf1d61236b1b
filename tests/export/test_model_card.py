"""Model cards."""

import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skhisto import (
    EfficientNetLite,
    KerasApplication,
    PatchCNNClassifier,
    PatchEmbedder,
    ReferenceCNN,
)
from skhisto.export import model_card
from skhisto.export._metadata import weights_licence
from skhisto.export._model_card import _licences

pytest.importorskip("skops")


@pytest.fixture(scope="module")
def card(cropped):
    pipeline, _ = cropped
    pipeline.set_params(patchloader__root="/home/name")
    card = model_card(
        pipeline,
        data="40 patches of noise.",
        groups="None.",
        scores={"AUC": (0.91234, 0.8, np.float64(0.99)), "a|b": 0.5},
        intended_use="Tests.",
        limits="Noise is no tissue.",
    )
    pipeline.set_params(patchloader__root=None)
    return card


def section(card, title):
    text = card.render()
    start = text.index(f"# {title}\n")
    end = text.find("\n# ", start + 1)
    return text[start:] if end < 0 else text[start:end]


def test_it_is_not_a_medical_device(card):
    assert "not a medical device" in card.render()


@pytest.mark.parametrize(
    ("title", "text"),
    [
        ("Intended use", "Tests."),
        ("Limits", "Noise is no tissue."),
        ("Limits", "other scanners"),
        ("Data", "40 patches of noise."),
        ("Groups", "None."),
        ("Scores", "0.912 (0.8 to 0.99)"),
        ("Scores", r"a\|b"),
        ("Fitted", "PatchLoader > CenterCrop > PatchCNNClassifier"),
        ("Fitted", "normal, tumour"),
        ("Fitted", "15x15 pixels, 3 channels, uint8"),
        ("Parameters", "patchcnnclassifier__learning_rate"),
        ("Licence of the initial weights", "the initial weights were random"),
        ("Versions", "scikit-learn"),
    ],
)
def test_it_has_what_it_was_given(card, title, text):
    assert text in section(card, title)


def test_names_of_folders_and_diagrams_are_left_out(card):
    assert "/home/name" not in card.render()
    assert "<style>" not in card.render()


def test_it_is_saved_as_markdown(card, tmp_path):
    card.save(tmp_path / "card.md")
    text = (tmp_path / "card.md").read_text()
    assert "# Model card" in text
    assert len(text) < 10_000


def test_what_is_not_given_is_not_stated(numbers):
    card = model_card(numbers.estimator)
    for title in ("Intended use", "Data", "Groups", "Scores"):
        assert "Not stated." in section(card, title)


@pytest.mark.parametrize("score", ["0.9", (0.9, 0.8), (0.9, 0.8, None), None])
def test_a_score_that_is_not_a_number(score, numbers):
    with pytest.raises(TypeError, match=r"number or a tuple .*, got .* for 'AUC'"):
        model_card(numbers.estimator, scores={"AUC": score})


def test_an_estimator_that_is_not_fitted():
    with pytest.raises(NotFittedError):
        model_card(PatchCNNClassifier())


def test_skops_is_missing(numbers, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops.card", None)
    with pytest.raises(ImportError, match=r'pip install "skhisto\[export\]"'):
        model_card(numbers.estimator)


@pytest.mark.parametrize(
    ("architecture", "licence"),
    [
        ("reference", None),
        ("efficientnet_lite0", "Apache-2.0"),
        (EfficientNetLite(weights=None), None),
        (EfficientNetLite(weights="copy.pth"), "Apache-2.0"),
        (KerasApplication("MobileNet"), None),
        (ReferenceCNN(), None),
        (len, "unknown"),
    ],
)
def test_architectures_know_the_licence_of_their_weights(architecture, licence):
    assert weights_licence(architecture) == licence


def test_the_weights_of_keras_have_licences_of_their_own():
    licence = weights_licence(KerasApplication("MobileNet", weights="imagenet"))
    assert licence == "unknown, see https://keras.io/api/applications/"


@pytest.mark.parametrize(
    ("backbone", "text"),
    [
        ("efficientnet_lite0", "Apache-2.0."),
        (EfficientNetLite(), "Apache-2.0."),
        (PatchCNNClassifier(), "None: the initial weights were random."),
        ("network.onnx", "unknown."),
    ],
)
def test_the_licence_of_a_backbone_is_on_the_card(backbone, text):
    pipeline = make_pipeline(PatchEmbedder(backbone), LogisticRegression())
    assert _licences(pipeline) == text
