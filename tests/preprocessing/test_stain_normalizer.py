"""StainNormalizer gives patches the stain of reference patches."""

import pickle

import numpy as np
import pytest
import skops.io
from PIL import Image
from sklearn import config_context
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from skhisto import PatchArray
from skhisto._stain.density import HE_STAINS, mix_stains, unit_length
from skhisto.patches import _transformed
from skhisto.preprocessing import CenterCrop, PatchLoader, StainNormalizer

METHODS = ["macenko", "reinhard"]
OTHER_STAINS = unit_length([[0.55, 0.75, 0.36], [0.15, 0.90, 0.40]])

both_methods = pytest.mark.parametrize("method", METHODS)


class ArraySource:
    """Patches of an array in memory, and a note of how many were read at once."""

    def __init__(self, array):
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype
        self.reads = []

    def read(self, rows, window):
        self.reads.append(len(rows))
        return self.array[rows][(slice(None), *window)]


def stained(n=6, size=20, *, stains=HE_STAINS, strength=1.0, seed=0):
    """Patches with pure stains, mixtures and some background."""
    rng = np.random.default_rng(seed)
    share = rng.beta(0.3, 0.3, (n, size, size))
    amount = strength * rng.uniform(0.3, 0.8, (n, size, size))
    amount[:, :3] = 0
    return mix_stains(np.stack([share * amount, (1 - share) * amount], -1), stains)


def distance(patches, others):
    return np.abs(patches.astype(int) - others).mean()


# What it does


@both_methods
def test_a_reference_patch_is_nearly_unchanged(method):
    X = stained(1)
    normalized = StainNormalizer(method).fit_transform(X)
    assert normalized.dtype == np.uint8
    assert distance(normalized, X) < 1


@both_methods
def test_patches_stained_otherwise_come_nearer_to_the_reference(method):
    same_tissue = stained(seed=1)
    other = stained(seed=1, stains=OTHER_STAINS, strength=1.4)
    normalized = StainNormalizer(method).fit(stained(seed=0)).transform(other)
    assert distance(normalized, same_tissue) < 0.4 * distance(other, same_tissue)


def test_macenko_finds_unit_vectors_of_haematoxylin_and_eosin():
    normalizer = StainNormalizer("macenko").fit(stained())
    np.testing.assert_allclose(np.linalg.norm(normalizer.stains_, axis=1), 1)
    cosines = np.sum(normalizer.stains_ * HE_STAINS, axis=1)
    assert np.degrees(np.arccos(cosines)).max() < 2
    assert normalizer.concentrations_.shape == (2,)


def test_reinhard_finds_means_and_standard_deviations():
    normalizer = StainNormalizer("reinhard").fit(stained())
    assert normalizer.means_.shape == normalizer.stds_.shape == (3,)
    assert (normalizer.stds_ > 0).all()


@both_methods
def test_one_odd_patch_among_several_hardly_matters(method):
    X = stained(9)
    odd = X.copy()
    odd[4] = stained(1, stains=OTHER_STAINS, strength=2)[0]
    same_tissue = stained(seed=1)
    plain, robust, misled = (
        StainNormalizer(method).fit(reference).transform(same_tissue)
        for reference in (X, odd, odd[4:5])
    )
    assert distance(misled, plain) > 20
    assert distance(robust, plain) < 1


@both_methods
def test_the_order_of_the_reference_does_not_matter(method):
    X = np.concatenate([stained(3), stained(3, stains=OTHER_STAINS, strength=0.6)])
    rows = np.random.default_rng(0).permutation(len(X))
    np.testing.assert_array_equal(
        StainNormalizer(method).fit(X[rows]).transform(X),
        StainNormalizer(method).fit(X).transform(X),
    )


@both_methods
def test_reference_patches_that_cannot_be_measured_are_left_out(method):
    X = stained()
    blank = np.zeros((8, *X.shape[1:]), np.uint8)
    blank[1], blank[2] = 255, [180, 90, 150]
    expected = StainNormalizer(method).fit(X).transform(X)
    with_blank = StainNormalizer(method).fit(np.concatenate([blank, X]))
    np.testing.assert_array_equal(with_blank.transform(X), expected)


