"""Write the files that `tests/test_formats.py` reads.

Run once for each format, from the root of the repository::

    python tests/saved_files/write.py

Never replace files of an earlier format: the tests show that they can still be read.
"""

from pathlib import Path
from zipfile import ZIP_DEFLATED

import numpy as np
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from skhisto import (
    D4,
    BrightnessJitter,
    CenterCrop,
    CompactCNN,
    EfficientNetLite,
    KerasApplication,
    PatchCNNClassifier,
    PatchEmbedder,
    PatchLoader,
    ProbabilityMap,
    ReferenceCNN,
    Resize,
    StainJitter,
    StainNormalizer,
    make_patches,
    probability_map,
)
from skhisto._saved_format import FORMAT

FOLDER = Path(__file__).parent / f"format_{FORMAT}"


def patches() -> tuple[np.ndarray, np.ndarray]:
    """Return the patches that all estimators were fitted on."""
    return make_patches(24, size=40, random_state=0)


def fitted() -> dict[str, Pipeline]:
    """Return fitted pipelines that predict probabilities."""
    X, y = patches()
    reference = PatchCNNClassifier(
        architecture=ReferenceCNN(filters=(2,), dense_units=2),
        augment=[D4(), StainJitter(), BrightnessJitter()],
        early_stopping=True,
        epochs=2,
        tta="d4",
        random_state=0,
    )
    compact = PatchCNNClassifier(
        architecture=CompactCNN(filters=(2, 2)),
        epochs=1,
        learning_rate_schedule="one_cycle",
        warm_start=True,
        random_state=0,
    )
    pipelines = {
        "reference": make_pipeline(CenterCrop(32), reference),
        "compact": make_pipeline(StainNormalizer(), Resize(24), compact),
        "three_classes": make_pipeline(
            PatchCNNClassifier(
                architecture=ReferenceCNN(filters=(2,), dense_units=2),
                epochs=1,
                random_state=0,
            )
        ),
    }
    targets = {"three_classes": np.array(["a", "b", "c"])[np.arange(len(X)) % 3]}
    for name, pipeline in pipelines.items():
        pipeline.fit(X, targets.get(name, y))
    backbone = PatchEmbedder(pipelines["reference"][-1], views="d4")
    embedder = make_pipeline(CenterCrop(32), backbone, LogisticRegression())
    return pipelines | {"embedder": embedder.fit(X, y)}


def unfitted() -> Pipeline:
    """Return every other estimator and architecture, with parameters and unfitted."""
    return Pipeline(
        [
            ("load", PatchLoader(lazy=True, size=96)),
            ("lite", PatchCNNClassifier(architecture=EfficientNetLite(variant=1))),
            (
                "keras",
                PatchCNNClassifier(architecture=KerasApplication("MobileNetV2")),
            ),
            ("embed", PatchEmbedder("efficientnet_lite0", size=144)),
        ]
    )


def map_of(classifier: PatchCNNClassifier) -> ProbabilityMap:
    """Return the map of a slide that consists of nine patches."""
    X, _ = patches()
    rows = [np.concatenate(X[i : i + 3], axis=1) for i in (0, 3, 6)]
    return probability_map(classifier, np.concatenate(rows), stride=16)


def main() -> None:
    """Write all files into the folder of the present format."""
    FOLDER.mkdir()
    X, _ = patches()
    pipelines = fitted()
    for name, pipeline in (pipelines | {"unfitted": unfitted()}).items():
        skops.io.dump(pipeline, FOLDER / f"{name}.skops", compression=ZIP_DEFLATED)
    result = map_of(pipelines["reference"][-1])
    result.save(FOLDER / "map.npz")
    proba = {name: pipeline.predict_proba(X) for name, pipeline in pipelines.items()}
    np.savez(FOLDER / "expected.npz", map=result.of(), **proba)


if __name__ == "__main__":
    main()
