"""Annotations: what polygons say about windows."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

shapely = pytest.importorskip("shapely")

from skhisto import Annotations, read_annotations  # noqa: E402

SQUARE = shapely.box(100, 100, 200, 200)
RING = shapely.difference(shapely.box(0, 0, 100, 100), shapely.box(30, 30, 70, 70))


def corner(x, y, size=10):
    return [x, y, x + size, y + size]


def test_a_box_that_shares_only_an_edge_or_a_corner_is_not_touched():
    boxes = [corner(90, 150), corner(90, 90), corner(200, 150), corner(199.5, 150)]
    touched = Annotations([SQUARE], ["Tumor"]).touched(boxes)
    assert touched.tolist() == [False, False, False, True]


def test_boxes_inside_around_and_apart_are_told():
    boxes = [corner(120, 120), corner(50, 50, 500), corner(300, 300), corner(100, 100)]
    annotations = Annotations([SQUARE], ["Tumor"])
    assert annotations.touched(boxes).tolist() == [True, True, False, True]
    np.testing.assert_allclose(annotations.share(boxes), [1, 0.04, 0, 1])


def test_the_inside_of_a_hole_is_not_touched():
    boxes = [corner(40, 40), corner(30, 30, 40), corner(25, 40), corner(0, 0, 100)]
    annotations = Annotations([RING], ["Tumor"])
    assert annotations.touched(boxes).tolist() == [False, False, True, True]
    np.testing.assert_allclose(annotations.share(boxes), [0, 0, 0.5, 0.84])


def test_patches_are_positive_where_tumour_touches_their_central_32_pixels():
    # Windows of 96x96 at stride 1 whose centre comes closer to the square from x = 100.
    corners = np.arange(0, 60)
    centres = np.stack(
        [corners + 32, np.full(60, 132), corners + 64, np.full(60, 164)], axis=1
    )
    touched = Annotations([SQUARE], ["Tumor"]).touched(centres)
    assert np.flatnonzero(touched)[0] == 37  # columns 69 to 100 of the slide
    assert touched[37:].all()


def test_overlapping_polygons_of_a_class_count_once():
    polygons = [SQUARE, shapely.box(150, 100, 250, 200)]
    annotations = Annotations(polygons, ["Tumor", "Tumor"])
    assert annotations.share([corner(140, 100, 20)]).tolist() == [1]
    assert annotations.share([[100, 100, 300, 200]]).tolist() == [0.75]


def test_excluded_areas_are_cut_out():
    annotations = Annotations([SQUARE], ["Tumor"], [shapely.box(150, 100, 200, 200)])
    boxes = [corner(160, 120), corner(145, 120), corner(110, 120)]
    assert annotations.touched(boxes).tolist() == [False, True, True]
    np.testing.assert_allclose(annotations.share(boxes), [0, 0.5, 1])
    assert annotations.excluded(boxes).tolist() == [True, True, False]


def test_the_class_must_be_given_if_there_are_several():
    annotations = Annotations([SQUARE, RING], ["Tumor", "Stroma"])
    with pytest.raises(ValueError, match=r"\['Stroma', 'Tumor'\]. Set class_name"):
        annotations.touched([corner(0, 0)])
    assert annotations.touched([corner(0, 0)], "Stroma").tolist() == [True]
    assert annotations.touched([corner(0, 0)], "Tumor").tolist() == [False]


def test_a_class_without_polygons_is_warned_of():
    annotations = Annotations([SQUARE], ["Tumor"])
    with pytest.warns(
        UserWarning, match=r"None of the polygons has the class 'Tumour'"
    ):
        assert annotations.share([corner(120, 120)], "Tumour").tolist() == [0]


def test_a_slide_without_annotations_is_not_touched():
    annotations = Annotations([], [])
    assert annotations.classes == []
    assert annotations.touched([corner(0, 0)], "Tumor").tolist() == [False]
    assert annotations.share([corner(0, 0)]).tolist() == [0]
    assert annotations.excluded([corner(0, 0)]).tolist() == [False]


def test_no_boxes_give_no_answers():
    annotations = Annotations([SQUARE], ["Tumor"])
    assert annotations.touched([]).shape == (0,)
    assert annotations.share(np.empty((0, 4))).shape == (0,)


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([[0, 0, 1]], r"must have shape \(n, 4\), .* Got shape \(1, 3\)"),
        ([[0, 0, np.nan, 1]], "must be finite"),
        ([[5, 0, 5, 1]], "must be smaller than their maximum"),
    ],
)
def test_boxes_of_another_form_are_refused(boxes, message):
    with pytest.raises(ValueError, match=message):
        Annotations([SQUARE], ["Tumor"]).touched(boxes)


def test_as_many_classes_as_polygons_are_needed():
    with pytest.raises(ValueError, match="same length, got 1 and 2"):
        Annotations([SQUARE], ["Tumor", "Stroma"])


def test_annotations_are_values():
    annotations = Annotations(
        [SQUARE, RING], ["Tumor", "Stroma"], [SQUARE], n_skipped=2
    )
    size = len(pickle.dumps(annotations))
    annotations.touched([corner(0, 0)], "Stroma")
    assert len(pickle.dumps(annotations)) == size
    copy = pickle.loads(pickle.dumps(annotations))
    assert copy == annotations
    assert copy.touched([corner(0, 0)], "Stroma").tolist() == [True]
    assert copy != Annotations([SQUARE, RING], ["Tumor", "Tumor"])
    assert repr(copy) == "Annotations({'Stroma': 1, 'Tumor': 1}, 1 excluded)"


COORDINATE = st.integers(0, 60)


@given(
    areas=st.lists(st.tuples(*[COORDINATE] * 4), min_size=1, max_size=5),
    cut=st.tuples(*[COORDINATE] * 4),
    boxes=st.lists(st.tuples(COORDINATE, COORDINATE, st.integers(1, 20)), min_size=1),
)
def test_shares_and_touches_equal_those_of_a_mask_of_pixels(areas, cut, boxes):
    mask = np.zeros((100, 100), dtype=bool)
    for x, y, width, height in areas:
        mask[y : y + height + 1, x : x + width + 1] = True
    x, y, width, height = cut
    mask[y : y + height + 1, x : x + width + 1] = False
    polygons = [shapely.box(x, y, x + w + 1, y + h + 1) for x, y, w, h in areas]
    hole = shapely.box(x, y, x + width + 1, y + height + 1)
    annotations = Annotations(polygons, ["a"] * len(polygons), [hole])

    expected = np.array([mask[y : y + s, x : x + s].mean() for x, y, s in boxes])
    given_boxes = [corner(x, y, s) for x, y, s in boxes]
    np.testing.assert_allclose(annotations.share(given_boxes), expected, atol=1e-12)
    assert annotations.touched(given_boxes).tolist() == (expected > 0).tolist()


@st.composite
def geometries(draw):
    """Polygons with holes in cells of a grid, alone or several as one geometry."""
    fraction = st.floats(0.6, 1)
    angles = np.linspace(0, 2 * np.pi, draw(st.integers(3, 9)), endpoint=False)
    polygons = []
    for cell in draw(st.lists(st.integers(0, 20), unique=True, min_size=1, max_size=3)):
        radii = 1000 * np.array([draw(fraction) for _ in angles])
        ring = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)
        has_hole = draw(st.booleans())
        holes = [0.3 * ring] if has_hole else []
        centre = [3000 * cell, draw(st.floats(-1e6, 1e6))]
        polygons.append(
            shapely.Polygon(ring + centre, [hole + centre for hole in holes])
        )
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


NAME = st.one_of(st.just("Unclassified"), st.text(min_size=1, max_size=12))
NAME = NAME.filter(lambda name: name != "Ignore*")


@given(
    items=st.lists(st.tuples(geometries(), NAME), max_size=4),
    excluded=st.lists(geometries(), max_size=2),
)
def test_annotations_survive_a_geojson_file(tmp_path_factory, items, excluded):
    path = tmp_path_factory.mktemp("geojson") / "a.geojson"
    polygons, names = [item[0] for item in items], [item[1] for item in items]
    annotations = Annotations(polygons, names, excluded)
    annotations.to_geojson(path)
    again = read_annotations(path)
    assert again == annotations
    ids = [item["id"] for item in json.loads(path.read_text())["features"]]
    assert len(set(ids)) == len(items) + len(excluded)
    content = path.read_bytes()
    again.to_geojson(path)
    assert path.read_bytes() == content