@both_methods
@pytest.mark.filterwarnings("error")
def test_white_black_and_plain_patches_pass_unharmed(method):
    X = stained(8, stains=OTHER_STAINS)
    normalizer = StainNormalizer(method).fit(stained())
    expected = normalizer.transform(X)
    for row, colour in ((2, 255), (3, 0), (5, [180, 90, 150]), (7, 240)):
        X[row] = expected[row] = colour
    np.testing.assert_array_equal(normalizer.transform(X), expected)


@both_methods
def test_each_patch_is_normalised_by_itself(method):
    X = np.concatenate([stained(3), stained(3, stains=OTHER_STAINS, strength=0.6)])
    normalizer = StainNormalizer(method).fit(stained(seed=1))
    one_by_one = np.concatenate([normalizer.transform(patch[None]) for patch in X])
    np.testing.assert_array_equal(normalizer.transform(X), one_by_one)


@both_methods
def test_the_input_is_not_changed(method):
    X = stained()
    before = X.copy()
    X.flags.writeable = False
    normalized = StainNormalizer(method).fit_transform(X)
    np.testing.assert_array_equal(X, before)
    assert not np.shares_memory(normalized, X)


@both_methods
def test_patches_may_be_a_list_and_of_another_size_than_the_reference(method):
    X = stained(3, size=30)
    normalizer = StainNormalizer(method).fit(list(stained(size=20)))
    np.testing.assert_array_equal(
        normalizer.transform(list(X)), normalizer.transform(X)
    )


# White

GREENISH = (204, 211, 198)


def on_glass(colour, n=4, *, strength=1.0, seed=0):
    """Patches with glass of a colour in their upper third."""
    rng = np.random.default_rng(seed)
    amounts = strength * rng.uniform(0.2, 0.8, (n, 30, 30, 2))
    amounts[:, :10] = 0
    return mix_stains(amounts, background=colour)


@both_methods
def test_glass_keeps_its_colour_and_tissue_does_not(method):
    X = on_glass(GREENISH)
    normalized = StainNormalizer(method).fit(stained(strength=1.5)).transform(X)
    assert (normalized[:, :10] == GREENISH).all()
    assert distance(normalized[:, 10:], X[:, 10:]) > 5


@both_methods
def test_light_of_another_colour_is_accounted_for(method):
    reference = stained(strength=1.5)
    normalized, in_white_light = (
        StainNormalizer(method).fit(reference).transform(on_glass(colour))
        for colour in (GREENISH, 255)
    )
    expected = in_white_light * (np.array(GREENISH) / 255)
    assert distance(normalized, expected) < 1


@both_methods
@pytest.mark.parametrize("white", [GREENISH, np.array(GREENISH)])
def test_a_given_white_is_as_good_as_the_one_that_is_found(method, white):
    reference, X = on_glass(GREENISH, strength=1.4), on_glass(GREENISH, seed=1)
    found, given = (
        StainNormalizer(method, white=value).fit(reference).transform(X)
        for value in ("auto", white)
    )
    np.testing.assert_array_equal(given, found)


@both_methods
def test_a_given_white_also_counts_where_there_is_glass(method):
    reference, X = on_glass(GREENISH, strength=1.4), on_glass(GREENISH, seed=1)
    normalizer = StainNormalizer(method, white=240.5).fit(reference)
    assert (normalizer.transform(X)[:, :10] != GREENISH).any()


@both_methods
@pytest.mark.parametrize(
    "white", [0, 256, (204, 211), (204, 211, np.nan), [["a"]], (0, 255, 255)]
)
def test_a_white_that_is_no_colour_is_refused(method, white):
    message = r"white must be 'auto', a number, or three numbers .* from 1 to 255; got"
    with pytest.raises(ValueError, match=message):
        StainNormalizer(method, white=white).fit(stained())
    fitted = StainNormalizer(method).fit(stained())
    with pytest.raises(ValueError, match=message):
        fitted.set_params(white=white).transform(stained())


@pytest.mark.parametrize("white", ["bright", None])
def test_another_name_of_white_is_refused(white):
    with pytest.raises(ValueError, match="'white' parameter of StainNormalizer"):
        StainNormalizer(white=white).fit(stained())


# Groups


def two_slides():
    """Patches of a weakly and of a strongly stained slide, and their groups."""
    X = np.concatenate([stained(4, strength=0.7), stained(4, strength=1.3, seed=1)])
    return X, np.repeat(["weak", "strong"], 4)


