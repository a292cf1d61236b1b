import json
import uuid

import numpy as np
import pytest
import shapely
import shapely.geometry
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from skhisto import read_annotations
from skhisto.maps._outlines import outlines

masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=7))


def polygons_of(collection):
    return [shapely.geometry.shape(item["geometry"]) for item in collection["features"]]


def properties_of(collection):
    return [item["properties"] for item in collection["features"]]


@given(is_in=masks)
def test_polygons_cover_the_thresholded_cells_exactly(make_map, is_in):
    result = make_map(np.where(is_in, 0.75, 0.25), origin=(-3.5, 8), stride=62.25)
    polygons = polygons_of(result.to_geojson())
    assert all(polygon.is_valid for polygon in polygons)
    cells = shapely.union_all(shapely.box(*result.boxes()[is_in.ravel()].T))
    covered = shapely.union_all(polygons)
    assert covered.symmetric_difference(cells).area == 0
    assert sum(polygon.area for polygon in polygons) == pytest.approx(cells.area)


@given(is_in=masks)
def test_each_set_of_cells_that_share_sides_is_one_polygon(is_in):
    rings, parts, labels = outlines(is_in)
    assert set(parts) == set(labels[is_in])
    assert (labels > 0).tolist() == is_in.tolist()
    for part in set(parts):
        shell, *holes = (rings[i] for i in np.flatnonzero(parts == part))
        polygon = shapely.Polygon(shell, holes)
        assert polygon.area == (labels == part).sum()
        assert polygon.exterior.is_ccw
        assert not any(hole.is_ccw for hole in polygon.interiors)


def test_only_corners_are_points_of_an_outline():
    rings, _, _ = outlines(np.ones((3, 50), bool))
    assert sorted(map(tuple, rings[0].tolist())) == [(0, 0), (0, 3), (50, 0), (50, 3)]


def test_a_ring_of_cells_has_a_hole_and_cells_that_touch_in_a_point_are_apart(make_map):
    ring = np.ones((3, 3))
    ring[1, 1] = 0
    (polygon,) = polygons_of(make_map(ring).to_geojson())
    assert len(polygon.interiors) == 1
    assert len(polygons_of(make_map(np.eye(2)).to_geojson())) == 2


def test_annotations_have_the_properties_that_qupath_reads(make_map):
    result = make_map([[0.5, 0.75, 0.1, 0.9]], mpp=0.5, stride=20)
    collection = result.to_geojson()
    assert collection["type"] == "FeatureCollection"
    first, second = properties_of(collection)
    assert first["objectType"] == "annotation"
    assert first["classification"]["name"] == "tumour"
    assert len(first["classification"]["color"]) == 3
    assert first["measurements"] == {
        "mean probability": 0.625,
        "max probability": 0.75,
        "cells": 2,
        "area \N{MICRO SIGN}m^2": 200,
    }
    assert second["measurements"]["cells"] == 1
    ids = [uuid.UUID(item["id"]) for item in collection["features"]]
    assert len(set(ids)) == 2


def test_without_a_resolution_there_is_no_area(make_map):
    (properties,) = properties_of(make_map(mpp=None).to_geojson())
    assert not [name for name in properties["measurements"] if "area" in name]


def test_the_file_holds_what_is_returned_without_one(make_map, tmp_path):
    path = tmp_path / "a.geojson"
    assert make_map().to_geojson(path) is None
    returned = json.dumps(make_map().to_geojson())
    assert json.loads(path.read_text()) == json.loads(returned)


@given(is_in=masks)
def test_the_file_is_read_back_as_annotations(make_map, tmp_path_factory, is_in):
    path = tmp_path_factory.mktemp("geojson") / "a.geojson"
    result = make_map(np.where(is_in, 0.75, 0.25), stride=10, origin=(0, 0))
    result.to_geojson(path)
    if not is_in.any():
        return
    share = read_annotations(path).share(result.boxes(), "tumour")
    np.testing.assert_allclose(share.reshape(is_in.shape), is_in, atol=1e-9)


def test_tiles_are_one_square_for_each_cell_with_all_probabilities(make_map):
    result = make_map([[0.5, 0.25], [np.nan, 1]], origin=(0, 0), stride=10)
    collection = result.to_geojson(tiles=True)
    bounds = [polygon.bounds for polygon in polygons_of(collection)]
    assert bounds == [(0, 0, 10, 10), (10, 10, 20, 20)]
    first, second = properties_of(collection)
    assert first["objectType"] == second["objectType"] == "tile"
    assert second["measurements"] == {"prob_normal": 0, "prob_tumour": 1}
    assert len(result.to_geojson(tiles=True, threshold=0)["features"]) == 3


def test_another_class_and_threshold_can_be_chosen(make_map, make_multiclass_map):
    collection = make_multiclass_map().to_geojson(class_=2, threshold=1)
    (properties,) = properties_of(collection)
    assert properties["classification"]["name"] == "2"
    assert properties["measurements"]["cells"] == 6
    (properties,) = properties_of(make_map().to_geojson(class_="normal"))
    assert properties["measurements"]["cells"] == 2


@pytest.mark.parametrize("threshold", [-0.1, 1.1, np.nan])
def test_thresholds_are_probabilities(make_map, threshold):
    with pytest.raises(ValueError, match=r"threshold must be in \[0, 1\], got"):
        make_map().to_geojson(threshold=threshold)


def test_nothing_is_written_for_an_unknown_class(make_map, tmp_path):
    with pytest.raises(ValueError, match="class_ must be one of"):
        make_map().to_geojson(tmp_path / "a.geojson", class_="stroma")
    assert not list(tmp_path.iterdir())
