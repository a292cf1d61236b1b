"""Who trains and predicts: skhisto and its peers, as their users use them.

All have the same methods. `prepare` gets the uint8 patches and makes all that is made
once, `train` and `predict` go end to end from the first n of these patches, in batches
of 64, and `note` says what a reader should know. What has to be converted, scaled or
copied on the way counts. Every contender is made in a process of its own, which imports
its library and no other's.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from benchmarks.machine import n_cores
from benchmarks.networks import N_PARAMETERS, keras_network, torch_network
from benchmarks.onnx_export import LARGEST_DIFFERENCE, check_agreement

BATCH_SIZE = 64


class Skhisto:
    """`PatchCNNClassifier` with its defaults, but for one epoch."""

    def __init__(self, precision: str, engine: str = "keras") -> None:
        import tensorflow  # noqa: F401  # skhisto imports it in the first fit

        from skhisto import PatchCNNClassifier

        self._classifier = PatchCNNClassifier(
            epochs=1,
            batch_size=BATCH_SIZE,
            augment=None,  # as the others
            precision=precision,
            engine=engine,
            random_state=0,
        )

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Fit once, so that there is something to predict with."""
        self._X, self._y = X, y
        self.train(BATCH_SIZE)
        n_parameters = self._classifier.model_.count_params()
        _check_n_parameters(n_parameters)

    def train(self, n_patches: int) -> None:
        """Fit anew; the compiled network is reused."""
        self._classifier.fit(self._X[:n_patches], self._y[:n_patches])

    def predict(self, n_patches: int) -> None:
        """Predict."""
        self._classifier.predict_proba(self._X[:n_patches])

    def note(self, method: str) -> str:
        """Return the precision that was chosen."""
        return f"computes in {self._classifier.precision_}"


class Keras:
    """`Sequential.fit` and `Sequential.predict`, compiled with Adam."""

    def __init__(self, policy: str = "float32") -> None:
        import keras

        keras.config.set_dtype_policy(policy)
        keras.utils.set_random_seed(0)
        self._network = keras_network()
        self._network.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        _check_n_parameters(self._network.count_params())

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Keep the patches."""
        self._X, self._y = X, y

    def train(self, n_patches: int) -> None:
        """Go on training; the graph is reused."""
        X, y = self._X[:n_patches], self._y[:n_patches]
        self._network.fit(X, y, batch_size=BATCH_SIZE, epochs=1, verbose=0)

    def predict(self, n_patches: int) -> None:
        """Predict."""
        X = self._X[:n_patches]
        self._network.predict(X, batch_size=BATCH_SIZE, verbose=0)

    def note(self, method: str) -> str:
        """Return how it is used."""
        return "stock layers, graph mode"


class Scikeras:
    """`KerasClassifier` with the same network."""

    def __init__(self) -> None:
        import keras
        from scikeras.wrappers import KerasClassifier

        keras.utils.set_random_seed(0)
        self._classifier = KerasClassifier(
            model=keras_network,
            loss="binary_crossentropy",
            optimizer="adam",
            metrics=["accuracy"],
            batch_size=BATCH_SIZE,
            epochs=1,
            verbose=0,
        )

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Train once, so that there is something to predict with."""
        self._X, self._y = X, y
        self.train(BATCH_SIZE)
        _check_n_parameters(self._classifier.model_.count_params())

    def train(self, n_patches: int) -> None:
        """Train by partial_fit: fit would trace a new graph each time."""
        self._classifier.partial_fit(self._X[:n_patches], self._y[:n_patches])

    def predict(self, n_patches: int) -> None:
        """Predict."""
        self._classifier.predict_proba(self._X[:n_patches])

    def note(self, method: str) -> str:
        """Return how it is used."""
        return "partial_fit, which keeps its graph" if method == "train" else ""