@both_methods
def test_patches_of_known_groups_have_the_estimates_of_their_group(method):
    X, groups = two_slides()
    X[1] = stained(1, strength=0.3)  # differs from the rest of its slide
    normalizer = StainNormalizer(method, per_group=True).fit(X, groups=groups)
    assert normalizer.groups_.tolist() == ["strong", "weak"]
    by_group = normalizer.transform(X, groups=groups)
    by_patch = normalizer.transform(X)
    # Pale remains paler within its slide.
    assert by_group[1].mean() > by_patch[1].mean() + 5
    same = np.concatenate(
        [
            normalizer.transform(x[None], groups=[g])
            for x, g in zip(X, groups, strict=True)
        ]
    )
    np.testing.assert_array_equal(by_group, same)


@both_methods
def test_patches_of_unknown_groups_are_measured_by_themselves(method):
    X, groups = two_slides()
    normalizer = StainNormalizer(method, per_group=True).fit(X, groups=groups)
    np.testing.assert_array_equal(
        normalizer.transform(X, groups=["new"] * 8), normalizer.transform(X)
    )
    np.testing.assert_array_equal(
        normalizer.transform(X), StainNormalizer(method).fit(X).transform(X)
    )


@both_methods
def test_groups_do_not_change_the_reference(method):
    X, groups = two_slides()
    with_groups = StainNormalizer(method, per_group=True).fit(X, groups=groups)
    without = StainNormalizer(method).fit(X)
    assert without.groups_.tolist() == []
    for name in ("stains_", "concentrations_", "means_", "stds_"):
        if hasattr(without, name):
            np.testing.assert_array_equal(
                getattr(with_groups, name), getattr(without, name)
            )


@both_methods
def test_a_patch_with_little_tissue_has_the_stain_of_its_group(method):
    X, groups = two_slides()
    pale = np.full_like(X[:1], 255)
    pale[0, 5, :20] = X[6, 5]
    normalizer = StainNormalizer(method, per_group=True).fit(X, groups=groups)
    np.testing.assert_array_equal(normalizer.transform(pale), pale)
    changed = normalizer.transform(pale, groups=["strong"])
    np.testing.assert_array_equal(changed[0, 6:], 255)
    assert (changed[0, 5] != pale[0, 5]).mean() > 0.5


@both_methods
def test_a_patch_without_glass_has_the_white_of_its_group(method):
    X = on_glass(GREENISH, n=5)
    X[0, :10] = X[0, 10:20]  # no glass
    groups = [7, 7, 7, 7, 8]
    normalizer = StainNormalizer(method, per_group=True).fit(X, groups=groups)
    assert normalizer.groups_.tolist() == [7, 8]
    np.testing.assert_array_equal(normalizer.group_white_, [GREENISH] * 2 + [[255] * 3])
    given = normalizer.set_params(white=GREENISH).transform(X, groups=groups)
    auto = normalizer.set_params(white="auto").transform(X, groups=groups)
    np.testing.assert_array_equal(auto, given)
    assert (normalizer.transform(X)[0] != given[0]).any()


@both_methods
def test_fit_transform_uses_the_groups_in_both(method):
    X, groups = two_slides()
    together = StainNormalizer(method, per_group=True).fit_transform(X, groups=groups)
    fitted = StainNormalizer(method, per_group=True).fit(X, groups=groups)
    np.testing.assert_array_equal(together, fitted.transform(X, groups=groups))
    assert (together != fitted.transform(X)).any()


@both_methods
def test_groups_are_routed_through_a_pipeline(method):
    X, groups = two_slides()
    with config_context(enable_metadata_routing=True):
        step = StainNormalizer(method, per_group=True)
        step.set_fit_request(groups=True).set_transform_request(groups=True)
        pipeline = make_pipeline(step, CenterCrop(8))
        cropped = pipeline.fit_transform(X, groups=groups)
    expected = StainNormalizer(method, per_group=True).fit_transform(X, groups=groups)
    np.testing.assert_array_equal(cropped, expected[:, 6:14, 6:14])


