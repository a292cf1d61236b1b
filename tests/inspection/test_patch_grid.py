import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from skhisto import PatchGridDisplay, PatchLoader

BLUE, VERMILION = "#0072b2", "#d55e00"  # of Okabe and Ito


@pytest.fixture
def patches():
    """20 patches of 40x48 pixels, each of one brightness, which tells its number."""
    return np.repeat(np.arange(20, dtype=np.uint8), 40 * 48 * 3).reshape(20, 40, 48, 3)


def numbers(display):
    return [int(image.get_array()[0, 0, 0]) for image in display.images_]


def titles(display):
    return [title.get_text() for title in display.titles_]


def frames(display):
    return [to_hex(frame.get_edgecolor()) for frame in display.frames_]


def test_there_is_a_row_for_each_class(patches):
    y = np.arange(20) % 2
    display = PatchGridDisplay.from_arrays(
        patches, y, n_patches=4, display_labels=["normal", "tumour"], random_state=0
    )
    assert [number % 2 for number in numbers(display)] == [0] * 4 + [1] * 4
    assert titles(display) == ["normal", "tumour"]  # one for each row
    assert frames(display) == [BLUE] * 4 + [VERMILION] * 4
    left, _, bottom, top = np.array([i.get_extent() for i in display.images_]).T
    assert len(set(left)) == 4
    assert len(set(top)) == 2
    np.testing.assert_allclose(bottom - top, 40)


def test_a_class_of_few_patches_has_a_row_of_its_own(patches):
    y = np.arange(20) > 1
    display = PatchGridDisplay.from_arrays(patches, y, n_patches=6, random_state=0)
    tops = [image.get_extent()[3] for image in display.images_]
    assert len(set(tops[:2])) == len(set(tops[2:])) == 1
    assert tops[0] < tops[2]


def test_patches_are_drawn_by_the_seed(patches):
    y = np.zeros(20)
    one, same, other = (
        numbers(PatchGridDisplay.from_arrays(patches, y, random_state=seed))
        for seed in (0, 0, 1)
    )
    assert one == same != other
    assert len(set(one)) == 6


def test_the_most_confident_mistakes_come_first(patches):
    y = np.arange(20) % 2
    proba = np.where(y, 0.9, 0.1)
    proba[[3, 5, 8]] = 0.4, 0.2, 0.7
    display = PatchGridDisplay.from_predictions(patches, y, proba)
    assert numbers(display) == [5, 8, 3]
    arrow = "\N{RIGHTWARDS ARROW}"
    assert titles(display) == [
        f"1\n{arrow} 0 0.80",
        f"0\n{arrow} 1 0.70",
        f"1\n{arrow} 0 0.60",
    ]
    assert frames(display) == [BLUE, VERMILION, BLUE]


def test_without_mistakes_it_says_so(patches):
    y = np.arange(20) % 2
    display = PatchGridDisplay.from_predictions(patches, y, y.astype(float))
    assert display.images_ == []
    assert [text.get_text() for text in display.ax_.texts] == ["none"]


def test_probabilities_rise_evenly(patches):
    proba = np.linspace(0, 1, 20)[::-1]
    display = PatchGridDisplay.from_predictions(
        patches, np.arange(20) % 2, proba, order="probability", n_patches=3
    )
    shown = numbers(display)
    assert shown[0] == 19
    assert shown[1] in (9, 10)
    assert shown[2] == 0


def test_an_estimator_predicts_for_itself(fitted, bright_or_dark):
    X, y, _ = bright_or_dark
    display = PatchGridDisplay.from_estimator(
        fitted, X, y, order="random", n_patches=5, random_state=0, n_columns=2
    )
    assert len(display.images_) == 5
    proba = fitted.predict_proba(np.stack([i.get_array() for i in display.images_]))
    for title, row in zip(titles(display), proba, strict=True):
        assert title.endswith(f"{row.argmax()} {row.max():.2f}")


