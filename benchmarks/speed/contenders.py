"""The libraries that train and predict, used as their users use them.

All contenders have the same methods. `prepare` receives uint8 patches and does all that
is done once. `train` and `predict` process the first n of these patches in batches of
64, including all conversions, scaling and copies. `note` returns a remark for readers.
Every contender runs in its own process, which imports only the library it needs.
"""

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from benchmarks.machine import n_cores
from benchmarks.networks import N_PARAMETERS, keras_network, torch_network

BATCH_SIZE = 64


class Contender:
    """Base class, which keeps the patches."""

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Keep the patches."""
        self._X, self._y = X, y

    def note(self, method: str) -> str:
        """Return no remark."""
        return ""


class Skhisto(Contender):
    """`PatchCNNClassifier` for one epoch, with its defaults otherwise."""

    def __init__(
        self, precision: str, engine: str = "keras", **parameters: Any
    ) -> None:
        from skhisto import PatchCNNClassifier

        self._classifier = PatchCNNClassifier(
            **{"batch_size": BATCH_SIZE} | parameters,
            epochs=1,
            augment=None,  # like the other contenders
            precision=precision,
            engine=engine,
            random_state=0,
        )

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Fit once, because prediction needs a fitted classifier."""
        super().prepare(X, y)
        self.train(BATCH_SIZE)
        if self._classifier.architecture == "reference":
            _check_n_parameters(self._classifier.model_.count_params())

    def train(self, n_patches: int) -> None:
        """Fit again with the same compiled network."""
        self._classifier.fit(self._X[:n_patches], self._y[:n_patches])

    def predict(self, n_patches: int) -> np.ndarray:
        """Predict."""
        return self._classifier.predict_proba(self._X[:n_patches])

    def note(self, method: str) -> str:
        """Return the precision that was chosen."""
        return f"computes in {self._classifier.precision_}"


class Keras(Contender):
    """`Sequential.fit` and `Sequential.predict`, compiled with Adam."""

    def __init__(self, policy: str = "float32") -> None:
        import keras

        keras.config.set_dtype_policy(policy)
        keras.utils.set_random_seed(0)
        self._network = keras_network()
        self._network.compile("adam", "binary_crossentropy", metrics=["accuracy"])
        _check_n_parameters(self._network.count_params())

    def train(self, n_patches: int) -> None:
        """Continue the training with the same graph."""
        X, y = self._X[:n_patches], self._y[:n_patches]
        self._network.fit(X, y, batch_size=BATCH_SIZE, epochs=1, verbose=0)

    def predict(self, n_patches: int) -> None:
        """Predict."""
        X = self._X[:n_patches]
        self._network.predict(X, batch_size=BATCH_SIZE, verbose=0)

    def note(self, method: str) -> str:
        """Return how it is used."""
        return "stock layers, graph mode"


class Scikeras(Contender):
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
        """Train once, because prediction needs a fitted classifier."""
        super().prepare(X, y)
        self.train(BATCH_SIZE)
        _check_n_parameters(self._classifier.model_.count_params())

    def train(self, n_patches: int) -> None:
        """Train with partial_fit, because fit would trace a new graph each time."""
        self._classifier.partial_fit(self._X[:n_patches], self._y[:n_patches])

    def predict(self, n_patches: int) -> None:
        """Predict."""
        self._classifier.predict_proba(self._X[:n_patches])

    def note(self, method: str) -> str:
        """Return how it is used."""
        return "partial_fit, which keeps its graph" if method == "train" else ""


class Skorch(Contender):
    """`NeuralNetBinaryClassifier` with PyTorch, channels last."""

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
        # PyTorch does not count the statistics of batch normalisation as parameters.
        module = self._classifier.module_
        counted = [b for n, b in module.named_buffers() if "num_batches" not in n]
        _check_n_parameters(sum(p.numel() for p in [*module.parameters(), *counted]))

    def train(self, n_patches: int) -> None:
        """Continue the training for an epoch."""
        y = self._y[:n_patches].astype(np.float32)
        self._classifier.partial_fit(self._X[:n_patches], y)

    def predict(self, n_patches: int) -> None:
        """Predict."""
        self._classifier.predict_proba(self._X[:n_patches])

    def note(self, method: str) -> str:
        """Return how it is used."""
        notes = ["partial_fit"] if method == "train" else []
        return "; ".join([*notes, *autocast_notes(self._precision)])


