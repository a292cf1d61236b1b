import itertools

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from skhisto import ClassBalanceDisplay

Y = ["n", "t", "n", "n", "t", "t"]


def widths(bars):
    return [bar.get_width() for bar in bars]


def texts_of(display):
    return [text.get_text() for text in display.ax_.texts]


def test_each_class_is_a_bar_from_above():
    display = ClassBalanceDisplay.from_arrays(
        [*Y, "t"], display_labels=["normal", "tumour"]
    )
    assert [widths(bars) for bars in display.bars_] == [[3], [4]]
    colours = [to_hex(bars[0].get_facecolor()) for bars in display.bars_]
    assert len(set(colours)) == 2
    ticks = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert ticks == ["normal", "tumour"]
    assert texts_of(display) == ["3 (43%)", "4 (57%)"]
    bottom, top = display.ax_.get_ylim()
    assert bottom > top


def test_each_group_is_a_bar_from_above():
    display = ClassBalanceDisplay.from_arrays(Y, groups=list("aabbbc"))
    assert [widths(bars) for bars in display.bars_] == [[1, 2, 0], [1, 1, 1]]
    ticks = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert ticks == ["a", "b", "c"]
    assert [bars[0].get_x() for bars in display.bars_] == [0, 1]
    bottom, top = display.ax_.get_ylim()
    assert bottom > top


def test_parts_tell_number_and_share_where_there_is_room():
    y = [0] * 990 + [1] * 10
    display = ClassBalanceDisplay.from_arrays(
        y, groups=np.zeros(1000), display_labels=["normal", "tumour"]
    )
    assert texts_of(display) == ["990 (99%)"]
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["normal", "tumour"]
    assert display.ax_.get_xlabel() == "patches"


@pytest.mark.parametrize("groups", [None, np.arange(200) % 10], ids=["all", "groups"])
@pytest.mark.parametrize("n_classes", [2, 8, 20])
def test_long_names_do_not_overlap_or_leave_the_figure(n_classes, groups):
    name = "class {} of tissue whose name is so long that it takes more than two lines"
    names = [name.format(i) for i in range(n_classes)]
    display = ClassBalanceDisplay.from_arrays(
        np.arange(200) % n_classes, groups=groups, display_labels=names
    )
    display.figure_.draw_without_rendering()
    whole = display.figure_.get_window_extent()
    legend = display.ax_.get_legend()
    texts = legend.get_texts() if legend else display.ax_.get_yticklabels()
    boxes = [text.get_window_extent() for text in texts]
    assert len(boxes) == n_classes
    assert all(above.y0 >= below.y1 for above, below in itertools.pairwise(boxes))
    assert all(whole.x0 <= box.x0 and box.x1 <= whole.x1 for box in boxes)
    assert all(whole.y0 <= box.y0 and box.y1 <= whole.y1 for box in boxes)
    left, right = display.ax_.get_window_extent().intervalx
    assert right - left > 0.4 * whole.width  # the bars have room


def test_it_draws_where_it_is_told():
    _, ax = plt.subplots()
    display = ClassBalanceDisplay(np.array([[1, 2]]), classes=[0, 1]).plot(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_names_must_be_those_of_all_classes():
    with pytest.raises(ValueError, match=r"the 2 classes \['n', 't'\]"):
        ClassBalanceDisplay.from_arrays(Y, display_labels=["tumour"])
    with pytest.raises(
        ValueError, match=r"must have shape \(n_groups, n_classes\), here \(1, 2\)"
    ):
        ClassBalanceDisplay([[1, 2], [3, 4]], classes=[0, 1]).plot()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ClassBalanceDisplay.from_arrays(Y, groups=[0, 1])
