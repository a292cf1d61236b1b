import threading
from dataclasses import replace

import keras
import numpy as np
import pytest

from skhisto._data.samples import Samples
from skhisto._keras.batches import TrainingBatches
from skhisto._keras.compiled_network import CompiledNetwork, borrow_network
from skhisto._keras.network import Ends, initial_network
from skhisto._keras.pool import POOL

OPTIMIZERS = [
    ("adadelta", None),
    ("adafactor", None),
    ("adagrad", None),
    ("adam", {"amsgrad": True}),
    ("adamax", None),
    ("adamw", None),
    ("ftrl", None),
    ("lion", None),
    ("nadam", None),
    ("rmsprop", {"momentum": 0.5, "centered": True}),
    ("sgd", {"momentum": 0.9}),
    ("adam", {"clipnorm": 1.0, "gradient_accumulation_steps": 2}),
]


def dropout_network(patch_shape, n_outputs):
    return keras.Sequential(
        [
            keras.layers.Flatten(),
            keras.layers.Dense(4),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(n_outputs),
        ]
    )


def described(builder, patch_shape, n_outputs, pixel_dtype, seed=0):
    ends = Ends(patch_shape, n_outputs, pixel_dtype)
    return initial_network(builder, ends, "float32", seed)


def described_dropout(seed=0):
    return described(dropout_network, (3, 3, 1), 1, "float32", seed)


SPEC = described_dropout().spec


def trained(network, seed=0, learning_rate=0.1, weights=None, n_rows=10):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 3, 3, 1))
    samples = Samples.from_arrays(X, np.arange(n_rows) % 2)
    batches = TrainingBatches(samples, batch_size=4, pixel_dtype="float32")
    weights = weights or described_dropout(seed).weights
    network.load(weights, None, learning_rate)
    callbacks = keras.callbacks.CallbackList(model=network.network)
    for epoch in range(2):
        logs = network.epoch(batches, seed, epoch, callbacks)
    return [*network.weights.values(), *network.optimizer_state.values()], logs


@pytest.mark.parametrize(
    ("optimizer", "params", "precision"),
    [
        *((*settings, "float32") for settings in OPTIMIZERS),
        ("adam", None, "bfloat16"),
        ("adam", None, "float16"),
        ("nadam", None, "float16"),
    ],
)
def test_a_used_network_trains_bitwise_as_a_new_one(optimizer, params, precision):
    spec = replace(SPEC, precision=precision)
    used = CompiledNetwork(spec, optimizer, params)
    trained(used, seed=1)
    new = CompiledNetwork(spec, optimizer, params)
    states, logs = trained(used)
    new_states, new_logs = trained(new)
    for state, new_state in zip(states, new_states, strict=True):
        np.testing.assert_array_equal(state, new_state)
    assert logs == new_logs


class CountingLayer(keras.layers.Layer):
    """Counts how often it is called: when it is built and when a graph is traced."""

    calls = 0

    def call(self, inputs):
        CountingLayer.calls += 1
        return inputs


def test_a_second_training_traces_no_graph():
    def counting_network(patch_shape, n_outputs):
        layers = dropout_network(patch_shape, n_outputs).layers
        return keras.Sequential([CountingLayer(), *layers])

    with pytest.warns(UserWarning, match="cannot be stored"):
        initial = described(counting_network, (3, 3, 1), 1, "float32")
    spec, weights = initial.spec, initial.weights
    with borrow_network(spec, "sgd", None) as network:
        trained(network, weights=weights)
    calls = CountingLayer.calls
    with borrow_network(spec, "sgd", None) as again:
        trained(again, weights=weights, seed=1, learning_rate=0.01, n_rows=7)
    assert again is network
    assert CountingLayer.calls == calls


@pytest.mark.parametrize(
    ("spec", "optimizer", "params"),
    [
        (described(dropout_network, (3, 3, 1), 1, "uint8").spec, "sgd", None),
        (described(dropout_network, (3, 3, 1), 3, "float32").spec, "sgd", None),
        (described(dropout_network, (3, 4, 1), 1, "float32").spec, "sgd", None),
        (replace(SPEC, precision="bfloat16"), "sgd", None),
        (SPEC, "adam", None),
        (SPEC, "sgd", {"clipnorm": 1.0}),
    ],
)
def test_other_settings_get_another_network(spec, optimizer, params):
    with borrow_network(SPEC, "sgd", None) as network:
        pass
    with borrow_network(spec, optimizer, params) as other:
        assert other is not network