@both_methods
def test_a_patch_array_that_carries_groups_needs_no_other(method):
    X, groups = two_slides()
    lazy = PatchArray(ArraySource(X), groups=groups)
    normalizer = StainNormalizer(method, per_group=True).fit(lazy)
    normalized = normalizer.transform(lazy)
    eager = StainNormalizer(method, per_group=True).fit_transform(X, groups=groups)
    np.testing.assert_array_equal(np.asarray(normalized), eager)
    rows = [6, 0, 3]
    np.testing.assert_array_equal(np.asarray(normalized[rows]), eager[rows])
    np.testing.assert_array_equal(normalized[5], eager[5])
    given = normalizer.transform(lazy, groups=groups[::-1])
    assert (np.asarray(given) != eager).any()


@both_methods
def test_groups_of_another_length_are_refused(method):
    X, groups = two_slides()
    fitted = StainNormalizer(method, per_group=True).fit(X, groups=groups)
    for refuse in (StainNormalizer(method, per_group=True).fit, fitted.transform):
        with pytest.raises(
            ValueError,
            match=r"groups must have shape \(n_patches,\), here \(8,\), got \(7,\)\.",
        ):
            refuse(X, groups=groups[1:])


@both_methods
def test_missing_groups_are_refused(method):
    X, groups = two_slides()
    fitted = StainNormalizer(method, per_group=True).fit(X, groups=groups)
    missing = ["weak", None] * 4
    for refuse in (StainNormalizer(method, per_group=True).fit, fitted.transform):
        with pytest.raises(
            ValueError, match="Each patch needs a group, but 4 of 8 groups are None"
        ):
            refuse(X, groups=missing)


@both_methods
def test_by_default_groups_that_patches_carry_are_ignored(method):
    X, groups = two_slides()
    lazy = PatchArray(ArraySource(X), groups=groups)
    normalizer = StainNormalizer(method).fit(lazy)
    assert normalizer.groups_.tolist() == []
    np.testing.assert_array_equal(
        np.asarray(normalizer.transform(lazy)),
        StainNormalizer(method).fit_transform(X),
    )


@both_methods
def test_by_default_carried_groups_do_not_set_the_colour_of_glass(method):
    X = on_glass(GREENISH, n=5)
    X[0, :10] = X[0, 10:20]  # no glass
    lazy = PatchArray(ArraySource(X), groups=[7] * 5)
    normalizer = StainNormalizer(method).fit(lazy)
    np.testing.assert_array_equal(normalizer.group_white_, [[255] * 3])


@both_methods
def test_groups_are_refused_unless_they_are_used(method):
    X, groups = two_slides()
    fitted = StainNormalizer(method).fit(X)
    for refuse in (StainNormalizer(method).fit, fitted.transform, fitted.fit_transform):
        with pytest.raises(ValueError, match=r"per_group=False ignores it\. Set"):
            refuse(X, groups=groups)


@both_methods
def test_per_group_needs_groups_in_fit(method):
    with pytest.raises(
        ValueError, match="per_group=True needs the group of each patch"
    ):
        StainNormalizer(method, per_group=True).fit(stained())


# Lazy


@both_methods
def test_a_patch_array_stays_undecoded_and_gives_the_same_pixels(method):
    X = stained(stains=OTHER_STAINS)
    source = ArraySource(X)
    normalizer = StainNormalizer(method).fit(stained())
    lazy = normalizer.transform(PatchArray(source))
    assert isinstance(lazy, PatchArray)
    cropped = lazy[1:].center_crop(8)
    assert source.reads == []
    eager = normalizer.transform(X)
    np.testing.assert_array_equal(np.asarray(lazy), eager)
    np.testing.assert_array_equal(np.asarray(cropped), eager[1:, 6:14, 6:14])
    np.testing.assert_array_equal(lazy[-1], eager[-1])


@both_methods
def test_a_lazy_reference_is_decoded_a_few_patches_at_a_time(method, monkeypatch):
    X = stained()
    in_memory = StainNormalizer(method).fit(X)
    monkeypatch.setattr(_transformed, "_PIXELS_PER_CHUNK", 2 * 20 * 20)
    source = ArraySource(X)
    lazily = StainNormalizer(method).fit(PatchArray(source))
    assert source.reads == [2, 2, 2]
    np.testing.assert_array_equal(lazily.transform(X), in_memory.transform(X))


