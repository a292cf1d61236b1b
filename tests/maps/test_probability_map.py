import pickle
import re

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers
from PIL import Image
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skhisto import (
    CenterCrop,
    PatchCNNClassifier,
    PatchEmbedder,
    PatchLoader,
    ReferenceCNN,
    Resize,
    Slide,
    StainNormalizer,
    make_patches,
    probability_map,
)
from skhisto.maps._fingerprint import fingerprint_of
from skhisto.maps._plan import map_of_tiles, plan_map, score_tiles
from skhisto.slides import tissue_mask

SIDE = 12


def region_of(height, width, n_channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, n_channels), dtype=np.uint8)


def window_by_window(estimator, region, stride, size=(SIDE, SIDE)):
    """The probabilities that are expected."""
    views = np.lib.stride_tricks.sliding_window_view(region, size, axis=(0, 1))
    windows = np.moveaxis(views[::stride, ::stride], 2, -1)
    flat = windows.reshape(-1, *windows.shape[2:])
    return estimator.predict_proba(flat).reshape(*windows.shape[:2], -1)


def assert_maps(estimator, region, stride, *, way, tolerance=1e-5, size=(SIDE, SIDE)):
    result = probability_map(estimator, region, stride, mask=None)
    assert result.way == way, result.reason
    expected = window_by_window(estimator, region, stride, size)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(result.probabilities, expected, rtol=0, atol=tolerance)
    return result


def fitted(labels, architecture=None, n_channels=3, **params):
    X = region_of(60 * SIDE, SIDE, n_channels).reshape(60, SIDE, SIDE, n_channels)
    classifier = PatchCNNClassifier(
        architecture=architecture or ReferenceCNN(filters=(4,), dense_units=8),
        epochs=1,
        batch_size=16,
        learning_rate=0.03,
        augment=None,
        random_state=0,
        **params,
    )
    return classifier.fit(X, np.resize(labels, 60))


@pytest.fixture(scope="module")
def binary():
    """A classifier whose network has a stride of 2 pixels."""
    return fitted(["normal", "tumour"])


@pytest.fixture(scope="module")
def padded():
    """A classifier whose network is not dense."""
    return fitted([0, 1], ReferenceCNN(filters=(4,), dense_units=8, padding="same"))


@pytest.fixture
def plan_of(binary):
    """Return a function that plans a map with tiles of a few cells."""

    def plan(region, stride=2, max_memory=0.05, estimator=binary, mask=None):
        return plan_map(
            estimator,
            region,
            stride,
            window=None,
            mpp=None,
            mask=mask,
            max_memory=max_memory,
        )

    return plan


def test_a_dense_map_equals_window_by_window_across_tiles(binary, plan_of):
    region = region_of(61, 84)
    plan = plan_of(region)
    assert len(plan.tiles) > 6
    result = map_of_tiles(plan, score_tiles(plan))
    expected = window_by_window(binary, region, 2)
    assert result.probabilities.dtype == np.float32
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-5)
    assert result.way == "dense"
    assert result.reason == (
        "All layers are unpadded, and stride=2 is a multiple of 2 pixels, the stride "
        "of the network."
    )


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(SIDE, 60),
    width=st.integers(SIDE, 60),
    stride=st.integers(1, 20),
    max_memory=st.floats(0.04, 0.4),
)
def test_a_map_of_any_size_equals_window_by_window(
    binary, height, width, stride, max_memory
):
    region = region_of(height, width)
    result = probability_map(binary, region, stride, mask=None, max_memory=max_memory)
    assert result.way == ("dense" if stride % 2 == 0 and stride < SIDE else "windows")
    expected = window_by_window(binary, region, stride)
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-5)


def test_the_numbers_agree_in_bfloat16_to_its_rounding(binary):
    changed = pickle.loads(pickle.dumps(binary)).set_params(precision="bfloat16")
    assert_maps(changed, region_of(40, 50), 4, way="dense", tolerance=2e-3)


def test_a_map_has_a_layer_for_each_of_many_classes():
    result = assert_maps(fitted([3, 1, 2]), region_of(30, 40), 4, way="dense")
    assert result.classes.tolist() == [1, 2, 3]
    np.testing.assert_allclose(result.probabilities.sum(axis=2), 1, atol=1e-6)


def test_test_time_augmentation_is_applied(binary):
    changed = pickle.loads(pickle.dumps(binary)).set_params(tta="d4")
    region = region_of(31, 44)
    result = assert_maps(changed, region, 4, way="dense")
    plain = probability_map(binary, region, 4, mask=None)
    assert np.abs(result.probabilities - plain.probabilities).max() > 1e-3


