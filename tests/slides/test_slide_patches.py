import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.model_selection import GroupKFold, cross_validate

from skhisto import (
    PatchArray,
    PatchCNNClassifier,
    ReferenceCNN,
    Slide,
    SlidePatches,
    patch_report,
)
from skhisto.slides import _blocks, tissue_mask
from skhisto.slides._tissue import as_tissue_mask

from .conftest import textured

pytest.importorskip("openslide")


class Rectangles:
    """Annotations that are rectangles by class, in pixels of level 0."""

    def __init__(self, excluded=(), **classes):
        self.classes = {name: np.array(boxes) for name, boxes in classes.items()}
        self.excluded_boxes = np.array(excluded).reshape(-1, 4)

    def _areas(self, boxes, regions):
        starts = np.maximum(boxes[:, None, :2], regions[None, :, :2])
        stops = np.minimum(boxes[:, None, 2:], regions[None, :, 2:])
        return np.clip(stops - starts, 0, None).prod(axis=2).sum(axis=1)

    def _regions(self, class_name):
        (only, *_) = self.classes
        return self.classes[only if class_name is None else class_name]

    def touched(self, boxes, class_name=None):
        return self._areas(boxes, self._regions(class_name)) > 0

    def share(self, boxes, class_name=None):
        size = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        return self._areas(boxes, self._regions(class_name)) / size

    def excluded(self, boxes):
        return self._areas(boxes, self.excluded_boxes) > 0


@pytest.fixture
def slide():
    return Slide(textured(300, 400), mpp=0.97, name="a")


def test_patches_are_the_windows_of_the_slide(pyramid):
    path, pixels = pyramid
    patches = SlidePatches(Slide(path), 96, 40, mpp=0.5, mask=None)
    X = patches.to_patch_array()
    assert isinstance(X, PatchArray)
    assert X.shape == (6 * 11, 96, 96, 3)
    assert X.dtype == np.uint8
    assert X.coords[12].tolist() == [40, 40]
    for row in [0, 12, 65]:
        left, top = X.coords[row].astype(int)
        assert np.array_equal(X[row], pixels[top : top + 96, left : left + 96])
    assert np.array_equal(
        np.asarray(X.center_crop(32))[5], pixels[32:64, 200 + 32 : 200 + 64]
    )
    assert patches.skipped_share == 0


def test_windows_touch_by_default_and_are_complete(slide):
    patches = SlidePatches(slide, mask=None)
    assert patches.grids[0].shape == (3, 4)
    assert patches.coords[-1].tolist() == [288, 192]
    assert SlidePatches(slide, (50, 90), mask=None).grids[0].stride == 50


def test_coordinates_are_pixels_of_level_0(pyramid):
    patches = SlidePatches(Slide(pyramid[0]), 64, 32, mpp=1.5, mask=None)
    assert patches.images[0].scale == pytest.approx(3)
    assert patches.coords[1].tolist() == pytest.approx([96, 0])


def test_rows_may_be_in_any_order_and_repeat(slide):
    X = SlidePatches([slide], 50, 33, mask=None).to_patch_array()
    everything = np.asarray(X)
    rows = np.random.default_rng(0).integers(0, len(X), 60)
    assert np.array_equal(np.asarray(X[rows]), everything[rows])
    assert np.asarray(X[:0]).shape == (0, 50, 50, 3)


def test_each_block_is_decoded_once(pyramid, monkeypatch):
    two_rows = 2 * 4 * 128 * 128 * 3  # of 3 rows of 4 blocks
    monkeypatch.setattr(_blocks, "_cache", _blocks.LRU(two_rows))
    patches = SlidePatches(Slide(pyramid[0]), 64, 8, mpp=0.5, mask=None)
    read, boxes = patches.images[0].slide._reader.read, []

    def spy(*box):
        boxes.append(box)
        return read(*box)

    monkeypatch.setattr(patches.images[0].slide._reader, "read", spy)
    rows = np.random.default_rng(0).permutation(patches.shape[0])
    patches.read(rows, (slice(0, 64), slice(0, 64)))
    assert len(boxes) == len(set(boxes)) == 3 * 4


