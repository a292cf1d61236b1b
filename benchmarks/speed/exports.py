"""Predicting with exported classifiers, next to `predict_proba`."""

import tempfile
from pathlib import Path

import numpy as np

from benchmarks.contest import Entry, alone
from benchmarks.options import Options
from benchmarks.patches import many_patches
from benchmarks.speed.contenders import OnnxRuntime, SavedModel, runtimes
from benchmarks.speed.throughput import measure_throughput
from benchmarks.table import Section, Table
from benchmarks.worker import WorkerError

ARCHITECTURES = {
    "Reference network": "reference",
    "EfficientNet-Lite0": "efficientnet_lite0",
}
# Differences are shown and not limited.
LIMITS = {"float32": np.inf, "bfloat16": np.inf}
OURS = "predict_proba, float32"
FILES = ("network.onnx", "network.xml", "network", "classifier.joblib")


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
        """Write the files and return the probabilities of the first patches."""
        import joblib

        from skhisto.export import export_onnx, export_openvino, export_saved_model

        writers = (export_onnx, export_openvino, export_saved_model, joblib.dump)
        for writer, name in zip(writers, FILES, strict=True):
            writer(self._classifier, folder / name)
        return self._classifier.predict_proba(many_patches(n_patches, 96)[0])


class PredictProba(OnnxRuntime):
    """`predict_proba` of a saved classifier."""

    def __init__(self, file: Path, expected: np.ndarray, precision: str) -> None:
        super().__init__(file, expected, np.inf)
        self._classifier.set_params(precision=precision)

    def _load(self, file: Path) -> None:
        import joblib

        self._classifier = joblib.load(file)

    def predict(self, n_patches: int) -> np.ndarray:
        """Predict."""
        return self._classifier.predict_proba(self._X[:n_patches])


def run(options: Options) -> Section:
    """Measure prediction with exports."""
    return Section(
        "Exports",
        "Probabilities, from one array to another. The exports are written by "
        "`skhisto.export` and opened by their own runtimes. predict_proba uses its own "
        "batch size. The notes contain the largest difference from predict_proba in "
        "float32.",
        [_table(*item, options) for item in ARCHITECTURES.items()],
    )


def _table(title: str, architecture: str, options: Options) -> Table:
    n_compared, epochs = (16, 1) if options.quick else (64, 3)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        onnx, openvino, saved_model, classifier = (folder / file for file in FILES)
        exporter: Entry = (Exporter, (architecture, epochs))
        try:
            (expected,), _ = alone("exports", exporter, ("export", folder, n_compared))
        except WorkerError as error:
            table = Table([""], caption=title)
            table.fail(architecture, str(error))
            return table
        entries: dict[str, Entry] = {
            OURS: (PredictProba, (classifier, expected, "float32")),
            'predict_proba, "auto"': (PredictProba, (classifier, expected, "auto")),
            **runtimes(onnx, openvino, expected, LIMITS),
            "SavedModel in TensorFlow": (SavedModel, (saved_model, expected, np.inf)),
        }
        table = measure_throughput(
            f"exports, {title}",
            entries,
            "predict",
            options,
            n_batches=8,
            ours={"predict_proba float32 / this": OURS},
        )
    table.caption = f"{title}, {table.caption}"
    return table