def mean_network(patch_shape, n_outputs):
    return keras.Sequential(
        [
            layers.Conv2D(4, 3, strides=2, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(n_outputs),
        ]
    )


def test_a_global_average_is_the_mean_of_a_box():
    assert_maps(fitted([0, 1], mean_network), region_of(30, 41), 4, way="dense")


def test_grey_arrays_are_mapped_by_classifiers_of_grey_patches():
    classifier = fitted([0, 1], n_channels=1)
    assert_maps(classifier, region_of(20, 30, 1), 4, way="dense")
    with pytest.raises(
        ValueError, match="needs an RGB image, but the array has 1 chann"
    ):
        probability_map(classifier, region_of(20, 30, 1), 4)


def test_padded_networks_are_mapped_window_by_window_bitwise(padded):
    result = assert_maps(padded, region_of(43, 31), 2, way="windows", tolerance=1e-7)
    assert "The layer 'block1_conv1' has padding='same'" in result.reason


def test_other_strides_than_multiples_of_that_of_the_network_use_windows(binary):
    result = assert_maps(binary, region_of(23, 31), 3, way="windows", tolerance=1e-7)
    assert "stride=3 is not a multiple of 2 pixels" in result.reason


def test_windows_that_do_not_overlap_are_predicted_one_by_one(binary):
    result = assert_maps(binary, region_of(50, 51), 12, way="windows")
    assert result.reason == "Adjacent windows do not overlap."


def test_a_crop_before_the_classifier_is_dense_too(binary):
    pipeline = make_pipeline(CenterCrop(15), CenterCrop(SIDE), binary)
    region = region_of(33, 40)
    assert_maps(pipeline, region, 2, way="dense", size=(15, 15))
    result = probability_map(pipeline, region, 2, window=(18, 21), mask=None)
    expected = window_by_window(pipeline, region, 2, (18, 21))
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-5)
    assert result.way == "dense"
    assert result.origin == ((21 - 2) / 2, (18 - 2) / 2)


@pytest.fixture(scope="module")
def tissue():
    """Patches that have stains, their labels, and a region of them."""
    X, y = make_patches(60, size=24, random_state=0)
    return X, y, X[:24].reshape(4, 6, 24, 24, 3).swapaxes(1, 2).reshape(96, 144, 3)


def test_pipelines_of_steps_for_each_patch_use_windows(binary, tissue):
    X, _, region = tissue
    stain = StainNormalizer().fit(X[:, :SIDE, :SIDE])
    result = assert_maps(
        make_pipeline(stain, binary), region, 8, way="windows", tolerance=1e-7
    )
    assert result.reason == (
        "The step 'stainnormalizer' (StainNormalizer) changes each window."
    )
    resized = make_pipeline(CenterCrop(18), "passthrough", Resize(SIDE), binary)
    assert_maps(resized, region, 8, way="windows", size=(18, 18))


def test_anything_may_follow_an_embedder(binary, tissue):
    X, y, region = tissue
    embedder = PatchEmbedder(binary)
    head = make_pipeline(embedder, StandardScaler(), PCA(3), LogisticRegression())
    head.fit(X[:, :SIDE, :SIDE], y)
    result = assert_maps(head, region, 8, way="windows", tolerance=1e-6)
    assert result.reason == "The windows are predicted by a PatchEmbedder."


def test_a_refitted_search_is_mapped_as_its_best_estimator(binary):
    X = region_of(60 * SIDE, SIDE).reshape(60, SIDE, SIDE, 3)
    search = GridSearchCV(binary, {"batch_size": [16]}, cv=2)
    search.fit(X, np.arange(60) % 2)
    result = assert_maps(search, region_of(20, 20), 2, way="dense")
    best = probability_map(search.best_estimator_, region_of(20, 20), 2, mask=None)
    assert result.model_fingerprint == best.model_fingerprint


class CountingRead:
    """Reads an array, and counts how often each pixel is read."""

    def __init__(self, pixels):
        self.pixels = pixels
        self.counts = np.zeros(pixels.shape[:2], int)

    def __call__(self, top, left, height, width):
        box = slice(top, top + height), slice(left, left + width)
        self.counts[box] += 1
        return self.pixels[box]


