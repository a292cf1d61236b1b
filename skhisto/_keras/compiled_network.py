"""A compiled network that trains one epoch at a time."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from skhisto._keras.batches import Batch, TrainingBatches
from skhisto._keras.compiling import compile_network
from skhisto._keras.fast_layers import (
    averaging_statistics,
    use_faster_layers,
)
from skhisto._keras.network import NetworkSpec
from skhisto._keras.pool import POOL
from skhisto._keras.weights import Weights, by_name, set_weights

Logs = dict[str, float]


class RunningMeans:
    """Means of loss and accuracy over the batches of an epoch."""

    def __init__(self) -> None:
        self._loss = self._correct = self._n_rows = self._weight = 0.0

    def add(self, metrics: Logs, batch: Batch) -> None:
        """Add the metrics of a batch."""
        self._loss += metrics["loss"] * batch.n_rows
        self._correct += metrics["accuracy"] * batch.total_weight
        self._n_rows += batch.n_rows
        self._weight += batch.total_weight

    @property
    def logs(self) -> Logs:
        """The means."""
        return {
            "loss": self._loss / self._n_rows,
            "accuracy": self._correct / self._weight,
        }


class CompiledNetwork:
    """A compiled network with a traced training step.

    `load` sets all of its state, except the seeds of random numbers, which are set at
    the start of each epoch. Therefore a new network and a reused network give the same
    results.
    """

    def __init__(
        self,
        spec: NetworkSpec,
        optimizer: str,
        optimizer_params: Mapping[str, Any] | None,
    ) -> None:
        self.optimizer = optimizer
        self.network = spec.build()
        use_faster_layers(self.network)
        compile_network(self.network, optimizer, optimizer_params)
        self.network.optimizer.build(self.network.trainable_variables)
        self._optimizer_variables = _variables_of(self.network.optimizer)
        # The variables of some optimizers do not start at zero.
        self._fresh_optimizer = [v.numpy() for v in self._optimizer_variables]
        weights = {id(weight) for weight in self.network.weights}
        self._seed_states = [v for v in self.network.variables if id(v) not in weights]
        self._has_batch_norm = any(
            isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
            for layer in self.network._flatten_layers()
        )
        # One trace serves batches of any size.
        ends = spec.ends
        self._patches_spec = tf.TensorSpec((None, *ends.patch_shape), ends.pixel_dtype)
        self._step = tf.function(
            lambda *batch: self.network.train_step(batch), autograph=False
        ).get_concrete_function(
            self._patches_spec,
            tf.TensorSpec((None, 1), tf.int32),
            tf.TensorSpec((None,), tf.float32),
        )
        self._traced = self._what_is_traced()

    def check_unchanged(self) -> None:
        """Check that the network still matches its traced training step.

        Raises
        ------
        ValueError
            If a callback has replaced or reconfigured a part of the network. The traced
            step would ignore this.
        """
        now = self._what_is_traced()
        changed = [name for name, value in self._traced.items() if now[name] != value]
        if changed:
            raise ValueError(
                f"A callback has changed the network during training: "
                f"{', '.join(changed)}. The training step is compiled before the "
                "callbacks run, so this change has no effect. Set optimizer, "
                "learning_rate_schedule or architecture of the classifier instead. "
                "Callbacks may change the weights and assign a number to the learning "
                "rate."
            )

    def _what_is_traced(self) -> dict[str, Any]:
        """Describe everything that the traced step depends on except variables."""
        network = self.network
        # Loss scaling wraps the optimizer that has the learning rate.
        optimizer = getattr(network.optimizer, "inner_optimizer", network.optimizer)
        layers = list(network._flatten_layers())
        return {
            "its optimizer": id(optimizer),
            "its learning rate": id(optimizer._learning_rate),
            "its optimizer's settings": _settings_of(optimizer),
            "its training step": (
                id(vars(network).get("train_step")),
                network.run_eagerly,
            ),
            "its loss or metrics": (
                id(network._compile_loss),
                id(network._compile_metrics),
            ),
            "its trainable flags": [(id(v), v.trainable) for v in network.weights]
            + [layer.trainable for layer in layers],
            "its layers": [
                (id(layer), id(vars(layer).get("call")), _settings_of(layer))
                for layer in layers
            ],
        }

    def load(
        self,
        weights: Weights,
        optimizer_state: Weights | None,
        learning_rate: float,
    ) -> None:
        """Set the weights, and the optimizer to the given state or to a new state."""
        state = self._fresh_optimizer
        if optimizer_state is not None and self._has_variables(optimizer_state):
            state = list(optimizer_state.values())
        self._load(weights, state)
        self.network.optimizer.learning_rate = learning_rate

    def load_resumed(self, weights: Weights, optimizer_state: Weights | None) -> None:
        """Set the weights and the optimizer to a state of the same fit.

        Unlike `load`, this also restores the learning rate.

        Raises
        ------
        ValueError
            If the state belongs to another optimizer or to other weights.
        """
        if optimizer_state is None or not self._has_variables(optimizer_state):
            raise ValueError(
                "The state of the optimizer does not match the optimizer "
                f"{self.optimizer!r} and the weights of this network."
            )
        self._load(weights, list(optimizer_state.values()))

    def _load(self, weights: Weights, optimizer_state: list[np.ndarray]) -> None:
        set_weights(self.network, weights)
        variables = self._optimizer_variables
        for variable, value in zip(variables, optimizer_state, strict=True):
            variable.assign(value)
        self.network.stop_training = False
        self.statistics_are_old = True

    def _has_variables(self, optimizer_state: Weights) -> bool:
        """Return whether a state belongs to this optimizer and its variables."""
        given, own = (
            [(name, value.shape) for name, value in state.items()]
            for state in (optimizer_state, self.optimizer_state)
        )
        return given == own

    @property
    def weights(self) -> Weights:
        """The weights by name, in the order of the network."""
        return by_name(self.network.weights)

    @property
    def optimizer_state(self) -> Weights:
        """The variables of the optimizer by name, in its order."""
        # Keras numbers its optimizers, so the names would differ between networks.
        return by_name(self._optimizer_variables, root=self.optimizer)

    def epoch(
        self,
        batches: TrainingBatches,
        seed: int,
        number: int,
        callbacks: keras.callbacks.CallbackList,
        learning_rates: np.ndarray | None = None,
    ) -> Logs:
        """Train for one epoch. The random numbers depend on `seed` and `number`.

        `learning_rates` contains one value for each step. None keeps the learning rate
        of the optimizer.
        """
        self._seed_dropout(seed, number)
        self.statistics_are_old = True
        means = RunningMeans()
        # Closing ends the background thread, also if a callback fails.
        with closing(batches.epoch([seed, number])) as epoch:
            for step, batch in enumerate(epoch):
                if learning_rates is not None:
                    self.network.optimizer.learning_rate = learning_rates[step]
                callbacks.on_train_batch_begin(step)
                means.add(self._train_on(batch), batch)
                callbacks.on_train_batch_end(step, means.logs)
                if self.network.stop_training:
                    break
        return means.logs

    def _train_on(self, batch: Batch) -> Logs:
        # Keras would average over batches regardless of their numbers of rows.
        self.network.reset_metrics()
        metrics = self._step(
            tf.constant(batch.patches),
            tf.constant(batch.target[:, np.newaxis], tf.int32),
            tf.constant(batch.weight),
        )
        return {name: float(metrics[name]) for name in ("loss", "accuracy")}

    def estimate_statistics(self, batches: TrainingBatches, seed: int) -> None:
        """Measure the statistics of batch normalisation for the current weights.

        The running statistics of training come from earlier weights, and from
        activations with dropout, which have another variance [1]_. After few steps,
        predictions that use them can be far off. Therefore this method measures the
        statistics without dropout and augmentation, as means over batches of training
        patches [2]_. The seed determines the patches. The method does nothing unless
        `statistics_are_old` is True.

        References
        ----------
        .. [1] X. Li, S. Chen, X. Hu, J. Yang. "Understanding the Disharmony Between
           Dropout and Batch Normalization by Variance Shift". CVPR 2019.
        .. [2] Y. Wu, J. Johnson. "Rethinking 'Batch' in BatchNorm". arXiv:2105.07576,
           2021: "precise" statistics.
        """
        if not (self._has_batch_norm and self.statistics_are_old):
            return
        with closing(batches.sample(seed)) as sample:
            for position, patches in enumerate(sample, start=1):
                self._average(tf.constant(patches), tf.constant(1 / position))
        self.statistics_are_old = False

    @cached_property
    def _average(self) -> Callable[[tf.Tensor, tf.Tensor], None]:
        """A traced function that adds a batch to the statistics with a weight."""

        def average(patches: tf.Tensor, share: tf.Tensor) -> None:
            with averaging_statistics(self.network, share):
                self.network(patches, training=True)

        return tf.function(average, autograph=False).get_concrete_function(
            self._patches_spec, tf.TensorSpec((), tf.float32)
        )

    def _seed_dropout(self, seed: int, epoch: int) -> None:
        for position, state in enumerate(self._seed_states):
            numbers = np.random.SeedSequence([seed, epoch, position])
            # The state of a Keras generator is a seed and a counter.
            state.assign([numbers.generate_state(1)[0] >> 1, 0])


def _settings_of(part: keras.optimizers.Optimizer | keras.layers.Layer) -> str | None:
    """Return the configuration of an optimizer or layer, if it has one."""
    if isinstance(part, keras.Model):
        return None  # its layers are described separately
    try:
        config = part.get_config()
    except Exception:  # user-defined layers raise many types
        return None
    config.pop("learning_rate", None)
    return repr(config)


def _variables_of(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Return all variables, including a variable of Nadam that loss scaling omits."""
    variables = list(optimizer.variables)
    listed = {id(variable) for variable in variables}
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    return variables + [
        value
        for value in vars(inner).values()
        if isinstance(value, keras.Variable) and id(value) not in listed
    ]


@contextmanager
def borrow_network(
    spec: NetworkSpec, optimizer: str, optimizer_params: Mapping[str, Any] | None
) -> Iterator[CompiledNetwork]:
    """Lend a compiled network from the pool. Its state is unknown."""
    # The settings of an optimizer are part of its trace, except the learning rate.
    settings = sorted((optimizer_params or {}).items())
    key = ("training", spec, optimizer, settings)
    with POOL.borrow(
        key, lambda: CompiledNetwork(spec, optimizer, optimizer_params)
    ) as network:
        yield network
