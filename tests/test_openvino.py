"""How OpenVINO compiles a network."""

import numpy as np
import pytest

from skhisto._openvino import compile_model

openvino = pytest.importorskip("openvino")


@pytest.fixture
def model():
    from openvino import opset13

    x = opset13.parameter([2, 3], np.float32)
    return openvino.Model([opset13.multiply(x, np.float32(2))], [x])


def test_a_compiled_network_returns_outputs_that_the_next_batch_does_not_change(model):
    run = compile_model(model, "float32", n_threads=1)
    first = run(np.ones((2, 3), np.float32))
    run(np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(first, np.full((2, 3), 2))


def test_threads_and_precision_are_set_and_threads_are_not_pinned(model, monkeypatch):
    compiled = []

    class Core(openvino.Core):
        def compile_model(self, *args):
            compiled.append(super().compile_model(*args))
            return compiled[-1]

    monkeypatch.setattr(openvino, "Core", Core)
    compile_model(model, "float32", n_threads=1)
    (network,) = compiled
    assert network.get_property("INFERENCE_NUM_THREADS") == 1
    assert network.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    assert network.get_property("ENABLE_CPU_PINNING") is False
