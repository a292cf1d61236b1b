"""Which polygons are repaired, and which would take too long."""

import sys

import numpy as np
import pytest

from skhisto.slides import _polygons
from skhisto.slides._polygons import OutlineCollector, as_points, import_shapely

shapely = pytest.importorskip("shapely")

HOLE = [(-8, 2), (-7, 2), (-7, 3)]
SQUARE = shapely.box(-30, 0, -20, 10)


def crossing(n):
    """A polygon that crosses itself n times: a zigzag, and a line through it."""
    zigzag = [(x, (-1) ** x) for x in range(n + 1)]
    return shapely.Polygon([*zigzag, (n + 1, 0), (-1, 0), (-9, 9), (-9, 9)], [HOLE])


@pytest.fixture(autouse=True)
def few_crossings(monkeypatch):
    """Up to 9 crossings are repaired, and few pairs of sides are compared at once."""
    monkeypatch.setattr(_polygons, "MAX_CROSSINGS", 9)
    monkeypatch.setattr(_polygons, "_PAIRS_AT_ONCE", 40)


@pytest.mark.parametrize("others", [[], [SQUARE]])
def test_a_polygon_may_cross_itself_up_to_the_limit(others):
    collector = OutlineCollector()
    collector.add("tumour", [*others, crossing(9)], "Object 1")
    found = collector.outlines()
    assert found.class_names == ["tumour"]
    assert (found.n_repaired, found.n_skipped) == (1, 0)
    assert found.polygons[0].is_valid
    for polygon in others:
        assert found.polygons[0].contains(polygon)


@pytest.mark.parametrize("others", [[], [SQUARE]])
def test_a_polygon_that_crosses_itself_more_often_is_refused(others):
    with pytest.raises(ValueError, match="Object 1 crosses or touches itself more th"):
        OutlineCollector().add("tumour", [*others, crossing(10)], "Object 1")


def test_a_polygon_that_shapely_cannot_repair_is_named(monkeypatch):
    def fail(*args, **kwargs):
        raise shapely.errors.GEOSException("side location conflict")

    monkeypatch.setattr(shapely, "make_valid", fail)
    with pytest.raises(ValueError, match=r"Object 1 .*: side location conflict"):
        OutlineCollector().add("tumour", [crossing(2)], "Object 1")


def test_polygons_without_area_are_counted_and_left_out():
    collector = OutlineCollector()
    collector.add("tumour", [shapely.Polygon([(0, 0), (1, 1), (2, 2)])], "Object 1")
    found = collector.outlines()
    assert (found.polygons, found.n_repaired, found.n_skipped) == ([], 0, 1)


def test_points_up_to_the_largest_coordinate_are_accepted():
    points = as_points([[-1e8, 0], [1e8, 3]], "Object 1")
    assert points.dtype == np.float64
    assert points.tolist() == [[-1e8, 0], [1e8, 3]]
    with pytest.raises(ValueError, match=r"Object 1 .* larger than 1e\+08"):
        as_points([[1e8 + 1, 0]], "Object 1")


def test_without_shapely_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "shapely", None)
    with pytest.raises(ImportError, match=r'pip install "skhisto\[slides\]"'):
        import_shapely()