def test_a_square_in_the_middle_shows_what_the_label_is_about(patches):
    display = PatchGridDisplay(patches[:2], y_true=[0, 1]).plot(center=32)
    for square, image in zip(display.centers_, display.images_, strict=True):
        left, right, bottom, top = image.get_extent()
        assert square.get_bbox().size.tolist() == [32, 32]
        np.testing.assert_allclose(
            square.get_center(), [(left + right) / 2, (top + bottom) / 2]
        )
    assert not PatchGridDisplay(patches, y_true=[0] * 20).plot().centers_
    assert not PatchGridDisplay(patches, y_true=[0] * 20).plot(center=64).centers_


def test_all_patches_lie_within_the_axes(patches):
    _, ax = plt.subplots()
    display = PatchGridDisplay(patches, y_true=[0] * 20).plot(ax=ax, n_columns=6)
    assert display.ax_ is ax
    low, high = ax.get_xlim()
    extents = np.array([image.get_extent() for image in display.images_])
    assert low <= extents[:, 0].min()
    assert extents[:, 1].max() <= high
    bottom, top = ax.get_ylim()
    assert top <= extents[:, 3].min()
    assert extents[:, 2].max() <= bottom


@pytest.mark.parametrize("n_columns", [1, 3, 12])
def test_titles_do_not_overlap_in_axes_of_any_size(patches, n_columns):
    figure = plt.figure(figsize=(8, 4))
    ax = figure.add_axes((0, 0, 0.5, 1))
    y, proba = np.arange(20) % 2, np.linspace(0, 1, 20)
    names = ["without any tumour", "tumour"]
    display = PatchGridDisplay.from_predictions(
        patches,
        y,
        proba,
        order="random",
        n_columns=n_columns,
        display_labels=names,
        ax=ax,
    )
    figure.draw_without_rendering()
    boxes = [title.get_window_extent() for title in display.titles_[:n_columns]]
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_each_of_24_classes_has_its_own_colour(patches):
    y = np.arange(24)
    display = PatchGridDisplay(np.resize(patches, (24, 4, 4, 3)), y_true=y).plot()
    assert len(set(frames(display))) == 24


def test_long_names_are_shortened_and_a_legend_has_the_full_names(patches):
    names = ["invasive carcinoma of no special type, grade 3", "normal"]
    display = PatchGridDisplay.from_predictions(
        patches,
        np.arange(20) % 2,
        np.full(20, 0.25),
        order="random",
        display_labels=names,
    )
    legend = display.ax_.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == names
    dots = "\N{HORIZONTAL ELLIPSIS}"
    first, second = titles(display)[0].split("\n")
    assert first == "normal" or (first.startswith("inva") and first.endswith(dots))
    assert second.endswith(f"{dots} 0.75")
    assert all(title.get_fontsize() >= 5 for title in display.titles_)
    low = display.figure_.get_window_extent()
    display.figure_.draw_without_rendering()
    assert legend.get_window_extent().y0 >= low.y0


def test_names_that_fit_need_no_legend(patches):
    y, proba = np.arange(20) % 2, np.linspace(0, 1, 20)
    display = PatchGridDisplay.from_predictions(patches, y, proba, order="random")
    assert display.ax_.get_legend() is None


def test_a_long_name_has_the_whole_row(patches):
    names = ["invasive carcinoma of no special type, grade 3", "normal"]
    display = PatchGridDisplay.from_arrays(
        patches, np.arange(20) % 2, display_labels=names
    )
    assert titles(display) == names


def test_titles_may_be_given(patches):
    display = PatchGridDisplay(
        patches[:3], y_true=[0, 0, 1], titles=["row 7", "row 8", "row 9"]
    )
    assert titles(display.plot(row_per_class=True)) == ["row 7", "row 8", "row 9"]
    tops = [image.get_extent()[3] for image in display.images_]
    assert tops[0] == tops[1] < tops[2]
    display = PatchGridDisplay(patches[:3], y_true=[0, 0, 1], titles=["row 7"])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        display.plot()


