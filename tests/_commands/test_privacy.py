"""No file that is written contains what may identify a patient."""

import pickle
import zipfile

import joblib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skhisto import (
    Checkpoint,
    PatchEmbedder,
    Slide,
    SlideMapDisplay,
    SlidePatches,
    patch_report,
    probability_map,
)
from skhisto._commands import map_slides
from skhisto._commands.main import main
from skhisto.slides import tissue_mask

from ..slides.conftest import textured, write_svs

openslide = pytest.importorskip("openslide")
skops_io = pytest.importorskip("skops.io")
pytest.importorskip("shapely")

FOLDER, STEM, NAME = "FOLDER-OF-JANE-DOE", "FILE-OF-JANE-DOE", "name-given"
SETTINGS = ["--stride", "4", "--mpp", "2", "--max-memory", "0.3"]


@pytest.fixture(scope="module")
def marked(tmp_path_factory):
    """A slide with label and macro image, whose path and properties are marked."""
    folder = tmp_path_factory.mktemp("slides") / FOLDER
    folder.mkdir()
    return write_svs(folder / f"{STEM}.svs", textured(512, 512))


@pytest.fixture(scope="module")
def secrets(marked):
    """All texts of the slide but its hash, and the names in its path."""
    with openslide.OpenSlide(marked) as slide:
        assert {"label", "macro", "thumbnail"} <= set(slide.associated_images)
        properties = dict(slide.properties)
    del properties["openslide.quickhash-1"]
    texts = {value for value in properties.values() if any(map(str.isalpha, value))}
    assert any("SECRET-PATIENT-NAME" in text for text in texts)
    # "inch" is part of other words.
    return {FOLDER, STEM, "SECRET-PATIENT-NAME", *texts, *properties} - {"inch"}


@pytest.fixture(autouse=True)
def nothing_associated_is_opened(monkeypatch):
    def refuse(self, frame=None):
        assert frame == 0, "an associated image was opened"

    monkeypatch.setattr(openslide.OpenSlide, "associated_images", property(refuse))
    monkeypatch.setattr(openslide.OpenSlide, "get_thumbnail", refuse)
    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.seek", refuse)


def contents_of(path):
    """Yield the bytes of a file, also those that are compressed in it."""
    yield path.read_bytes()
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name.encode()
                yield archive.read(name)
    if path.suffix == ".png":
        with Image.open(path) as image:
            image.load()
            yield repr(image.info).encode()


def find(texts, folder):
    """Return which texts are in the names or contents of which files."""
    return {
        (text, path.name)
        for path in folder.rglob("*")
        for text in texts
        if text in str(path.relative_to(folder))
        or (
            path.is_file()
            and any(
                text.encode(encoding) in content
                for content in contents_of(path)
                # Arrays of strings in npz files are UTF-32.
                for encoding in ("utf-8", "utf-16-le", "utf-32-le")
            )
        )
    }


def run(*arguments):
    return main([str(argument) for argument in arguments])


def test_texts_are_found_wherever_they_are(tmp_path):
    picture = Image.new("RGB", (4, 4))
    notes = PngInfo()
    notes.add_text("note", f"{NAME}" * 9, zip=True)
    picture.save(tmp_path / "a.png", pnginfo=notes)
    np.savez_compressed(tmp_path / "b.npz", header=np.array(NAME))
    joblib.dump([NAME], tmp_path / "c.joblib")
    skops_io.dump([NAME], tmp_path / "d.skops")
    (tmp_path / NAME).mkdir()
    assert {name for _, name in find([NAME], tmp_path)} == {
        "a.png",
        "b.npz",
        "c.joblib",
        "d.skops",
        NAME,
    }


def test_files_of_the_command_map_contain_no_secrets(
    marked, secrets, model_file, tmp_path
):
    files = ["--model", model_file, "--out", tmp_path / "out", "--names", NAME]
    exports = ["--csv", "--geojson", "--png", "--threshold", "0"]
    assert run("map", marked, *files, *exports, *SETTINGS) == 0
    out = tmp_path / "out"
    names = {f"{NAME}.{suffix}" for suffix in ("npz", "csv", "geojson", "png")}
    assert {path.name for path in out.iterdir()} == names
    assert (NAME, f"{NAME}.npz") in find([NAME], out)
    assert not find(secrets, out)


