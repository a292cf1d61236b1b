import os
import random

import keras
import numpy as np
import pytest
from tensorflow.python.framework import config as tf_config

from skhisto._keras.compiling import compile_network, make_callbacks


def network(n_outputs=1):
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(n_outputs)])


@pytest.mark.parametrize(
    ("optimizer", "params"),
    [
        ("adam", {"beta_1": 0.8}),
        ("sgd", {"momentum": 0.7, "nesterov": True}),
        ("rmsprop", None),
    ],
)
def test_optimizers_are_built_from_their_name_and_parameters(optimizer, params):
    compiled = network()
    compile_network(compiled, optimizer, params)
    assert type(compiled.optimizer).__name__.lower() == optimizer
    for name, value in (params or {}).items():
        assert getattr(compiled.optimizer, name) == value


def test_the_loss_is_the_cross_entropy_of_logits():
    for n_outputs, target in [(1, [[1]]), (3, [[2]])]:
        compiled = network(n_outputs)
        compile_network(compiled, "sgd", None)
        logits = np.full((1, n_outputs), 0.5, np.float32)
        expected = np.log1p(np.exp(-0.5)) if n_outputs == 1 else np.log(3)
        loss = compiled.compute_loss(y=np.array(target), y_pred=logits)
        assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_an_unknown_optimizer_is_named():
    with pytest.raises(ValueError, match=r"optimizer='adm' is not the name .* 'adam'"):
        compile_network(network(), "adm", None)


def test_parameters_that_an_optimizer_does_not_take_are_named():
    with pytest.raises(
        ValueError, match=r"optimizer_params=\{'momentun': 1\} are invalid for"
    ):
        compile_network(network(), "sgd", {"momentun": 1})


def test_callbacks_are_built_from_names_and_parameters():
    (callback,) = make_callbacks({"ReduceLROnPlateau": {"factor": 0.25, "patience": 3}})
    assert isinstance(callback, keras.callbacks.ReduceLROnPlateau)
    assert (callback.factor, callback.patience) == (0.25, 3)


def test_callbacks_of_a_list_are_names_or_copied_instances():
    instance = keras.callbacks.ReduceLROnPlateau()
    by_name, copied = make_callbacks(["TerminateOnNaN", instance])
    assert isinstance(by_name, keras.callbacks.TerminateOnNaN)
    assert isinstance(copied, keras.callbacks.ReduceLROnPlateau)
    assert copied is not instance


def test_no_callbacks_are_an_empty_list():
    assert make_callbacks(None) == make_callbacks([]) == make_callbacks({}) == []


def test_an_unknown_callback_is_named():
    with pytest.raises(
        ValueError, match="'EarlyStoping', which is not the name of a Keras"
    ):
        make_callbacks(["EarlyStoping"])


def test_something_else_than_a_callback_is_an_error():
    with pytest.raises(TypeError, match=r"names of Keras callbacks or instances .* 3"):
        make_callbacks([3])


def test_scikeras_leaves_keras_classes_as_they_were():
    for cls in (
        keras.Model,
        keras.losses.Loss,
        keras.metrics.Metric,
        keras.optimizers.Optimizer,
    ):
        assert "__reduce__" not in vars(cls)
        assert "__deepcopy__" not in vars(cls)


def test_compiling_touches_no_global_state():
    uncompiled = network()
    states = random.getstate(), np.random.get_state()[1].tolist()
    compile_network(uncompiled, "adam", None)
    make_callbacks(["TerminateOnNaN"])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states
    assert not tf_config.is_op_determinism_enabled()
    assert "TF_DETERMINISTIC_OPS" not in os.environ