class OnnxRuntime(Contender):
    """ONNX Runtime on all cores of the CPU, only for prediction.

    Parameters
    ----------
    file : Path
    expected : ndarray
        Outputs for the first patches.
    limit : float
        Allowed difference from them.
    """

    def __init__(self, file: Path, expected: np.ndarray, limit: float) -> None:
        self._expected, self._limit = expected, limit
        self._difference = 0.0
        self._load(file)

    def _load(self, file: Path) -> None:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = n_cores()
        self._session = onnxruntime.InferenceSession(
            file, settings, providers=["CPUExecutionProvider"]
        )

    def _run(self, batch: np.ndarray) -> np.ndarray:
        return self._session.run(None, {"patches": batch})[0]

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Check the predictions of the first batch."""
        super().prepare(X, y)
        got = self.predict(len(self._expected)).ravel()
        self._difference = float(np.abs(got - self._expected.ravel()).max())
        if not self._difference <= self._limit:
            raise ValueError(
                f"outputs differ by up to {self._difference:.2g}, which is more than "
                f"{self._limit}: not timed"
            )

    def predict(self, n_patches: int) -> np.ndarray:
        """Predict batch by batch."""
        return np.concatenate(list(map(self._run, batches(self._X[:n_patches]))))

    def note(self, method: str) -> str:
        """Return the largest difference from the expected outputs."""
        return f"differs by up to {self._difference:.1e}"


class OpenVino(OnnxRuntime):
    """OpenVINO on the CPU, only for prediction.

    Parameters
    ----------
    file, expected, limit : as in OnnxRuntime
    precision : {"float32", "bfloat16"}
        A hint, which OpenVINO may ignore.
    """

    HINTS: ClassVar[dict[str, str]] = {"float32": "f32", "bfloat16": "bf16"}

    def __init__(
        self, file: Path, expected: np.ndarray, limit: float, precision: str
    ) -> None:
        self._hint = self.HINTS[precision]
        super().__init__(file, expected, limit)

    def _load(self, file: Path) -> None:
        import openvino

        settings = {"INFERENCE_PRECISION_HINT": self._hint}
        self._network = openvino.Core().compile_model(file, "CPU", settings)

    def _run(self, batch: np.ndarray) -> np.ndarray:
        return self._network(batch)[0].copy()  # the next call overwrites the output

    def note(self, method: str) -> str:
        """Return the precision that OpenVINO uses, and the difference."""
        used = self._network.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        return f"computes in {used}; {super().note(method)}"


class SavedModel(OnnxRuntime):
    """A SavedModel in TensorFlow, only for prediction."""

    def _load(self, file: Path) -> None:
        import tensorflow as tf

        self._model = tf.saved_model.load(str(file))
        self._constant = tf.constant

    def _run(self, batch: np.ndarray) -> np.ndarray:
        predict = self._model.signatures["serving_default"]
        return predict(patches=self._constant(batch))["probabilities"].numpy()


def runtimes(
    onnx: Path, openvino: Path, expected: np.ndarray, limits: dict[str, float]
) -> dict[str, Any]:
    """Return the contenders that run an exported network.

    Parameters
    ----------
    onnx, openvino : Path
        OpenVINO reads its own files and ONNX files.
    expected : ndarray
        Outputs for the first patches.
    limits : dict of str to float
        Allowed differences from them, by precision.
    """
    float32, bfloat16 = limits["float32"], limits["bfloat16"]
    return {
        "ONNX Runtime, float32": (OnnxRuntime, (onnx, expected, float32)),
        "OpenVINO, float32": (OpenVino, (openvino, expected, float32, "float32")),
        "OpenVINO, bfloat16 hint": (
            OpenVino,
            (openvino, expected, bfloat16, "bfloat16"),
        ),
    }


def autocast_notes(precision: str) -> list[str]:
    """Return remarks on bfloat16 in PyTorch."""
    import torch

    if precision == "float32":
        return []
    if torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return ["autocast"]
    return ["autocast", "bfloat16 is not native on this CPU"]


def batches(X: np.ndarray, size: int = BATCH_SIZE) -> list[np.ndarray]:
    """Split an array into batches."""
    return [X[start : start + size] for start in range(0, len(X), size)]


def _check_n_parameters(n_parameters: int) -> None:
    if n_parameters != N_PARAMETERS:
        raise ValueError(
            f"the network has {n_parameters:,} parameters instead of {N_PARAMETERS:,}"
        )