def test_windows_read_every_pixel_once(padded, plan_of):
    region = region_of(80, 50)
    plan = plan_of(region, 4, 0.02, padded)
    assert len(plan.tiles) > 3
    read = CountingRead(region)
    object.__setattr__(plan.image, "read", read)
    result = map_of_tiles(plan, score_tiles(plan))
    assert read.counts.max() == 1
    assert (read.counts == 0).sum() == 80 * 50 - 80 * 48  # right of the last window
    expected = window_by_window(padded, region, 4)
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-7)


@pytest.mark.parametrize("way", ["dense", "windows"])
def test_a_map_that_is_continued_is_bitwise_the_same(binary, padded, plan_of, way):
    estimator = binary if way == "dense" else padded
    region = region_of(70, 60)

    def plan():
        return plan_of(region, 4, 0.05 if way == "dense" else 0.02, estimator)

    whole = list(score_tiles(plan()))
    first = dict(whole[1:3])
    rest = list(score_tiles(plan(), done=first))
    assert len(whole) > 3
    assert {number for number, _ in rest} == {n for n, _ in whole} - set(first)
    for number, values in rest:
        np.testing.assert_array_equal(values, dict(whole)[number])


def test_cells_without_tissue_are_skipped(binary):
    pixels = np.full((160, 320, 3), 240, np.uint8)
    pixels[:, 160:] = (200, 120, 180)
    slide = Slide(pixels, mpp=1.0, name="half")
    result = probability_map(binary, slide, 8, mpp=2.0, mask="tissue")
    assert result.slide_shape == (160, 320)
    assert (result.stride, result.window, result.mpp) == (16, (24, 24), 1.0)
    assert result.slide_name == "half"
    minx = result.boxes().reshape(*result.tissue.shape, 4)[..., 0]
    assert result.tissue.any()
    assert not result.tissue[minx < 136].any()
    assert result.tissue[minx > 170].all()
    assert np.isnan(result.probabilities[~result.tissue]).all()
    again = probability_map(binary, slide, 8, mpp=2.0, mask=tissue_mask(slide))
    np.testing.assert_array_equal(again.tissue, result.tissue)


def test_tiles_without_tissue_are_neither_read_nor_computed(plan_of):
    region = region_of(60, 60)
    mask = np.zeros((2, 2), bool)
    mask[1, 1] = True
    plan = plan_of(region, mask=mask)
    read = CountingRead(region)
    object.__setattr__(plan.image, "read", read)
    done = dict(score_tiles(plan))
    assert 0 < len(done) < len(plan.tiles)
    assert read.counts[40:, 40:].all()
    assert not read.counts[:10, :10].any()


def test_a_slide_is_read_at_the_resolution_of_the_patches(binary):
    slide = Slide(region_of(90, 120), mpp=0.5)
    result = probability_map(binary, slide, 4, mpp=0.97, mask=None)
    image = slide.at(0.97)
    expected = window_by_window(binary, image.read(0, 0, *image.shape), 4)
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-5)
    assert result.stride == pytest.approx(4 * 0.97 / 0.5)
    assert result.origin[0] == pytest.approx((SIDE - 4) / 2 * 0.97 / 0.5)


def test_an_array_is_the_slide_of_its_pixels(binary):
    region = region_of(20, 20)
    result = probability_map(binary, region, 2, mask=None)
    slide = Slide(region)
    assert result.slide_fingerprint == slide.fingerprint
    assert result.slide_name == slide.name
    assert result.mpp is None


def test_a_model_that_cannot_be_pickled_has_no_fingerprint():
    assert fingerprint_of(FunctionTransformer(lambda X: X)) == ""


def test_the_fingerprint_of_a_model_is_that_of_what_it_computes(binary, tissue):
    X, y, _ = tissue

    def fingerprint(estimator):
        region = region_of(20, 20)
        return probability_map(estimator, region, 8, mask=None).model_fingerprint

    loaded = pickle.loads(pickle.dumps(binary))
    assert fingerprint(loaded) == fingerprint(binary)
    assert fingerprint(loaded.set_params(batch_size=3)) == fingerprint(binary)
    assert fingerprint(loaded.set_params(tta="d4")) != fingerprint(binary)
    loaded.set_params(tta=binary.tta, engine="openvino")
    assert fingerprint_of(loaded) != fingerprint_of(binary)
    heads = [
        make_pipeline(PatchEmbedder(binary), LogisticRegression(C=C)) for C in (1, 2)
    ]
    for head in heads:
        head.fit(X[:, :SIDE, :SIDE], y)
    assert len({fingerprint(head) for head in heads}) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", fingerprint(head)) for head in heads)