@both_methods
def test_lazy_patches_keep_their_reference_when_fitted_again(method):
    X = stained(stains=OTHER_STAINS)
    normalizer = StainNormalizer(method).fit(stained())
    expected = normalizer.transform(X)
    lazy = normalizer.transform(PatchArray(ArraySource(X)))
    normalizer.fit(X)
    np.testing.assert_array_equal(np.asarray(lazy), expected)


@both_methods
def test_lazy_patches_survive_pickle(method):
    X = PatchArray(ArraySource(stained()))
    lazy = StainNormalizer(method).fit_transform(X)
    same = pickle.loads(pickle.dumps(lazy))
    np.testing.assert_array_equal(np.asarray(same), np.asarray(lazy))


# What is refused


@both_methods
@pytest.mark.parametrize(
    ("X", "message"),
    [
        (stained().astype(np.float32) / 255, r"got shape \(6, 20, 20, 3\) and dtype float32\. Normalise before"),
        (stained().astype(np.uint16), "dtype uint16"),
        (stained()[..., :1], r"got shape \(6, 20, 20, 1\) .* Grey patches cannot be norm"),
        (np.repeat(stained(), 2, axis=3)[..., :4], r"alpha channel with np\.asarray\(X\)\[\.\.\., :3\]"),
        (stained()[..., 0], r"RGB patches of shape \(n_patches, height, width, 3\).* got shape \(6, 20, 20\)"),
        (stained()[0], r"got shape \(20, 20, 3\) .* A single patch needs an axis in front: X\[np\.newaxis\]"),
        (stained()[:0], r"At least 1 patch is required"),
        (stained()[:, :0], r"must not be empty, got shape \(6, 0, 20, 3\)"),
        ([np.zeros((9, 8, 3)), np.zeros((9, 9, 3))], r"same shape; got \(9, 8, 3\) and \(9, 9, 3\)"),
        (PatchArray(ArraySource(stained().astype(float))), "dtype float64"),
        (PatchArray(ArraySource(stained()[..., :1])), r"\(6, 20, 20, 1\)"),
        (PatchArray(ArraySource(stained()[:0])), r"At least 1 patch is required"),
    ],
)  # fmt: skip
def test_what_is_not_rgb_of_8_bits_is_refused_in_fit_and_transform(method, X, message):
    fitted = StainNormalizer(method).fit(stained())
    for refuse in (StainNormalizer(method).fit, fitted.transform):
        with pytest.raises(ValueError, match=message):
            refuse(X)


@both_methods
def test_a_reference_without_tissue_is_refused(method):
    white = np.full((4, 20, 20, 3), 255, np.uint8)
    with pytest.raises(ValueError, match=r"None of the 4 .* 4 have too little tissue"):
        StainNormalizer(method).fit(white)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match="'method' parameter of StainNormalizer"):
        StainNormalizer("vahadane").fit(stained())


@both_methods
def test_it_must_be_fitted_with_the_method_it_transforms_by(method):
    message = f"^This StainNormalizer is not fitted with method='{method}'\\. Call fit"
    with pytest.raises(NotFittedError, match=message):
        StainNormalizer(method).transform(stained())
    (other,) = {*METHODS} - {method}
    fitted = StainNormalizer(other).fit(stained())
    with pytest.raises(NotFittedError, match=message):
        fitted.set_params(method=method).transform(stained())


@both_methods
def test_another_fit_removes_the_attributes_of_the_previous_method(method):
    (other,) = {*METHODS} - {method}
    twice = StainNormalizer(method).fit(stained())
    twice.set_params(method=other).fit(stained())
    assert set(vars(twice)) == set(vars(StainNormalizer(other).fit(stained())))


# As a scikit-learn transformer


@both_methods
def test_it_works_in_a_pipeline_lazily_and_eagerly(method, tmp_path):
    X = stained(stains=OTHER_STAINS)
    for row, patch in enumerate(X):
        Image.fromarray(patch).save(tmp_path / f"{row}.png")
    names = [f"{row}.png" for row in range(len(X))]
    eager, lazy = (
        make_pipeline(
            PatchLoader(root=tmp_path, lazy=lazy),
            StainNormalizer(method),
            CenterCrop(8),
        ).fit_transform(names)
        for lazy in (False, True)
    )
    assert isinstance(lazy, PatchArray)
    np.testing.assert_array_equal(np.asarray(lazy), eager)
    expected = StainNormalizer(method).fit(X).transform(X)[:, 6:14, 6:14]
    np.testing.assert_array_equal(eager, expected)


