import pytest
import tensorflow as tf

from skhisto import ReferenceCNN
from skhisto._keras import precision
from skhisto._keras.network import Ends, initial_network


@pytest.fixture
def machine(monkeypatch):
    """Pretend that this is a machine of another kind."""

    def pretend(cpu_flags=(), gpus=(), onednn=None):
        monkeypatch.setattr(precision, "_cpu_flags", lambda: set(cpu_flags))
        monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: list(gpus))
        monkeypatch.setattr(
            tf.config.experimental,
            "get_device_details",
            lambda gpu: {"compute_capability": gpu},
        )
        monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
        if onednn is not None:
            monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", onednn)
        precision.explain_auto.cache_clear()

    yield pretend
    precision.explain_auto.cache_clear()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ({"cpu_flags": ["avx2", "fma"]}, "float32"),
        ({"cpu_flags": ["avx2", "avx512f"]}, "float32"),
        ({"cpu_flags": ["avx512f", "avx512_bf16"]}, "bfloat16"),
        ({"cpu_flags": ["amx_bf16"]}, "bfloat16"),
        ({"cpu_flags": ["amx_bf16"], "onednn": "1"}, "bfloat16"),
        ({"cpu_flags": ["amx_bf16"], "onednn": "0"}, "float32"),
        ({"cpu_flags": ["amx_bf16"], "onednn": "False"}, "float32"),
        ({"gpus": [(8, 0)]}, "bfloat16"),
        ({"gpus": [(7, 5)]}, "float32"),
        ({"gpus": [(7, 5)], "cpu_flags": ["amx_bf16"]}, "float32"),
        ({"gpus": [(9, 0), (7, 0)]}, "float32"),
    ],
)
def test_auto_takes_bfloat16_only_where_it_is_native(machine, kind, expected):
    machine(**kind)
    assert precision.resolve("auto") == expected


def test_auto_decides_once_in_a_process(machine, monkeypatch):
    machine(cpu_flags=["amx_bf16"])
    assert precision.resolve("auto") == "bfloat16"
    monkeypatch.setattr(precision, "_cpu_flags", set)
    assert precision.resolve("auto") == "bfloat16"


def test_a_precision_that_is_named_is_taken_everywhere(machine):
    machine()
    for name in ("float32", "bfloat16", "float16"):
        assert precision.resolve(name) == name


def test_a_precision_that_there_is_not_is_an_error():
    with pytest.raises(
        ValueError, match=r"precision must be one of \['float32'.*; got 'float64'"
    ):
        precision.resolve("float64")


def test_the_processor_has_features_or_the_system_does_not_tell():
    flags = precision._cpu_flags()
    assert not flags or all(flag.replace("_", "").isalnum() for flag in flags)


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_only_the_layers_between_pixels_and_logits_compute_in_few_bits(name):
    architecture = ReferenceCNN(filters=(4,), dense_units=8)
    ends = Ends((12, 12, 3), 1, "uint16")
    network = initial_network(architecture, ends, name, seed=0).spec.build()
    computed = {layer.name: layer.compute_dtype for layer in network.layers}
    for layer in ("skhisto_rescaling", "logits"):
        assert computed.pop(layer) == "float32"
    del computed["skhisto_patches"]
    assert set(computed.values()) == {name}
    assert {variable.dtype for variable in network.weights} == {"float32"}