def test_the_learning_rate_is_no_part_of_the_graph():
    with borrow_network(SPEC, "sgd", None) as network:
        slow, _ = trained(network, learning_rate=1e-6)
        fast, _ = trained(network, learning_rate=0.5)
    initial = next(iter(described_dropout().weights.values()))
    assert np.abs(fast[0] - initial).max() > 100 * np.abs(slow[0] - initial).max() > 0


@pytest.mark.filterwarnings("ignore:The model does not have any trainable weights")
def test_losses_and_accuracies_are_averages_over_rows_and_not_over_batches():
    spec = described(
        lambda shape, n: keras.Sequential([keras.layers.Flatten()]),
        (1, 1, 1),
        1,
        "float32",
    ).spec
    logits = np.array([3.0, -2.0, 0.5, 1.0, -1.0])
    target = np.array([1, 1, 0, 1, 0])
    weight = np.array([1.0, 2.0, 0.5, 1.0, 0.5])
    samples = Samples.from_arrays(
        logits.reshape(5, 1, 1, 1), target, sample_weight=weight
    )
    batches = TrainingBatches(samples, batch_size=2, pixel_dtype="float32")
    network = CompiledNetwork(spec, "sgd", None)
    callbacks = keras.callbacks.CallbackList(model=network.network)
    logs = network.epoch(batches, 0, 0, callbacks)
    losses = np.logaddexp(0, logits) - target * logits
    assert logs["loss"] == pytest.approx(np.sum(losses * weight) / 5, rel=1e-6)
    hits = (logits > 0) == target
    assert logs["accuracy"] == pytest.approx(np.average(hits, weights=weight), rel=1e-6)


def test_dropout_depends_on_seed_and_epoch():
    network = CompiledNetwork(SPEC, "sgd", None)
    seeds = []
    for seed, epoch in [(0, 0), (0, 1), (1, 0), (0, 0)]:
        network._seed_dropout(seed, epoch)
        seeds.append(tuple(np.concatenate([s.numpy() for s in network._seed_states])))
    assert seeds[0] == seeds[3]
    assert len(set(seeds)) == 3


def test_idle_networks_are_bounded():
    for n_outputs in range(2, 14):
        with borrow_network(
            described(dropout_network, (1, 1, 1), n_outputs, "uint8").spec, "sgd", None
        ):
            pass
    assert len(POOL._idle) <= 8


def test_order_and_dropout_differ_between_epochs():
    network = CompiledNetwork(SPEC, "sgd", None)
    seeds, orders = [], []

    class Batches(TrainingBatches):
        def epoch(self, seed):
            order = [batch.patches[:, 0, 0, 0] for batch in super().epoch(seed)]
            orders.append(np.concatenate(order).tolist())
            seeds.append([state.numpy().tolist() for state in network._seed_states])
            return super().epoch(seed)

    X = np.arange(10.0)[:, None, None, None] * np.ones((3, 3, 1))
    samples = Samples.from_arrays(X, np.arange(10) % 2)
    batches = Batches(samples, batch_size=5, pixel_dtype="float32")
    network.load(described_dropout().weights, None, 0.1)
    callbacks = keras.callbacks.CallbackList(model=network.network)
    for number in (0, 1, 0):
        network.epoch(batches, 0, number, callbacks)
    assert orders[0] == orders[2] != orders[1]
    assert seeds[0] == seeds[2] != seeds[1]


