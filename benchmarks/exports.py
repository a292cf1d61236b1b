"""Predicting with exports: each in its own runtime, next to `predict_proba`."""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.contenders import BATCH_SIZE, OnnxRuntime, OpenVino
from benchmarks.contest import Contest, Entry
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.table import Section, Table
from benchmarks.throughput import measure_throughput

ARCHITECTURES = {
    "reference network": "reference",
    "EfficientNet-Lite0": "efficientnet_lite0",
}
PREDICT_PROBA = "predict_proba, {}"
RATIO = {"predict_proba float32 / this": PREDICT_PROBA.format("float32")}
ONNX, OPENVINO, SAVED_MODEL = "network.onnx", "network.xml", "network"
CLASSIFIER = "classifier.joblib"


class Exporter:
    """A fitted classifier that writes all of its exports.

    Parameters
    ----------
    architecture : str
    epochs : int
    """

    def __init__(self, architecture: str, epochs: int) -> None:
        from skhisto import PatchCNNClassifier

        self._classifier = PatchCNNClassifier(
            architecture=architecture, epochs=epochs, random_state=0
        ).fit(*many_patches(128, 96))

    def export(self, folder: Path, n_patches: int) -> np.ndarray:
        """Write the files, and return the probabilities of the first patches."""
        import joblib

        from skhisto.export import export_onnx, export_openvino, export_saved_model

        export_onnx(self._classifier, folder / ONNX)
        export_openvino(self._classifier, folder / OPENVINO)
        export_saved_model(self._classifier, folder / SAVED_MODEL)
        joblib.dump(self._classifier, folder / CLASSIFIER)
        return self._classifier.predict_proba(many_patches(n_patches, 96)[0])


class WithDifference:
    """Mixin of contenders that compare their first batch with `predict_proba`."""

    _expected: np.ndarray

    def prepare(self, X: np.ndarray, y: np.ndarray) -> None:
        """Measure the largest difference of probabilities."""
        self._X = X
        got = self.predict(len(self._expected))
        self._difference = float(np.abs(got - self._expected).max())

    def note(self, method: str) -> str:
        """Return the difference."""
        return f"differs by up to {self._difference:.1e}"


class PredictProba(WithDifference):
    """`predict_proba`."""

    def __init__(self, folder: Path, expected: np.ndarray, precision: str) -> None:
        import joblib

        self._classifier = joblib.load(folder / CLASSIFIER)
        self._classifier.set_params(precision=precision)
        self._expected = expected

    def predict(self, n_patches: int) -> np.ndarray:
        """Predict in batches of its own size."""
        return self._classifier.predict_proba(self._X[:n_patches])


class ExportedOnnx(WithDifference, OnnxRuntime):
    """The ONNX file in ONNX Runtime."""


class ExportedOpenVino(WithDifference, OpenVino):
    """The files of OpenVINO."""


class ExportedSavedModel(WithDifference):
    """The SavedModel in TensorFlow."""

    def __init__(self, folder: Path, expected: np.ndarray) -> None:
        import tensorflow as tf

        self._model = tf.saved_model.load(str(folder))
        self._predict = self._model.signatures["serving_default"]
        self._constant = tf.constant
        self._expected = expected

    def predict(self, n_patches: int) -> np.ndarray:
        """Predict batch by batch."""
        X = self._X[:n_patches]
        batches = [X[i : i + BATCH_SIZE] for i in range(0, n_patches, BATCH_SIZE)]
        outputs = [self._predict(patches=self._constant(batch)) for batch in batches]
        return np.concatenate([output["probabilities"].numpy() for output in outputs])


def run(options: Options) -> Section:
    """Measure prediction with exports."""
    n_batches, batch_size = (1, 16) if options.quick else (8, BATCH_SIZE)
    tables = [
        _table(caption, architecture, n_batches, batch_size, options)
        for caption, architecture in ARCHITECTURES.items()
    ]
    return Section(
        "Exports",
        f"Probabilities of {n_batches * batch_size} patches of 96x96 RGB pixels "
        f"(uint8), from one array to another, in batches of {BATCH_SIZE} "
        "(predict_proba has its own size), on all cores, after a warm-up. Exports are "
        "written by `skhisto.export` and opened by their own runtimes. The notes state "
        "the largest difference from the probabilities of predict_proba in float32. "
        f"Medians over {options.rounds} turn(s).",
        tables,
    )


def _table(
    caption: str, architecture: str, n_batches: int, batch_size: int, options: Options
) -> Table:
    epochs = 1 if options.quick else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        maker: dict[str, Entry] = {caption: (Exporter, (architecture, epochs))}
        with Contest("export", maker) as contest:
            made = contest.each("export", folder, batch_size)
        if caption in contest.errors:
            table = Table([""])
            table.fail(caption, contest.errors[caption])
            return table
        expected = made[caption]
        entries: dict[str, Entry] = {
            PREDICT_PROBA.format(precision): (
                PredictProba,
                (folder, expected, precision),
            )
            for precision in ("float32", "auto")
        }
        entries |= {
            "ONNX Runtime": (ExportedOnnx, (folder / ONNX, expected)),
            "OpenVINO, float32 hint": (
                ExportedOpenVino,
                (folder / OPENVINO, expected, "float32"),
            ),
            "OpenVINO, bfloat16 hint": (
                ExportedOpenVino,
                (folder / OPENVINO, expected, "bfloat16"),
            ),
            "SavedModel in TensorFlow": (
                ExportedSavedModel,
                (folder / SAVED_MODEL, expected),
            ),
        }
        table = measure_throughput(
            entries,
            "predict",
            n_batches=n_batches,
            batch_size=batch_size,
            n_rounds=options.rounds,
            limit_s=10,
            ours={
                "predict_proba, float32, is x times": PREDICT_PROBA.format("float32")
            },
        )
    table.caption = caption
    return table