class Skorch:
    """`NeuralNetBinaryClassifier` around PyTorch, channels last."""

    def __init__(self, precision: str) -> None:
        import torch
        from skorch import NeuralNetBinaryClassifier

        torch.set_num_threads(n_cores())
        torch.manual_seed(0)
        self._precision = precision
        self._classifier = NeuralNetBinaryClassifier(
            torch_network(autocast=precision == "bfloat16"),
            optimizer=torch.optim.Adam,
            lr=1e-3,
            max_epochs=1,
            batch_size=BATCH_SIZE,
            iterator_train__shuffle=True,
            train_split=None,
            verbose=0,
        ).initialize()

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Keep the patches."""
        self._X, self._y = X, y.astype(np.float32)
        # PyTorch does not count the statistics of batch normalisation as parameters.
        module = self._classifier.module_
        counted = [b for n, b in module.named_buffers() if "num_batches" not in n]
        _check_n_parameters(sum(p.numel() for p in [*module.parameters(), *counted]))

    def train(self, n_patches: int) -> None:
        """Go on training for an epoch."""
        self._classifier.partial_fit(self._X[:n_patches], self._y[:n_patches])

    def predict(self, n_patches: int) -> None:
        """Predict."""
        self._classifier.predict_proba(self._X[:n_patches])

    def note(self, method: str) -> str:
        """Return how it is used."""
        import torch

        notes = ["partial_fit"] if method == "train" else []
        if self._precision == "bfloat16":
            notes.append("autocast")
            if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
                notes.append("bfloat16 is not native on this CPU")
        return "; ".join(notes)


class OnnxRuntime:
    """ONNX Runtime on the CPU, with all cores; predicts only."""

    def __init__(
        self,
        file: Path,
        expected: np.ndarray,
        limits: Mapping[str, float] = LARGEST_DIFFERENCE,
    ) -> None:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = n_cores()
        self._session = onnxruntime.InferenceSession(
            file, settings, providers=["CPUExecutionProvider"]
        )
        self._expected, self._limits = expected, limits

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Check the predictions of the first batch."""
        self._X = X
        got = self.predict(len(self._expected))
        check_agreement(got, self._expected, self._limits["float32"])

    def predict(self, n_patches: int) -> np.ndarray:
        """Predict batch by batch."""
        batches = _batches(self._X[:n_patches])
        return np.concatenate(
            [self._session.run(None, {"patches": batch})[0] for batch in batches]
        )

    def note(self, method: str) -> str:
        """Return how it is used."""
        return "float32; same outputs as PyTorch"


class OpenVino:
    """OpenVINO on the CPU, with a hint on precision; predicts only."""

    HINTS: ClassVar[dict[str, str]] = {"float32": "f32", "bfloat16": "bf16"}

    def __init__(
        self,
        file: Path,
        expected: np.ndarray,
        precision: str,
        limits: Mapping[str, float] = LARGEST_DIFFERENCE,
    ) -> None:
        import openvino

        self._network = openvino.Core().compile_model(
            file,
            "CPU",
            {"INFERENCE_PRECISION_HINT": self.HINTS[precision]},
        )
        self._expected, self._limit = expected, limits[precision]

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Check the predictions of the first batch."""
        self._X = X
        got = self.predict(len(self._expected))
        check_agreement(got, self._expected, self._limit)

    def predict(self, n_patches: int) -> np.ndarray:
        """Predict batch by batch."""
        batches = _batches(self._X[:n_patches])
        # The next batch overwrites what a call returns.
        return np.concatenate([self._network(batch)[0].copy() for batch in batches])

    def note(self, method: str) -> str:
        """Return the precision that OpenVINO uses."""
        used = self._network.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        return f"computes in {used}; same outputs as PyTorch"


def _batches(X: np.ndarray) -> list[np.ndarray]:
    return [X[start : start + BATCH_SIZE] for start in range(0, len(X), BATCH_SIZE)]


def _check_n_parameters(n_parameters: int) -> None:
    if n_parameters != N_PARAMETERS:
        raise ValueError(
            f"the network has {n_parameters:,} parameters instead of {N_PARAMETERS:,}"
        )
