import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skhisto.slides import WindowGrid

lengths = st.integers(1, 60)


@given(lengths, lengths, lengths, lengths, st.integers(1, 20))
def test_windows_start_at_multiples_of_the_stride_and_are_complete(
    height, width, window_height, window_width, stride
):
    image = (height + window_height - 1, width + window_width - 1)
    grid = WindowGrid(image, (window_height, window_width), stride)
    expected = [
        [top, left]
        for top in range(0, image[0], stride)
        for left in range(0, image[1], stride)
        if top + window_height <= image[0] and left + window_width <= image[1]
    ]
    assert grid.corners().tolist() == expected
    assert grid.n_windows == len(expected) == np.prod(grid.shape)


def test_cells_surround_the_centres_of_windows():
    assert WindowGrid((100, 100), 96, 32).cell_origin == (32, 32)
    assert WindowGrid((100, 100), (96, 97), 4).cell_origin == (46, 46.5)
    assert WindowGrid((100, 100), 8, 16).cell_origin == (-4, -4)


@pytest.mark.parametrize("stride", [0, -1, 2.5])
def test_a_stride_below_one_is_an_error(stride):
    with pytest.raises(ValueError, match=r"stride must be a positive integer.*got"):
        WindowGrid((100, 100), 96, stride)


def test_an_image_smaller_than_a_window_is_an_error():
    with pytest.raises(
        ValueError, match=r"95x100 pixels.*smaller than a window of 96x90"
    ):
        WindowGrid((95, 100), (96, 90), 1)
    assert WindowGrid((96, 96), 96, 1).n_windows == 1


def test_a_grid_holds_python_integers_whatever_it_was_given():
    grid = WindowGrid(np.int64(100), (np.uint8(8), 9), np.int64(4))
    assert repr(grid) == "WindowGrid(image_shape=(100, 100), size=(8, 9), stride=4)"
    assert grid == WindowGrid((100, 100), (8, 9), 4)