def test_progress_is_printed_on_request(binary, capsys):
    probability_map(binary, region_of(20, 20), 2, mask=None)
    assert capsys.readouterr().out == ""
    probability_map(binary, region_of(20, 20), 2, mask=None, verbose=True)
    assert capsys.readouterr().out == "1 of 1 tiles mapped\n"


REGION = region_of(20, 20)


def test_a_path_is_opened_as_a_slide(binary, tmp_path):
    Image.fromarray(REGION).save(tmp_path / "region.png")
    found = probability_map(binary, tmp_path / "region.png", 2, mpp=None, mask=None)
    array = probability_map(binary, REGION, 2, mask=None)
    np.testing.assert_array_equal(found.probabilities, array.probabilities)
    assert found.slide_name == "region"


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"stride": 0}, ValueError, "stride must be a positive integer"),
        ({"slide": REGION[:5]}, ValueError, "smaller than a window of 12x12 pixels"),
        ({"slide": REGION / 255}, ValueError, "must have dtype uint8 .* float64"),
        ({"slide": REGION[..., 0]}, ValueError, r"Got dtype uint8 and shape \(20, 20"),
        ({"slide": REGION[:0]}, ValueError, r"must not be empty\. Got dtype uint8"),
        ({"slide": REGION[..., :1]}, ValueError, "cannot predict windows of shape"),
        ({"slide": [1, 2]}, TypeError, "must be a Slide, a path or .* got list"),
        ({"slide": "a.svs"}, FileNotFoundError, "a.svs"),
        ({"slide": Slide(REGION)}, ValueError, "resolution of the slide 'slide' is un"),
        ({"window": 13}, ValueError, r"cannot predict windows of shape \(13, 13, 3\)"),
        ({"mask": "glass"}, ValueError, "mask must be"),
        ({"max_memory": 0.001}, ValueError, r"is too small\. One tile needs at least"),
        ({"max_memory": 0}, ValueError, "max_memory must be a positive number"),
        ({"max_memory": "9"}, ValueError, "max_memory must be a positive number"),
        ({"max_memory": np.inf}, ValueError, "max_memory must be a positive number"),
    ],
)
def test_mistakes_are_clear_errors(binary, changes, error, message):
    arguments = {"slide": REGION, "stride": 2, "mask": None} | changes
    with pytest.raises(error, match=message):
        probability_map(binary, arguments.pop("slide"), **arguments)


def per_group(X):
    groups = np.arange(len(X)) % 2
    return StainNormalizer(per_group=True).fit(X[:, :SIDE, :SIDE], groups=groups)


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        (lambda X: [per_group(X)], "'stainnormalizer' is a StainNormalizer with per_g"),
        (
            lambda X: [FunctionTransformer()],
            r"'functiontransformer' \(FunctionTransformer\) may not treat every",
        ),
        (lambda X: [PatchLoader()], r"'patchloader' is a PatchLoader.* pipeline\[1:\]"),
    ],
)
def test_steps_that_do_not_treat_every_patch_alike_are_errors(
    binary, tissue, steps, message
):
    X, _, region = tissue
    with pytest.raises(TypeError, match=message):
        probability_map(make_pipeline(*steps(X), binary), region)


def test_what_predicts_no_probabilities_is_an_error():
    with pytest.raises(TypeError, match="needs a classifier with predict_proba"):
        probability_map(CenterCrop(), REGION)


def test_a_classifier_that_is_not_fitted_is_an_error():
    with pytest.raises(NotFittedError):
        probability_map(make_pipeline(CenterCrop(12), PatchCNNClassifier()), REGION)


def test_the_window_must_be_given_if_no_step_tells_it(binary):
    pipeline = make_pipeline(Resize(SIDE), binary)
    with pytest.raises(ValueError, match=r"Pass it as window=\(height, width\)"):
        probability_map(pipeline, REGION, 4, mask=None)
    result = probability_map(pipeline, REGION, 4, window=16, mask=None)
    expected = window_by_window(pipeline, REGION, 4, (16, 16))
    np.testing.assert_allclose(result.probabilities, expected, atol=1e-7)


def test_a_classifier_of_numbers_is_an_error():
    X = np.random.default_rng(0).random((20, SIDE, SIDE, 3))
    classifier = PatchCNNClassifier(
        architecture=mean_network, epochs=1, augment=None, random_state=0
    )
    classifier.fit(X, np.arange(20) % 2)
    with pytest.raises(ValueError, match="fitted on numbers that are not rescaled"):
        probability_map(classifier, REGION, 4, mask=None)
