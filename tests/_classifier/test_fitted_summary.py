"""What notebooks show of a fitted classifier, from plain attributes."""

import pickle
import re
import subprocess
import sys

import keras
import pytest
from sklearn.pipeline import make_pipeline

from skhisto import CenterCrop


@pytest.fixture
def fitted(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    return tiny_cnn.set_params(epochs=2).fit(X, y)


def shown(estimator):
    """Return the text of each cell and summary."""
    html = estimator._repr_html_()
    return [
        text.strip() for text in re.findall(r"<(?:td|summary)>(.*?)</", html, re.DOTALL)
    ]


def branches(patch_shape, n_outputs):
    """A network within a network, a layer used twice, and one of two outputs."""
    inputs = keras.Input(patch_shape)
    inner = keras.Sequential(
        [keras.layers.Conv2D(2, 3, name="within"), keras.layers.ReLU()]
    )
    x = keras.layers.Reshape((-1, 2), name="places")(inner(inputs))
    _, x = keras.layers.GRU(3, return_state=True, name="two")(x)
    again = keras.layers.Dense(3, name="twice")
    return keras.Model(inputs, keras.layers.Dense(n_outputs)(again(again(x))))


class Subclassed(keras.Model):
    def __init__(self, n_outputs):
        super().__init__()
        self.flatten = keras.layers.Flatten()
        self.dense = keras.layers.Dense(n_outputs)

    def call(self, inputs):
        return self.dense(self.flatten(inputs))


def subclassed(patch_shape, n_outputs):
    return Subclassed(n_outputs)


def test_layers_are_those_of_the_live_model(fitted):
    layers = fitted.model_.layers[:-1]  # probabilities are made of the logits
    assert [layer["name"] for layer in fitted.layers_] == [x.name for x in layers]
    assert [layer["output_shape"] for layer in fitted.layers_] == [
        x.output.shape[1:] for x in layers
    ]
    total = sum(layer["n_parameters"] for layer in fitted.layers_)
    assert total == fitted.model_.count_params()


def test_layers_within_networks_are_listed_once(tiny_cnn, bright_or_dark):
    X, y, _ = bright_or_dark
    layers = tiny_cnn.set_params(architecture=branches, epochs=1).fit(X, y).layers_
    names = [layer["name"] for layer in layers]
    assert names.count("within") == names.count("twice") == 1
    shapes = {layer["name"]: layer["output_shape"] for layer in layers}
    assert shapes["within"] == (10, 10, 2)
    assert shapes["two"] is None


@pytest.mark.filterwarnings("ignore:The network cannot be stored")
def test_layers_of_subclassed_networks_are_listed_without_shapes(
    tiny_cnn, bright_or_dark
):
    X, y, _ = bright_or_dark
    tiny_cnn.set_params(architecture=subclassed, epochs=1).fit(X, y)
    dense = tiny_cnn.layers_[-1]
    assert (dense["type"], dense["output_shape"]) == ("Dense", None)
    assert dense["n_parameters"] == 12 * 12 * 3 + 1
    assert "Network of 433 parameters" in shown(tiny_cnn)


def test_a_notebook_shows_classes_scores_and_layers(fitted):
    texts = shown(fitted)
    n_parameters = sum(weight.size for weight in fitted.weights_.values())
    assert f"Network of {n_parameters:,} parameters" in texts
    assert texts[texts.index("classes") + 1] == "0, 1"
    assert texts[texts.index("patches") + 1] == "12 x 12 x 3, uint8"
    assert texts[texts.index("epochs") + 1] == "2"
    last_loss = f"{fitted.history_['loss'][-1]:.4f}"
    assert texts[texts.index("loss, epoch 2") + 1] == last_loss
    conv = texts.index("block1_conv1")
    assert texts[conv + 1 : conv + 4] == ["Conv2D", "10 x 10 x 4", "112"]


def test_scores_are_of_the_epoch_that_early_stopping_kept(fitted):
    fitted.best_epoch_ = 1
    texts = shown(fitted)
    first_loss = f"{fitted.history_['loss'][0]:.4f}"
    assert texts[texts.index("loss, epoch 1") + 1] == first_loss


def test_within_a_pipeline_it_is_shown_too(fitted, bright_or_dark):
    X, y, _ = bright_or_dark
    assert "block1_conv1" in shown(make_pipeline(CenterCrop(10), fitted).fit(X, y))


def test_before_fit_there_is_nothing_of_it(tiny_cnn):
    assert "classes" not in shown(tiny_cnn)


def test_labels_are_escaped(fitted):
    fitted.classes_ = fitted.classes_.astype(str).astype(object)
    fitted.classes_[1] = "<b>"
    assert "0, &lt;b&gt;" in fitted._repr_html_()


def test_it_needs_no_tensorflow(fitted, tmp_path):
    file = tmp_path / "classifier.pkl"
    file.write_bytes(pickle.dumps(fitted))
    code = (
        "import pickle, sys; from pathlib import Path; "
        f"html = pickle.loads(Path({str(file)!r}).read_bytes())._repr_html_(); "
        "assert 'block1_conv1' in html; assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
