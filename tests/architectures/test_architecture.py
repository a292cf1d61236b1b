"""Architectures as values: comparing, copying, searching, naming and extending them."""

import functools
import pickle
import subprocess
import sys
from numbers import Integral

import keras
import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.utils._param_validation import Interval

from skhisto import CompactCNN, PatchCNNClassifier, ReferenceCNN
from skhisto.architectures import Architecture
from skhisto.architectures._names import ARCHITECTURES, as_builder

ALL = [ReferenceCNN, CompactCNN]


class MeanColour(Architecture):
    """An architecture as a user writes it: logits of the mean colour of a patch."""

    _parameter_constraints = {  # noqa: RUF012
        "units": [Interval(Integral, 1, None, closed="left")]
    }

    def __init__(self, *, units=4):
        self.units = units

    def build(self, patch_shape, n_outputs):
        layers = keras.layers
        return keras.Sequential(
            [
                keras.Input(patch_shape),
                layers.GlobalAveragePooling2D(),
                layers.Dense(self.units, activation="relu"),
                layers.Dense(n_outputs),
            ]
        )


class WiderColour(MeanColour):
    """A subclass with the same parameters."""


@given(st.lists(st.integers(1, 512), min_size=1, max_size=5))
def test_equal_filters_make_equal_architectures(filters):
    of_tuple = ReferenceCNN(filters=tuple(filters))
    assert of_tuple == ReferenceCNN(filters=filters)
    assert of_tuple == ReferenceCNN(filters=np.array(filters))
    assert of_tuple == ReferenceCNN(filters=[np.int64(n) for n in filters])
    assert of_tuple != ReferenceCNN(filters=[*filters, 1])


def test_numpy_numbers_equal_python_numbers():
    assert ReferenceCNN(dense_units=np.int64(256)) == ReferenceCNN()
    assert ReferenceCNN(dense_dropout=np.float64(0.5)) == ReferenceCNN()
    assert ReferenceCNN(dense_dropout=np.float64(0.25)) != ReferenceCNN()


@pytest.mark.parametrize("name", ReferenceCNN().get_params())
def test_architectures_with_one_other_parameter_are_not_equal(name):
    assert ReferenceCNN().set_params(**{name: "other"}) != ReferenceCNN()


def test_architectures_of_different_classes_are_not_equal():
    assert ReferenceCNN() != CompactCNN()
    assert MeanColour() != WiderColour()
    assert ReferenceCNN() != "reference"


def test_architectures_are_not_hashable():
    with pytest.raises(TypeError, match="unhashable"):
        hash(ReferenceCNN())


def test_parameters_can_be_read_and_set():
    architecture = ReferenceCNN(filters=(8, 16))
    assert architecture.get_params() == {
        "filters": (8, 16),
        "kernel_size": 3,
        "dense_units": 256,
        "conv_dropout": 0.3,
        "dense_dropout": 0.5,
        "padding": "auto",
        "batch_norm_momentum": 0.9,
    }
    assert architecture.set_params(dense_units=32) is architecture
    assert architecture == ReferenceCNN(filters=(8, 16), dense_units=32)
    with pytest.raises(ValueError, match="Invalid parameter 'units'"):
        architecture.set_params(units=32)


@pytest.mark.parametrize("architecture", [ReferenceCNN(filters=[4]), MeanColour()])
def test_a_clone_is_equal_and_independent(architecture):
    copy = clone(architecture)
    assert copy == architecture
    assert copy is not architecture
    (name, *_) = architecture.get_params()
    copy.set_params(**{name: 7})
    assert copy != architecture


def test_the_representation_shows_changed_parameters():
    assert repr(ReferenceCNN()) == "ReferenceCNN()"
    assert repr(CompactCNN(dropout=0.1)) == "CompactCNN(dropout=0.1)"
    assert repr(MeanColour(units=8)) == "MeanColour(units=8)"