@both_methods
def test_it_survives_clone_pickle_and_skops(method):
    X, groups = two_slides()
    fitted = StainNormalizer(method=method, per_group=True).fit(X, groups=groups)
    dumped = skops.io.dumps(fitted)
    for same in (
        pickle.loads(pickle.dumps(fitted)),
        skops.io.loads(dumped, trusted=["skhisto.StainNormalizer"]),
    ):
        assert type(same) is StainNormalizer
        np.testing.assert_array_equal(
            same.transform(X, groups=groups), fitted.transform(X, groups=groups)
        )
    expected = {"method": method, "white": "auto", "per_group": True}
    assert vars(clone(fitted)) == expected


def test_its_tags_say_what_it_takes():
    tags = get_tags(StainNormalizer())
    assert tags.requires_fit
    assert not tags.input_tags.two_d_array
    assert tags.input_tags.three_d_array
    assert not tags.input_tags.allow_nan
    assert tags.transformer_tags.preserves_dtype == ["uint8"]


@pytest.mark.parametrize("container", ["pandas", "default"])
def test_output_stays_an_array_whatever_the_global_output(container):
    with config_context(transform_output=container):
        normalized = StainNormalizer().fit_transform(stained())
    assert type(normalized) is np.ndarray
    assert not hasattr(StainNormalizer(), "set_output")


@pytest.mark.filterwarnings("error")
def test_a_progress_bar_leaves_nothing_behind(capsys):
    normalizer = StainNormalizer("macenko").set_callbacks(ProgressBar())
    normalizer.fit(stained())
    normalizer.set_callbacks()
    plain = StainNormalizer("macenko").fit(stained())
    assert set(vars(normalizer)) == set(vars(plain))
    assert "StainNormalizer" in capsys.readouterr().out


# Real patches


@both_methods
def test_real_patches_differ_less_in_colour_when_normalised(real_data, method):
    paths = sorted((real_data / "pcam" / "train").glob("*.tif"))[:300]
    X = PatchLoader().transform([str(path) for path in paths])

    def spread(patches):
        return patches.mean(axis=(1, 2)).std(axis=0)

    for reference in (X[5:6], X[:200]):  # one slide, many slides
        normalized = StainNormalizer(method).fit(reference).transform(X)
        assert (spread(normalized) < 0.95 * spread(X)).all()


@both_methods
def test_grey_glass_of_a_real_patch_keeps_its_colour(real_data, method):
    single = real_data / "tiles" / "single"
    target, grey = (
        np.asarray(Image.open(single / name).convert("RGB"))[np.newaxis]
        for name in ("target_image.png", "SOB_B_A_14-22549AB_0.png")
    )
    normalized = StainNormalizer(method).fit(target).transform(grey).astype(int)
    glass = np.abs(grey.astype(int) - [204, 211, 198]).max(axis=3) <= 6
    assert glass.mean() > 0.4
    assert np.percentile(np.abs(normalized - grey).max(axis=3)[glass], 99) <= 2
    assert distance(normalized[~glass], grey[~glass]) > 4


@pytest.mark.parametrize(("method", "worst"), [("reinhard", 0.002), ("macenko", 0.005)])
def test_smooth_tissue_of_real_patches_gets_no_speckle(real_data, method, worst):
    tiles = real_data / "tiles"
    target = np.asarray(Image.open(tiles / "single" / "target_image.png"))[..., :3]
    normalizer = StainNormalizer(method).fit(target[np.newaxis])
    paths = sorted((real_data / "pcam" / "train").glob("*.tif"))[:100:2]
    for path in [*(tiles / "kather2016").rglob("*.tif"), *paths]:
        patch = np.asarray(Image.open(path))
        pairs = [
            np.abs(np.diff(each.mean(axis=2), axis=axis))
            for axis in (0, 1)
            for each in (patch, normalizer.transform(patch[np.newaxis])[0])
        ]
        torn = [(pairs[i] < 10) & (pairs[i + 1] > 40) for i in (0, 2)]
        assert np.mean([each.mean() for each in torn]) <= worst