def test_several_slides_form_one_stack(slide):
    other = Slide(textured(200, 200, seed=1), mpp=0.97, name="b")
    patches = SlidePatches([slide, other], 96, mask=None)
    assert patches.groups.tolist() == ["a"] * 12 + ["b"] * 4
    X = patches.to_patch_array()
    assert np.array_equal(
        np.asarray(X[12:]), np.asarray(SlidePatches(other, mask=None).to_patch_array())
    )
    assert X.coords[12].tolist() == [0, 0]


def test_paths_and_arrays_become_slides(pyramid):
    patches = SlidePatches([pyramid[0], pyramid[1]], mpp=None, mask=None)
    assert set(patches.groups) == {"p", "slide"}


# --- mask


def test_windows_without_tissue_are_skipped():
    pixels = np.full((192, 384, 3), 240, np.uint8)
    pixels[:, 192:] = (200, 120, 180)
    slide = Slide(pixels, mpp=0.97)
    patches = SlidePatches(slide)
    assert patches.coords[:, 0].min() == 192
    assert patches.skipped_share == 0.5
    assert SlidePatches(slide, mask=tissue_mask(slide)).shape[0] == 4
    assert SlidePatches(slide, mask=None).shape[0] == 8
    left = np.array([[True, False]])
    assert SlidePatches(slide, mask=left).coords[:, 0].max() == 96
    both = SlidePatches([slide, Slide(pixels, mpp=0.97, name="b")], mask=[left, None])
    assert both.shape[0] == 12


def test_a_slide_without_tissue_is_an_error_that_names_mask():
    slide = Slide(np.full((192, 384, 3), 240, np.uint8), mpp=0.97)
    with pytest.raises(ValueError, match=r"All 8 windows were left out.*mask=None"):
        SlidePatches(slide)


@pytest.mark.parametrize("mask", ["glass", np.ones((3, 3)), np.ones(3, bool)])
def test_other_masks_are_refused(slide, mask):
    with pytest.raises(ValueError, match='mask must be "tissue", None, a TissueMask'):
        SlidePatches(slide, mask=mask)


def test_the_mask_of_another_slide_is_refused(slide):
    wider = tissue_mask(Slide(textured(300, 700), mpp=0.97))
    with pytest.raises(ValueError, match=r"does not cover the slide 'a' of shape"):
        SlidePatches(slide, mask=wider)


@pytest.mark.parametrize("shape", [(301, 417), (97, 1000), (640, 639)])
@pytest.mark.parametrize("mpp", [0.25, 0.97, 7.9])
def test_the_mask_of_a_slide_covers_it_whatever_is_rounded(shape, mpp):
    slide = Slide(textured(*shape), mpp=mpp)
    mask = tissue_mask(slide)
    assert as_tissue_mask(mask, slide) is mask


# --- labels


def test_labels_follow_the_rule_of_patchcamelyon(slide):
    # The centre of the first window is from 32 to 64, that of the second from 128.
    for corner, expected in {(63, 63): 1, (64, 32): 0, (31, 31): 0}.items():
        x, y = corner
        tumour = Rectangles(tumour=[[x, y, x + 1, y + 1]])
        patches = SlidePatches(slide, mask=None, annotations=tumour)
        assert patches.y.dtype == np.int64
        assert patches.y[0] == expected
        assert patches.y[1:].sum() == 0


def test_centres_are_in_pixels_of_the_patch():
    slide = Slide(textured(600, 600), mpp=0.485)
    tumour = Rectangles(tumour=[[127, 127, 130, 130]])
    assert SlidePatches(slide, mask=None, annotations=tumour).y[0] == 1
    tumour = Rectangles(tumour=[[128, 128, 130, 130]])
    assert SlidePatches(slide, mask=None, annotations=tumour).y[0] == 0
    everywhere = SlidePatches(slide, mask=None, annotations=tumour, center=None)
    assert everywhere.y[0] == 1


def test_labels_by_share_of_the_area(slide):
    half = Rectangles(tumour=[[32, 32, 48, 64]])
    for min_share, expected in {0.5: 1, 0.51: 0}.items():
        patches = SlidePatches(slide, mask=None, annotations=half, min_share=min_share)
        assert patches.y[0] == expected


def test_labels_of_one_class(slide):
    regions = Rectangles(tumour=[[0, 0, 96, 96]], stroma=[[96, 0, 192, 96]])
    patches = SlidePatches(slide, mask=None, annotations=regions, class_name="stroma")
    assert patches.y[:3].tolist() == [0, 1, 0]