def test_twenty_rows_fit_on_a_page(patches):
    display = PatchGridDisplay(patches, y_true=np.arange(20))
    height = display.plot(row_per_class=True).figure_.get_figheight()
    assert height <= 18


def test_only_what_is_shown_is_read(patches, tmp_path):
    paths = [tmp_path / f"{i}.png" for i in range(20)]
    for path, patch in zip(paths, patches, strict=True):
        Image.fromarray(patch).save(path)
    lazy = PatchLoader(lazy=True).transform(paths)
    y = np.arange(20) % 2
    display = PatchGridDisplay.from_arrays(lazy, y, n_patches=1, random_state=0)
    for number in set(range(20)) - set(numbers(display)):
        paths[number].unlink()
    again = PatchGridDisplay.from_arrays(lazy, y, n_patches=1, random_state=0)
    assert numbers(again) == numbers(display)


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        (np.full((4, 4, 1), 51, np.uint8), [51, 51, 51]),
        (np.full((4, 4, 2), [51, 102], np.uint8), [51, 102, 51]),  # magenta and green
        (np.full((4, 4, 4), [1, 2, 3, 204], np.uint8), [1, 2, 3, 204]),
        (np.full((4, 4), 51, np.uint8), [51, 51, 51]),
        (np.full((4, 4, 1), True), [1, 1, 1]),
        (np.full((4, 4, 3), 13107, np.uint16), [0.2, 0.2, 0.2]),
        (np.full((4, 4, 3), 0.2), [0.2, 0.2, 0.2]),
        (np.full((4, 4, 3), 250.0), [1, 1, 1]),
        (np.arange(0, 48, dtype=np.int64).reshape(4, 4, 3), [0, 1 / 47, 2 / 47]),
        (np.stack([np.full((4, 4), v) for v in (-1.0, 0.0, 3.0)], -1), [0, 0.25, 1]),
    ],
)
def test_pixels_of_any_dtype_and_number_of_channels_are_shown(patch, expected):
    display = PatchGridDisplay(patch[None], y_true=[0]).plot()
    np.testing.assert_allclose(display.images_[0].get_array()[0, 0], expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": "best"}, "order must be 'mistakes', .*'random', got 'best'"),
        (
            {"classes": [0, 2]},
            r"y_true contains \[1\], which are not among the classes",
        ),
        ({"classes": [0, 1, 2]}, "y_proba has 2 columns, but there are 3 classes"),
        ({"display_labels": ["a"]}, r"must name the 2 classes \[0, 1\]"),
    ],
)
def test_inconsistent_arguments_are_an_error(patches, arguments, message):
    y, proba = np.arange(20) % 2, np.full(20, 0.6)
    with pytest.raises(ValueError, match=message):
        PatchGridDisplay.from_predictions(patches, y, proba, **arguments)


def test_patches_are_shown_on_one_scale():
    patches = np.stack([np.full((4, 4, 3), value) for value in (10.0, 20.0)])
    images = PatchGridDisplay(patches, y_true=[0, 0]).plot().images_
    assert [image.get_array()[0, 0, 0] for image in images] == [0.5, 1]


def test_each_patch_needs_its_probabilities(patches):
    display = PatchGridDisplay(patches[:2], y_true=[0, 1], y_proba=[0.5])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        display.plot()
    display = PatchGridDisplay(patches[:2], y_true=[0, 1], y_proba=[0.25, 0.75]).plot()
    assert titles(display)[1].endswith("1 0.75")


def test_only_patches_are_shown():
    with pytest.raises(ValueError, match=r"Got ndarray of shape \(4, 2\)"):
        PatchGridDisplay.from_arrays(np.zeros((4, 2)), np.zeros(4))