@pytest.mark.parametrize("architecture", [ReferenceCNN(filters=(4,)), CompactCNN()])
def test_a_saved_architecture_is_loaded_as_an_equal_one(architecture):
    assert pickle.loads(pickle.dumps(architecture)) == architecture
    public_name = f"skhisto.{type(architecture).__name__}"
    saved = skops.io.dumps(architecture)
    assert skops.io.get_untrusted_types(data=saved) == [public_name]
    assert skops.io.loads(saved, trusted=[public_name]) == architecture


def test_public_classes_have_their_public_module():
    assert {cls.__module__ for cls in ALL} == {"skhisto"}
    assert Architecture.__module__ == "skhisto.architectures"


def test_architectures_are_created_copied_and_compared_without_keras():
    code = """
import pickle, sys
from sklearn.base import clone
from skhisto import CompactCNN, ReferenceCNN
from skhisto.architectures._names import as_builder
for architecture in (ReferenceCNN(filters=[4]), CompactCNN(dropout=0.1)):
    assert clone(architecture) == architecture
    assert pickle.loads(pickle.dumps(architecture)) == architecture
    repr(architecture), architecture._repr_html_(), architecture.get_params()
as_builder("reference"), as_builder("compact")
print([name for name in ("keras", "tensorflow") if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_each_call_builds_a_new_network_of_the_same_layers():
    architecture = ReferenceCNN(filters=(2,), dense_units=2)
    one, other = architecture((12, 12, 3), 1), architecture((12, 12, 3), 1)
    assert one is not other
    assert one.get_config() == other.get_config()


def test_a_subclass_can_be_trained_searched_and_cloned(bright_or_dark):
    X, y, _ = bright_or_dark
    classifier = PatchCNNClassifier(architecture=MeanColour(), epochs=1, random_state=0)
    assert classifier.get_params()["architecture__units"] == 4
    wider = clone(classifier).set_params(architecture__units=7)
    assert classifier.architecture == MeanColour(units=4)
    kernel, *_ = wider.fit(X, y).weights_.values()
    assert kernel.shape == (3, 7)


def test_the_parameters_of_a_subclass_are_validated():
    with pytest.raises(
        ValueError, match=r"'units' parameter of MeanColour must be .* Got 0 instead"
    ):
        MeanColour(units=0)((12, 12, 3), 1)


def test_an_architecture_must_implement_build():
    class Incomplete(Architecture):
        pass

    with pytest.raises(TypeError, match=r"abstract method '?build"):
        Incomplete()


@pytest.mark.parametrize(
    ("name", "expected"), [("reference", ReferenceCNN()), ("compact", CompactCNN())]
)
def test_a_name_is_an_architecture_with_default_parameters(name, expected):
    assert as_builder(name) == expected
    assert as_builder(name) is not as_builder(name)


def test_the_table_of_names_holds_architectures():
    for name in ARCHITECTURES:
        assert isinstance(as_builder(name), Architecture)


def test_an_architecture_and_a_function_are_used_as_they_are():
    def function(patch_shape, n_outputs):
        raise NotImplementedError

    for builder in (CompactCNN(), function, functools.partial(function, n_outputs=1)):
        assert as_builder(builder) is builder


def test_an_unknown_name_is_an_error_that_lists_the_names():
    names = ", ".join(map(repr, ARCHITECTURES))
    with pytest.raises(ValueError, match="Unknown architecture 'resnet'") as caught:
        as_builder("resnet")
    assert f"Available names: {names}. You can also pass" in str(caught.value)


@pytest.mark.parametrize("architecture", [ReferenceCNN, MeanColour, keras.Model])
def test_a_class_instead_of_an_object_is_an_error(architecture):
    name = architecture.__name__
    with pytest.raises(
        TypeError, match=rf"is the class {name}\. Create an instance: {name}\(\)\."
    ):
        as_builder(architecture)


def test_a_network_instead_of_a_function_is_an_error():
    network = ReferenceCNN(filters=(2,), dense_units=2)((12, 12, 3), 1)
    with pytest.raises(
        TypeError, match=r"architecture is a keras\.Model, .* Pass a function"
    ):
        as_builder(network)
