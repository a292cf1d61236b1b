import pickle

import numpy as np
import pytest

from skhisto import Slide, SlidePatches
from skhisto.slides import tissue_mask

from .conftest import SECRET

openslide = pytest.importorskip("openslide")


def use(path, engine):
    """Do all that slides are for, and return what remains in memory or files."""
    slide = Slide(path, engine=engine, name="s")
    tissue = tissue_mask(slide)
    patches = SlidePatches(slide, mpp=0.7, mask=None)
    X = patches.to_patch_array()
    np.asarray(X)
    slide.thumbnail(64)
    texts = [repr(slide), repr(tissue), repr(X), repr(patches), slide.fingerprint]
    return pickle.dumps((slide, tissue, X)), texts


def test_the_marked_slide_has_what_must_stay_closed(svs):
    with openslide.OpenSlide(svs[0]) as slide:
        assert {"label", "macro", "thumbnail"} <= set(slide.associated_images)
        assert any(SECRET in value for value in slide.properties.values())


def test_associated_images_are_never_opened_through_openslide(svs, monkeypatch):
    def refuse(self):
        raise AssertionError("an associated image was opened")

    monkeypatch.setattr(openslide.OpenSlide, "associated_images", property(refuse))
    monkeypatch.setattr(openslide.OpenSlide, "get_thumbnail", refuse)
    use(svs[0], "openslide")


def test_only_the_first_image_is_opened_through_pillow(svs, monkeypatch):
    def refuse(self, frame):
        assert frame == 0, f"frame {frame} was opened"

    monkeypatch.setattr("PIL.TiffImagePlugin.TiffImageFile.seek", refuse)
    use(svs[0], "pillow")


@pytest.mark.parametrize("engine", ["openslide", "pillow"])
def test_metadata_are_not_kept(svs, engine):
    content, texts = use(svs[0], engine)
    assert SECRET.encode() not in content
    for text in texts:
        assert SECRET not in text
        assert str(svs[0].parent) not in text
