import matplotlib.pyplot as plt
import numpy as np
import pytest

from skhisto import Slide, SlideMapDisplay
from skhisto.maps._display import _round_length


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def test_cells_are_drawn_where_they_are_on_the_slide(make_map):
    display = SlideMapDisplay.from_map(make_map())
    assert list(display.image_.get_extent()) == [31.5, 156, 144.5, 20]
    assert display.ax_.get_xlim() == (0, 400)
    assert display.ax_.get_ylim() == (300, 0)
    assert display.thumbnail_ is None
    assert display.image_.get_clim() == (0, 1)
    assert display.colorbar_.ax.get_ylabel() == "probability of tumour"


def test_cells_that_were_not_scored_are_transparent(make_map):
    shown = SlideMapDisplay.from_map(make_map()).image_.get_array()
    assert shown.mask.tolist() == [[False, False], [False, True]]


def test_an_array_that_was_mapped_is_drawn_as_a_slide_is(make_map):
    pixels = np.full((300, 400, 3), 200, np.uint8)
    display = SlideMapDisplay.from_map(make_map(), pixels)
    np.testing.assert_array_equal(display.thumbnail, Slide(pixels).thumbnail(1024))


def test_the_thumbnail_covers_the_whole_slide(make_map):
    slide = Slide(np.full((300, 400, 3), 200, np.uint8), name="a")
    display = SlideMapDisplay.from_map(make_map(), slide)
    assert list(display.thumbnail_.get_extent()) == [0, 400, 300, 0]
    assert display.image_.get_alpha() < 1


def test_outlines_surround_the_cells_above_the_threshold(make_map):
    (line,) = SlideMapDisplay.from_map(make_map()).outlines_.get_segments()
    assert line.min(axis=0).tolist() == [93.75, 20]
    assert line.max(axis=0).tolist() == [156, 82.25]
    assert SlideMapDisplay.from_map(make_map(), threshold=None).outlines_ is None


def test_the_scale_bar_needs_a_resolution(make_map):
    display = SlideMapDisplay.from_map(make_map(mpp=0.5))
    assert display.scale_bar_.get_width() == 100  # 50 of 200 microns
    assert display.ax_.texts[0].get_text() == "50 \N{MICRO SIGN}m"
    assert SlideMapDisplay.from_map(make_map(mpp=None)).scale_bar_ is None


@pytest.mark.parametrize(
    ("longest", "microns", "text"),
    [(9.9, 5, "5 \N{MICRO SIGN}m"), (1000, 1000, "1 mm"), (2600, 2000, "2 mm")],
)
def test_scale_bars_have_round_lengths(longest, microns, text):
    assert _round_length(longest) == (microns, text)


def test_of_several_classes_one_is_drawn(make_multiclass_map):
    _, ax = plt.subplots()
    display = SlideMapDisplay.from_map(make_multiclass_map(), class_=2, ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.image_.get_array().min() == 1
    with pytest.raises(ValueError, match="class_ must be one of"):
        SlideMapDisplay.from_map(make_multiclass_map())


def test_a_slide_of_another_size_is_an_error(make_map):
    slide = Slide(np.zeros((30, 40, 3), np.uint8), name="b")
    with pytest.raises(ValueError, match=r"of shape \(300, 400\), but 'b' has shape"):
        SlideMapDisplay.from_map(make_map(), slide)


def test_a_threshold_that_is_no_probability_is_an_error(make_map):
    with pytest.raises(ValueError, match=r"threshold must be None or in .* got 3"):
        SlideMapDisplay.from_map(make_map([[0.2]]), threshold=3)
