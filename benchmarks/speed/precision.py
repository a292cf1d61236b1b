"""The AUC on real patches of other slides in float32 and in mixed precision."""

import os
from pathlib import Path

import numpy as np

from benchmarks import contest
from benchmarks.contest import Contest, Entry
from benchmarks.options import Options
from benchmarks.table import Section, Table, median

N_SEEDS = 3


class RealPatches:
    """Trains on the patches of one fold of slides and is tested on all others."""

    def __init__(self, precision: str, n_patches: int | None, epochs: int) -> None:
        from skhisto import PatchCNNClassifier, ReferenceCNN, load_patch_folder

        patches = load_patch_folder(Path(os.environ["SKHISTO_DATA"]) / "pcam")
        X = np.asarray(patches.data.center_crop(32))
        is_train = np.asarray(patches.groups) == 0
        self._train = X[is_train][:n_patches], patches.target[is_train][:n_patches]
        self._test = X[~is_train][:n_patches], patches.target[~is_train][:n_patches]
        self._classifier = PatchCNNClassifier(
            architecture=ReferenceCNN(filters=(16, 32, 64), dense_units=64),
            epochs=epochs,
            batch_size=64,
            augment=None,
            precision=precision,
        )

    def auc(self, seed: int) -> tuple[float, float]:
        """Return the AUC of a fit, and its seconds."""
        from sklearn.metrics import roc_auc_score

        self._classifier.set_params(random_state=seed)
        seconds = contest.seconds(self._classifier.fit, *self._train)
        X, y = self._test
        return roc_auc_score(y, self._classifier.decision_function(X)), seconds

    def note(self) -> str:
        """Return the precision that was chosen."""
        return f"computes in {self._classifier.precision_}"


def run(options: Options) -> Section:
    """Measure the AUC."""
    table = Table(["precision", *(f"AUC, seed {i}" for i in range(N_SEEDS)), "fit, s"])
    section = Section(
        "Precision",
        "AUC on real patches of slides that were not used for training. The patches "
        "are in `SKHISTO_DATA/pcam`, cropped to 32x32 pixels. A network with filters "
        "(16, 32, 64) and 64 dense units is trained for 8 epochs on fold 0 and tested "
        "on the other folds. Processors without native bfloat16 emulate it, which is "
        "slow.",
        [table],
    )
    if "SKHISTO_DATA" not in os.environ:
        table.remarks.append("Not measured: SKHISTO_DATA is not set.")
        return section
    size = (60, 1) if options.quick else (None, 8)
    entries: dict[str, Entry] = {
        name: (RealPatches, (name, *size)) for name in ("float32", "auto", "bfloat16")
    }
    with Contest("precision", entries) as turns:
        fits = [turns.each("auc", seed) for seed in range(N_SEEDS)]
        notes = turns.each("note")

    def row(name: str) -> list[float]:
        aucs, seconds = zip(*(fit[name] for fit in fits), strict=True)
        return [*aucs, median(seconds)]

    turns.fill(table, row, notes)
    return section
