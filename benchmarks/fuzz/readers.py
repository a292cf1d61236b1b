"""The readers of skhisto, and the exceptions that they document."""

import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.fuzz import samples
from benchmarks.fuzz.formats import (
    Damage,
    damage_json,
    damage_npy,
    damage_pickles,
    damage_png,
    damage_protobuf,
    damage_tiff,
    damage_value,
    damage_zip,
    one_of,
)
from benchmarks.fuzz.plain import damage_bytes, damage_text

Read = Callable[[Path], Any]


@dataclass(frozen=True)
class Reader:
    """One reader.

    Attributes
    ----------
    file : str
        Name of the damaged file.
    samples : callable
        Writes valid files and returns their contents.
    damage : callable
        Returns damaged content for a random generator and valid content.
    prepare : callable
        Writes other files into a folder, and returns functions that read the damaged
        file.
    errors : tuple of type
        The exceptions that the reader documents.
    is_limited : bool
        Whether the reader limits time and memory. Networks in files may compute
        anything.
    """

    file: str
    samples: Callable[[Path], list[bytes]]
    damage: Damage
    prepare: Callable[[Path], list[Read]]
    errors: tuple[type[Exception], ...] = (ValueError,)
    is_limited: bool = True


def _images(folder: Path) -> list[Read]:
    from PIL import Image

    from skhisto import PatchLoader, Slide

    Image.init()  # otherwise the first file of an unknown format imports all formats

    def patch(path: Path) -> None:
        PatchLoader(root=folder, convert=True).transform([path.name])

    def lazy_patch(path: Path) -> None:
        loader = PatchLoader(mode="RGBA", lazy=True)
        np.asarray(loader.transform([str(path)]))

    def slide(path: Path) -> None:
        slide = Slide(path, engine="pillow")
        slide.at().read(0, 0, 8, 8)

    return [patch, lazy_patch, slide]


def _slide(folder: Path) -> list[Read]:
    from PIL import Image

    from skhisto import Slide

    Image.init()

    def read(path: Path) -> None:
        slide = Slide(path)
        slide.at().read(3, 5, 40, 40)
        if slide.mpp is not None:
            slide.at(mpp=slide.mpp * 2).read(0, 0, 20, 20)

    def thumbnail(path: Path) -> None:
        slide = Slide(path)
        assert len(slide.fingerprint) > 0
        slide.thumbnail(16)

    return [read, thumbnail]


def _pcam(folder: Path) -> list[Read]:
    from skhisto import load_pcam

    stem = "camelyonpatch_level_2_split_valid"
    patches, labels = samples.pcam_patches(folder)[0], samples.pcam_labels(folder)[0]
    contents = {"x.h5": patches, "y.h5": labels}
    contents["meta.csv"] = samples.pcam_meta(folder)[0]
    for name, content in contents.items():
        (folder / f"{stem}_{name}").write_bytes(content)

    def read(path: Path) -> None:
        data, _ = load_pcam(folder, subset="valid", return_X_y=True)
        np.asarray(data[[2, 0]])

    return [read]


def _features(folder: Path) -> list[Read]:
    from skhisto import load_features

    return [load_features]


def _tables(folder: Path) -> list[Read]:
    from PIL import Image

    from skhisto import load_patch_folder

    (folder / "images").mkdir(exist_ok=True)
    for name in "ab":
        Image.fromarray(samples.pixels()).save(folder / "images" / f"{name}.png")

    def read(path: Path) -> None:
        load_patch_folder(
            folder / "images", table=path, label="label", group="slide",
            on_missing="skip",
        )  # fmt: skip

    def groups(path: Path) -> None:
        load_patch_folder(folder / "images", groups=path)

    return [read, groups]


def _annotations(folder: Path) -> list[Read]:
    from skhisto import read_annotations

    def read(path: Path) -> None:
        annotations = read_annotations(path)
        for name in annotations.classes:
            annotations.touched([[0, 0, 10, 10]], name)
            annotations.share([[0, 0, 10, 10]], name)
        annotations.excluded([[0, 0, 10, 10]])

    return [read]


def _map(folder: Path) -> list[Read]:
    from skhisto import ProbabilityMap

    def read(path: Path) -> None:
        found = ProbabilityMap.load(path)
        found.to_frame()
        for label in found.classes.tolist():
            found.to_geojson(class_=label)

    return [read]


def _estimators(folder: Path) -> list[Read]:
    import skops.io

    names = ("CenterCrop", "PatchCNNClassifier", "PatchEmbedder", "PatchLoader")
    names += ("ReferenceCNN", "StainNormalizer", "D4")
    trusted = [f"skhisto.{name}" for name in names]

    def read(path: Path) -> None:
        repr(skops.io.load(path, trusted=trusted))

    return [read]


def _torch_file(folder: Path) -> list[Read]:
    from skhisto.architectures._torch_file import read_torch_file

    return [lambda path: read_torch_file(path.read_bytes())]


def _onnx(folder: Path) -> list[Read]:
    from skhisto import PatchEmbedder
    from skhisto.embedding._onnx_engines import _import_onnxruntime

    _import_onnxruntime().set_default_logger_severity(4)
    X = np.zeros((2, 8, 8, 3), np.uint8)
    return [lambda path: PatchEmbedder(path, layout="NCHW").fit(X).transform(X)]


@dataclass(frozen=True)
class _State:
    """A copy of the state in skhisto._keras, which would import TensorFlow."""

    weights: Any
    optimizer_state: Any
    history: Any
    n_iter: int
    value_range: Any = None