def test_partial_files_of_the_command_map_contain_no_secrets(
    marked, secrets, model_file, tmp_path, monkeypatch
):
    def interrupted(plan, tiles):
        raise KeyboardInterrupt

    monkeypatch.setattr(map_slides, "map_of_tiles", interrupted)
    files = ["--model", model_file, "--out", tmp_path / "out", "--names", NAME]
    assert run("map", marked, *files, *SETTINGS) == 130
    assert [*tmp_path.glob("out/*/*/tile-*.npz")]
    assert not find(secrets, tmp_path / "out")


@pytest.mark.parametrize("engine", ["openslide", "pillow"])
def test_maps_contain_no_secrets(marked, secrets, fitted_cnn, tmp_path, engine):
    slide = Slide(marked, name=NAME, engine=engine)
    result = probability_map(fitted_cnn, slide, 4, mpp=2, mask=tissue_mask(slide))
    result.save(tmp_path / "map.npz")
    result.to_geojson(tmp_path / "map.geojson", threshold=0)
    result.to_geojson(tmp_path / "tiles.geojson", threshold=0, tiles=True)
    result.to_frame().to_csv(tmp_path / "map.csv")
    (tmp_path / "map.pickle").write_bytes(pickle.dumps(result))
    display = SlideMapDisplay.from_map(result, slide)
    display.figure_.savefig(tmp_path / "map.png")
    plt.close(display.figure_)
    assert not find(secrets, tmp_path)


@pytest.fixture(scope="module")
def patches(marked):
    slide = Slide(marked, name=NAME)
    X = SlidePatches(slide, size=12, stride=12, mpp=4, mask=None).to_patch_array()
    return X, np.arange(len(X)) % 2


def test_models_and_what_fits_leave_contain_no_secrets(
    patches, secrets, tiny_cnn, tmp_path
):
    from keras.callbacks import LambdaCallback

    def interrupt(epoch, logs):
        if epoch == 1:
            raise KeyboardInterrupt

    X, y = patches
    tiny_cnn.set_params(epochs=2, checkpoint=Checkpoint(str(tmp_path / "finished")))
    tiny_cnn.fit(X, y, groups=X.groups)
    unfinished = Checkpoint(str(tmp_path / "unfinished"))
    callbacks = [LambdaCallback(on_epoch_end=interrupt)]
    tiny_cnn.set_params(callbacks=callbacks, checkpoint=unfinished)
    with pytest.raises(KeyboardInterrupt):
        tiny_cnn.fit(X, y, groups=X.groups)
    tiny_cnn.set_params(callbacks=None)
    embedder = PatchEmbedder(tiny_cnn, memory=str(tmp_path / "memory"))
    pipeline = make_pipeline(embedder, LogisticRegression()).fit(X, y)
    for name, model in {"cnn": tiny_cnn, "pipeline": pipeline}.items():
        skops_io.dump(model, tmp_path / f"{name}.skops")
        joblib.dump(model, tmp_path / f"{name}.joblib")
    patch_report(X, y).findings.to_csv(tmp_path / "report.csv")
    written = {path.name for path in tmp_path.iterdir() if path.is_dir()}
    assert written == {"finished", "unfinished", "memory"}
    for name in written:
        assert any(path.is_file() for path in (tmp_path / name).rglob("*"))
    assert not find(secrets, tmp_path)


@pytest.mark.parametrize("name", ["onnx", "openvino", "saved_model"])
def test_exports_contain_no_secrets(patches, secrets, tiny_cnn, tmp_path, name):
    from skhisto import export

    for library in {"onnx": ["onnx", "tf2onnx"], "openvino": ["openvino"]}.get(
        name, []
    ):
        pytest.importorskip(library)
    suffix = {"onnx": ".onnx", "openvino": ".xml"}.get(name, "")
    tiny_cnn.set_params(epochs=1).fit(*patches)
    getattr(export, f"export_{name}")(tiny_cnn, tmp_path / f"model{suffix}", mpp=4)
    export.model_card(tiny_cnn).save(tmp_path / "card.md")
    assert not find(secrets, tmp_path)


def test_only_pickles_of_slides_and_their_patches_contain_the_path(
    marked, patches, secrets, tmp_path
):
    slide = Slide(marked, name=NAME)
    (tmp_path / "slide.pickle").write_bytes(pickle.dumps(slide))
    (tmp_path / "patches.pickle").write_bytes(pickle.dumps(patches[0]))
    found = find(secrets, tmp_path)
    assert {text for text, _ in found} == {FOLDER, STEM}
    np.save(tmp_path / "decoded.npy", np.asarray(patches[0]))
    assert find(secrets, tmp_path) == found
