"""Files of other sizes are listed, cropped, padded or resized."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from skhisto.patches._image_files import ImageFiles
from skhisto.patches._patch_array import PatchArray
from skhisto.patches._resizing import resize_patches
from skhisto.patches._sizes import check_sizes, fit_to_size, is_solved, majority

seeded = settings(derandomize=True, deadline=None)
sides = st.integers(1, 9)
sizes = st.tuples(sides, sides)


def random_image(size, channels=3, dtype=np.uint8):
    high = np.iinfo(dtype).max
    rng = np.random.default_rng(size)
    return rng.integers(0, high, (*size, channels), dtype=dtype, endpoint=True)


def write(folder, *sizes):
    """Write one image for each size and return their paths."""
    paths = []
    for number, size in enumerate(sizes):
        paths.append(str(folder / f"{number}.png"))
        Image.fromarray(random_image(size)).save(paths[-1])
    return paths


# Which size is expected


@seeded
@given(st.lists(st.sampled_from([(1, 2), (2, 1), (3, 3)]), min_size=1, max_size=9))
def test_the_majority_is_the_most_frequent_size_and_the_first_of_ties(found):
    counts = {size: found.count(size) for size in found}
    expected = next(s for s in found if counts[s] == max(counts.values()))
    assert majority(found) == expected


def test_all_odd_files_are_listed_by_size_wherever_they_are(tmp_path):
    paths = write(tmp_path, (3, 5), (4, 5), (4, 5), (6, 2), (4, 5), (3, 5), (4, 5))
    expected = (
        "3 of 7 image files do not have 4x5 pixels (height x width), the most frequent "
        f"size:\n  3x5, 2 files:\n    {paths[0]}\n    {paths[5]}\n  6x2, 1 file:\n"
        f"    {paths[3]}\nAll patches must have the same size."
    )
    with pytest.raises(ValueError, match="3 of 7") as at_once:
        ImageFiles(paths)
    unchecked = PatchArray(ImageFiles(paths, check_headers=False))
    with pytest.raises(ValueError, match="3 of 7") as while_decoding:
        np.asarray(unchecked)
    assert str(at_once.value).startswith(expected)
    assert str(while_decoding.value) == str(at_once.value)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_threads_collect_odd_files_too(tmp_path, n_jobs):
    paths = write(tmp_path, *[(4, 5)] * 70, (3, 5), *[(4, 5)] * 70, (3, 5))
    files = ImageFiles(paths, check_headers=False, n_jobs=n_jobs)
    with pytest.raises(ValueError, match=r"2 of 142 (.|\n)*70\.png\n(.|\n)*141\.png\n"):
        np.asarray(PatchArray(files))


def test_files_that_change_later_are_judged_by_the_size_of_the_array(tmp_path):
    paths = write(tmp_path, (4, 5), (4, 5), (4, 5))
    X = PatchArray(ImageFiles(paths))
    Image.fromarray(random_image((6, 6))).save(paths[1])
    with pytest.raises(ValueError, match=r"1 of 1 .*4x5 pixels.*the expected size"):
        X[1]


def test_a_size_that_is_given_judges_all_files(tmp_path):
    paths = write(tmp_path, (4, 5), (4, 5), (3, 3))
    with pytest.raises(ValueError, match=r"2 of 3 .* 3x3 pixels .*, the expected size"):
        ImageFiles(paths, size=(3, 3))


def test_long_lists_are_shortened():
    found = [(4, 5)] * 100 + [(3, 5)] * 60 + [(i, 1) for i in range(1, 30)]
    paths = [f"{i}.png" for i in range(len(found))]
    with pytest.raises(ValueError, match="89 of 189") as error:
        check_sizes(paths, found, None, "raise")
    assert "3x5, 60 files:" in str(error.value)
    assert "    and 10 more\n" in str(error.value)
    assert "  and 10 more sizes\n" in str(error.value)


# Crop, pad and resize


@seeded
@given(sizes, sizes)
def test_a_pad_undoes_a_crop(size, other):
    small = tuple(map(min, size, other))
    large = tuple(map(max, size, other))
    image = random_image(large)
    cropped = fit_to_size(image, small, "crop")
    padded = fit_to_size(cropped, large, "pad")
    inside = np.zeros(large, dtype=bool)
    top, left = ((a - b) // 2 for a, b in zip(large, small, strict=True))
    inside[top : top + small[0], left : left + small[1]] = True
    np.testing.assert_array_equal(padded[inside], image[inside])
    assert (padded[~inside] == 255).all()
    assert cropped.shape[:2] == small


def test_16_bits_are_padded_with_their_white():
    padded = fit_to_size(random_image((1, 1), 1, np.uint16), (1, 3), "pad")
    assert padded[0, [0, 2], 0].tolist() == [65535, 65535]


@seeded
@given(sizes, sizes, st.sampled_from(["raise", "crop", "pad", "resize"]))
def test_a_rule_solves_what_it_says(size, expected, rule):
    if is_solved(size, expected, rule):
        if rule == "raise":
            assert size == expected
        else:
            fitted = fit_to_size(random_image(size), expected, rule)
            assert fitted.shape == (*expected, 3)
    elif rule == "crop":
        assert min(size[0] - expected[0], size[1] - expected[1]) < 0
    elif rule == "pad":
        assert max(size[0] - expected[0], size[1] - expected[1]) > 0
    else:
        assert rule == "raise"
        assert size != expected


@pytest.mark.parametrize(
    ("rule", "size", "message"),
    [
        ("crop", None, r"smaller than 4x5 pixels.*\n.*3x6, 1 .*\n.*\nCrop .*\(3, 5\)"),
        ("pad", None, r"larger than 4x5 pixels.*\n.*3x6, 1 .*\n.*\nPad .*\(4, 6\)"),
        ("crop", (4, 4), r"1 of 3 .*smaller than 4x4 pixels.*expected size"),
    ],
)
def test_files_that_a_rule_cannot_change_are_listed(tmp_path, rule, size, message):
    paths = write(tmp_path, (4, 5), (4, 5), (3, 6))
    with pytest.raises(ValueError, match=message):
        ImageFiles(paths, size=size, on_mismatch=rule)


@pytest.mark.parametrize(
    ("rule", "size"),
    [("crop", (3, 4)), ("pad", (6, 8)), ("resize", None), ("resize", (5, 3))],
)
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_lazy_eager_and_single_files_are_equal(tmp_path, rule, size, n_jobs):
    found = [(4, 6), (3, 6), (4, 6), (6, 8) if rule != "pad" else (5, 5)]
    paths = write(tmp_path, *found)
    options = {"size": size, "on_mismatch": rule, "n_jobs": n_jobs}
    lazy = PatchArray(ImageFiles(paths, **options))
    eager = np.asarray(lazy)
    expected = size or (4, 6)
    assert eager.shape == lazy.shape == (4, *expected, 3)
    for row, size_of_file in enumerate(found):
        image = random_image(size_of_file)
        if size_of_file != expected:
            image = fit_to_size(image, expected, rule)
        np.testing.assert_array_equal(lazy[row], image)
        np.testing.assert_array_equal(eager[row], image)
    np.testing.assert_array_equal(np.asarray(lazy.center_crop(2)), lazy_crop(eager))


def lazy_crop(patches):
    top, left = (patches.shape[1] - 2) // 2, (patches.shape[2] - 2) // 2
    return patches[:, top : top + 2, left : left + 2]


def test_files_are_resized_as_the_transformer_does(tmp_path):
    (path,) = write(tmp_path, (9, 7))
    X = np.asarray(PatchArray(ImageFiles([path], size=(4, 4), on_mismatch="resize")))
    expected = resize_patches(random_image((9, 7))[np.newaxis], (4, 4))
    np.testing.assert_array_equal(X, expected)