def _checkpoint(folder: Path) -> list[Read]:
    from skhisto import Checkpoint, PatchCNNClassifier
    from skhisto._classifier import saved_fit
    from skhisto._classifier.early_stopping import EarlyStopping

    saved_fit.fingerprint = lambda *args, **kwargs: "fit"
    saved_fit._network_hash = lambda initial: samples.NETWORK_HASH
    weights = {"w": np.zeros((2, 3), np.float32)}
    (folder / "fit").mkdir(exist_ok=True)

    def read(path: Path) -> None:
        classifier = PatchCNNClassifier(checkpoint=Checkpoint(folder))
        path.replace(folder / "fit" / "checkpoint.npz")
        saved = saved_fit.SavedFit(classifier, None, seed=3, is_continued=False)
        start = _State(dict(weights), None, {}, 0)
        stopping = EarlyStopping(3, 0.1)
        state = saved.resume(SimpleNamespace(), start, stopping)
        assert {k: v.shape for k, v in state.weights.items()} == {"w": (2, 3)}
        if state.n_iter > 0:
            stopping.end(replace(state, history={"val_loss": [0.1]}), lambda: state)

    return [read]


def _damage_checkpoint(rng: Random, content: bytes) -> bytes:
    """Change the values of a checkpoint, and its checksum."""
    from skhisto._classifier.checkpoint_file import _read, _write

    document, arrays = _read(io.BytesIO(content))
    del document["arrays"]
    for _ in range(rng.choice((1, 1, 2))):
        name = rng.choice(sorted(arrays))
        choice = rng.randrange(8)
        if choice == 0:
            arrays[name] = arrays[name].astype(rng.choice(("i1", "f8", "c8", "?")))
        elif choice == 1:
            arrays[name] = arrays[name].reshape(rng.choice(((6,), (3, 2), (1, 2, 3))))
        elif choice == 2:
            arrays[name] = np.full((2, 3), rng.choice((np.nan, np.inf, 1e38)), "f4")
        else:
            document = damage_value(rng, document)
            if not isinstance(document, dict):
                document = {}
    written = io.BytesIO()
    try:
        _write(written, document, arrays)
    except ValueError:  # JSON has no such number
        return damage_bytes(rng, content)
    return written.getvalue()


def _damage_map(rng: Random, content: bytes) -> bytes:
    """Change the header or the arrays of a map, which remains an npz file."""
    with np.load(io.BytesIO(content)) as loaded:
        arrays = dict(loaded)
    header = damage_json(rng, str(arrays["header"]).encode()).decode()
    arrays["header"] = np.array(header)
    if rng.random() < 0.3:
        name = rng.choice(("probabilities", "classes", "tissue"))
        kind = rng.choice(("f2", "f8", "i8", "U1", "c8", "?", "S2", "M8[s]"))
        with warnings.catch_warnings(action="ignore"):
            try:
                arrays[name] = arrays[name].astype(kind)
            except (ValueError, TypeError):
                arrays[name] = arrays[name].ravel()
    written = io.BytesIO()
    np.savez_compressed(written, **arrays)
    return written.getvalue()


def _member_damage(name: str) -> Damage:
    return one_of(damage_npy, damage_bytes) if name.endswith(".npy") else damage_json


_NPZ = damage_zip(_member_damage)
_PCAM = "camelyonpatch_level_2_split_valid"

READERS = {
    "tiff": Reader(
        "x.tif", samples.tiff_images, one_of(damage_bytes, damage_tiff), _images
    ),
    "png": Reader(
        "x.png", samples.png_images, one_of(damage_bytes, damage_png), _images
    ),
    "jpeg": Reader("x.jpg", samples.jpeg_images, damage_bytes, _images),
    "webp": Reader("x.webp", samples.webp_images, damage_bytes, _images),
    "slide": Reader("x.svs", samples.slides, one_of(damage_bytes, damage_tiff), _slide),
    "pcam_patches": Reader(f"{_PCAM}_x.h5", samples.pcam_patches, damage_bytes, _pcam),
    "pcam_labels": Reader(f"{_PCAM}_y.h5", samples.pcam_labels, damage_bytes, _pcam),
    "pcam_meta": Reader(
        f"{_PCAM}_meta.csv",
        samples.pcam_meta,
        one_of(damage_bytes, damage_text),
        _pcam,
    ),
    "features": Reader("x.h5", samples.features, damage_bytes, _features),
    "tables": Reader(
        "x.csv",
        samples.tables,
        one_of(damage_bytes, damage_text),
        _tables,
        (ValueError, FileNotFoundError),
    ),
    "geojson": Reader(
        "x.geojson",
        samples.geojson,
        one_of(damage_bytes, damage_text, damage_json, damage_json),
        _annotations,
    ),
    "asap_xml": Reader(
        "x.xml", samples.asap_xml, one_of(damage_bytes, damage_text), _annotations
    ),
    "maps": Reader(
        "x.npz", samples.maps, one_of(damage_bytes, _NPZ, _damage_map), _map
    ),
    # Documented in the guide: skops raises exceptions of many types.
    "skops": Reader(
        "x.skops",
        samples.estimators,
        one_of(damage_bytes, _NPZ, _NPZ, _NPZ),
        _estimators,
        (Exception,),
    ),
    "pth": Reader(
        "x.pth", samples.torch_file, one_of(damage_bytes, damage_pickles), _torch_file
    ),
    "onnx": Reader(
        "x.onnx",
        samples.onnx_network,
        one_of(damage_bytes, damage_protobuf),
        _onnx,
        is_limited=False,
    ),
    # An unusable checkpoint causes a warning.
    "checkpoints": Reader(
        "x.npz",
        samples.checkpoints,
        one_of(damage_bytes, _NPZ, _damage_checkpoint, _damage_checkpoint),
        _checkpoint,
        (),
    ),
}
"""All readers by name."""
