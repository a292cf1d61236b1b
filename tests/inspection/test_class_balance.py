import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from skhisto import ClassBalanceDisplay

Y = ["n", "t", "n", "n", "t", "t"]


def widths(bars):
    return [bar.get_width() for bar in bars]


def test_a_bar_has_a_part_for_each_class_side_by_side():
    display = ClassBalanceDisplay.from_arrays([*Y, "t"])
    assert [widths(bars) for bars in display.bars_] == [[3], [4]]
    assert [bars[0].get_x() for bars in display.bars_] == [0, 3]
    colours = [to_hex(bars[0].get_facecolor()) for bars in display.bars_]
    assert len(set(colours)) == 2


def test_each_group_is_a_bar_from_above():
    display = ClassBalanceDisplay.from_arrays(Y, groups=list("aabbbc"))
    assert [widths(bars) for bars in display.bars_] == [[1, 2, 0], [1, 1, 1]]
    ticks = [text.get_text() for text in display.ax_.get_yticklabels()]
    assert ticks == ["a", "b", "c"]
    bottom, top = display.ax_.get_ylim()
    assert bottom > top


def test_parts_tell_number_and_share_where_there_is_room():
    y = [0] * 990 + [1] * 10
    display = ClassBalanceDisplay.from_arrays(y, display_labels=["normal", "tumour"])
    texts = [text.get_text() for text in display.ax_.texts]
    assert texts == ["990 (99%)", ""]
    legend = [text.get_text() for text in display.ax_.get_legend().get_texts()]
    assert legend == ["normal", "tumour"]
    assert display.ax_.get_xlabel() == "patches"


def test_it_draws_where_it_is_told():
    _, ax = plt.subplots()
    display = ClassBalanceDisplay(np.array([[1, 2]]), classes=[0, 1]).plot(ax=ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure


def test_names_must_be_those_of_all_classes():
    with pytest.raises(ValueError, match=r"the 2 classes \['n', 't'\]"):
        ClassBalanceDisplay.from_arrays(Y, display_labels=["tumour"])
    with pytest.raises(ValueError, match=r"must have the shape \(1, 2\)"):
        ClassBalanceDisplay([[1, 2], [3, 4]], classes=[0, 1]).plot()
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ClassBalanceDisplay.from_arrays(Y, groups=[0, 1])