def test_the_class_must_be_given_if_it_differs_between_slides(slide):
    other = Slide(textured(200, 200), mpp=0.97, name="b")
    annotations = [Rectangles(Tumor=[[0, 0, 99, 99]]), Rectangles(Fat=[[0, 0, 99, 99]])]
    with pytest.raises(
        ValueError, match=r"several classes: \['Fat', 'Tumor'\]\. Set class"
    ):
        SlidePatches([slide, other], annotations=annotations)


def test_excluded_windows_are_left_out(slide):
    regions = Rectangles(tumour=[[0, 0, 1, 1]], excluded=[[130, 40, 140, 50]])
    patches = SlidePatches(slide, mask=None, annotations=regions)
    assert patches.shape[0] == 11
    assert [96, 0] not in patches.coords.tolist()
    assert len(patches.y) == 11


def test_slides_without_annotations_are_negative(slide):
    other = Slide(textured(200, 200), mpp=0.97, name="b")
    tumour = Rectangles(tumour=[[0, 0, 400, 300]])
    patches = SlidePatches([slide, other], mask=None, annotations=[tumour, None])
    assert patches.y.tolist() == [1] * 12 + [0] * 4
    assert SlidePatches([slide, other], mask=None).y is None


# --- errors


def test_arguments_that_cannot_work_are_refused(slide):
    other = Slide(textured(200, 200), mpp=0.97, name="b")
    with pytest.raises(
        ValueError, match="Slide 'a': stride must be a positive integer"
    ):
        SlidePatches(slide, stride=0)
    with pytest.raises(ValueError, match="size must be a positive integer"):
        SlidePatches(slide, 0)
    with pytest.raises(ValueError, match=r"Slide 'a': .*smaller than a window"):
        SlidePatches(slide, 301)
    with pytest.raises(ValueError, match="Several slides have the name 'a'"):
        SlidePatches([slide, slide])
    with pytest.raises(ValueError, match="empty list"):
        SlidePatches([])
    with pytest.raises(ValueError, match="mask must have one item per slide"):
        SlidePatches([slide, other], mask=[None])
    with pytest.raises(ValueError, match="mask of 2 slides must be a list"):
        SlidePatches([slide, other], mask=np.ones((3, 3), bool))
    with pytest.raises(ValueError, match="annotations of 2 slides must be a list"):
        SlidePatches([slide, other], annotations=SimpleNamespace())
    with pytest.raises(TypeError, match=r"got str. Read a file with read_annotations"):
        SlidePatches(slide, annotations="a.geojson")
    with pytest.raises(ValueError, match="min_share must be above 0"):
        SlidePatches(slide, min_share=0)
    with pytest.raises(ValueError, match="resolution of the slide 'slide' is unknown"):
        SlidePatches(textured(100, 100))


# --- what takes patches takes slides


def test_a_pickle_reads_the_same_patches(pyramid):
    X = SlidePatches(pyramid[0], stride=50, mask=None).to_patch_array()
    expected = np.asarray(X)
    content = pickle.dumps(X)
    assert len(content) < 10_000
    assert np.array_equal(np.asarray(pickle.loads(content)), expected)


@pytest.fixture(scope="module")
def two_slides():
    """Two slides with a dark half, which is the tumour."""
    slides, tumours = [], []
    for number, name in enumerate("ab"):
        pixels = textured(96, 192, seed=number) // 2 + 100
        pixels[:, :96] -= 80
        slides.append(Slide(pixels, mpp=0.97, name=name))
        tumours.append(Rectangles(tumour=[[0, 0, 96, 96]]))
    return SlidePatches(slides, 24, 12, mask=None, annotations=tumours, center=8)


def test_a_classifier_is_trained_and_evaluated_on_slides(two_slides, tiny_cnn):
    X, y = two_slides.to_patch_array(), two_slides.y
    assert tiny_cnn.fit(X, y).score(X, y) > 0.8
    assert tiny_cnn.predict(X[:3]).shape == (3,)
    results = cross_validate(
        PatchCNNClassifier(
            architecture=ReferenceCNN(filters=(2,), dense_units=2), epochs=1
        ),
        X,
        y,
        groups=X.groups,
        cv=GroupKFold(2),
        error_score="raise",
    )
    assert len(results["test_score"]) == 2


def test_slides_are_reported(two_slides):
    report = patch_report(two_slides.to_patch_array(), two_slides.y)
    assert len(report.measures) == two_slides.shape[0]
