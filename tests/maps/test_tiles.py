import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from skhisto.maps._scoring import DenseScorer
from skhisto.maps._tiles import BoxReader, Layout, split_cells

side = st.integers(1, 30)


@given(shape=st.tuples(side, side), largest=st.tuples(side, side))
def test_tiles_cover_every_cell_once_and_are_about_equal(shape, largest):
    tiles = split_cells(shape, largest)
    counts = np.zeros(shape, int)
    for tile in tiles:
        counts[tile.cells] += 1
    assert (counts == 1).all()
    for axis in (0, 1):
        lengths = [tile.shape[axis] for tile in tiles]
        assert max(lengths) <= largest[axis]
        assert max(lengths) - min(lengths) <= 1


@given(
    size=st.tuples(side, side),
    stride=st.integers(1, 10),
    n_pixels=st.integers(900, 5000),
)
def test_a_dense_tile_keeps_within_the_memory(size, stride, n_pixels):
    scorer = DenseScorer(
        layout=Layout(stride, (0, 0), size),
        reason="",
        classifier=None,
        spec=None,
        bytes_per_pixel=100 / 1.4,
    )
    max_bytes = n_pixels * (100 + 15)
    largest = scorer.largest_tile((1000, 1000), n_channels=3, max_bytes=max_bytes)
    (tile,) = split_cells(largest, largest)
    _, _, height, width = scorer.layout.box(tile)
    assert height * width <= n_pixels + 1
    assert min(largest) >= 1


@given(
    boxes=st.lists(
        st.tuples(
            st.integers(0, 20),
            st.integers(0, 2),
            st.integers(1, 20),
            st.sampled_from([5, 6]),
        ),
        max_size=8,
    )
)
def test_a_reader_of_boxes_gives_the_same_pixels_as_the_image(boxes):
    image = np.random.default_rng(0).integers(0, 256, (40, 8, 3), dtype=np.uint8)

    def read(top, left, height, width):
        assert height > 0
        return image[top : top + height, left : left + width]

    reader = BoxReader(read)
    for top, left, height, width in boxes:
        expected = read(top, left, height, width)
        np.testing.assert_array_equal(reader(top, left, height, width), expected)


def test_a_reader_of_boxes_reads_shared_rows_once():
    rows = []

    def read(top, left, height, width):
        rows.extend(range(top, top + height))
        return np.zeros((height, width, 3), np.uint8)

    reader = BoxReader(read)
    for top in (0, 10, 20):
        assert reader(top, 0, 15, 9).shape == (15, 9, 3)
    assert rows == list(range(35))