@pytest.mark.parametrize("fails", [False, True])
def test_an_epoch_that_ends_early_leaves_no_thread_behind(fails):
    class Ending(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if fails:
                raise RuntimeError("enough")
            self.model.stop_training = True

    network = CompiledNetwork(SPEC, "sgd", None)
    samples = Samples.from_arrays(np.zeros((40, 3, 3, 1)), np.arange(40) % 2)
    batches = TrainingBatches(samples, batch_size=5, pixel_dtype="float32")
    network.load(described_dropout().weights, None, 0.1)
    callbacks = keras.callbacks.CallbackList([Ending()], model=network.network)
    error = None
    try:
        network.epoch(batches, 0, 0, callbacks)
    except RuntimeError as raised:
        error = raised  # and with it the frames of the epoch
    assert bool(error) == fails
    names = [thread.name for thread in threading.enumerate()]
    assert not [name for name in names if name.startswith("skhisto")]


def statistics_of(network):
    (norm,) = (
        layer
        for layer in network.network.layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    return norm.moving_mean.numpy(), norm.moving_variance.numpy()


def dropout_before_norm(patch_shape, n_outputs):
    return keras.Sequential(
        [
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(n_outputs),
        ]
    )


@pytest.mark.parametrize("n_rows", [64, 192])
def test_statistics_are_those_of_the_patches_without_dropout(n_rows):
    initial = described(dropout_before_norm, (2, 1, 1), 1, "float32")
    X = np.random.default_rng(0).normal(3, 2, (n_rows, 2, 1, 1)).astype("f4")
    batches = TrainingBatches(
        Samples.from_arrays(X, np.arange(n_rows) % 2),
        batch_size=4,
        pixel_dtype="float32",
        augment=lambda patches, rng: patches * 9,
    )
    network = CompiledNetwork(initial.spec, "sgd", None)
    network.load(initial.weights, None, 0.1)
    network.estimate_statistics(batches, 0)
    mean, variance = statistics_of(network)
    np.testing.assert_allclose(mean, X.mean(axis=(0, 2, 3)), rtol=1e-4)
    # The mean over batches of 64 lacks the variance of their means.
    np.testing.assert_allclose(variance, X.var(axis=(0, 2, 3)), rtol=0.05)


def one_norm_frozen_one_within(patch_shape, n_outputs):
    """A network in which one batch norm is frozen, and one is of an inner network."""
    frozen = keras.layers.BatchNormalization(name="frozen", trainable=False)
    inner = keras.Sequential([keras.layers.BatchNormalization(name="inner")])
    head = [keras.layers.Flatten(), keras.layers.Dense(n_outputs)]
    return keras.Sequential([keras.Input(patch_shape), frozen, inner, *head])


def test_batch_norm_within_networks_is_measured_and_frozen_one_left_alone():
    initial = described(one_norm_frozen_one_within, (2, 1, 1), 1, "float32")
    X = np.random.default_rng(0).normal(3, 2, (64, 2, 1, 1)).astype("f4")
    samples = Samples.from_arrays(X, np.arange(64) % 2)
    batches = TrainingBatches(samples, batch_size=4, pixel_dtype="float32")
    network = CompiledNetwork(initial.spec, "sgd", None)
    network.load(initial.weights, None, 0.1)
    network.estimate_statistics(batches, 0)
    (frozen,) = (w for name, w in network.weights.items() if "frozen/moving_m" in name)
    (inner,) = (w for name, w in network.weights.items() if "inner/moving_m" in name)
    assert frozen == 0
    np.testing.assert_allclose(inner, X.mean(), rtol=1e-2)


def test_measuring_statistics_changes_nothing_else():
    network = CompiledNetwork(SPEC, "adam", None)
    states, _ = trained(network)
    samples = Samples.from_arrays(np.ones((10, 3, 3, 1)), np.arange(10) % 2)
    batches = TrainingBatches(samples, batch_size=4, pixel_dtype="float32")
    network.estimate_statistics(batches, 0)
    changed = [
        name
        for (name, value), before in zip(network.weights.items(), states, strict=False)
        if not np.array_equal(value, before)
    ]
    assert [name.rpartition("/")[2] for name in changed] == [
        "moving_mean",
        "moving_variance",
    ]
    rates = [layer.rate for layer in network.network.layers if hasattr(layer, "rate")]
    assert rates == [0.5]
    again, _ = trained(network)
    for state, state_again in zip(states, again, strict=True):
        np.testing.assert_array_equal(state, state_again)
