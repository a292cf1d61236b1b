"""GeoJSON files, as QuPath writes and reads them."""

import contextlib
import json
import uuid
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

shapely = pytest.importorskip("shapely")

from skhisto import Annotations, read_annotations  # noqa: E402
from skhisto.slides import _annotations  # noqa: E402
from skhisto.slides._geojson import (  # noqa: E402
    class_color,
    feature,
    write_feature_collection,
)

SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10], [0, 0]]
HOLE = [[2, 2], [4, 2], [4, 4], [2, 4], [2, 2]]


def item(coordinates=(SQUARE,), kind="Polygon", **properties):
    geometry = {"type": kind, "coordinates": coordinates}
    return {"type": "Feature", "geometry": geometry, "properties": properties}


@pytest.fixture
def read(tmp_path):
    def read_content(content, **parameters):
        path = tmp_path / "slide.geojson"
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8")
        return read_annotations(path, **parameters)

    return read_content


TUMOR = item(
    objectType="annotation", classification={"name": "Tumor", "color": [2, 0, 0]}
)


@pytest.mark.parametrize(
    "content",
    [{"type": "FeatureCollection", "features": [TUMOR]}, [TUMOR], TUMOR],
    ids=["collection", "list", "feature"],
)
def test_the_three_forms_of_files_are_read(read, content):
    annotations = read(content)
    assert annotations == Annotations([shapely.Polygon(SQUARE)], ["Tumor"])


@pytest.mark.parametrize(
    ("classification", "name"),
    [
        ({"name": "Tumor", "colorRGB": -3670016}, "Tumor"),
        ("Tumor", "Tumor"),
        ({"names": ["Tumor", "Positive"]}, "Tumor: Positive"),
        (None, "Unclassified"),
        ({}, "Unclassified"),
        ({"name": None}, "Unclassified"),
        (7, "Unclassified"),
    ],
)
def test_classes_of_all_versions_of_qupath_are_read(read, classification, name):
    assert read([item(classification=classification)]).classes == [name]


@pytest.mark.parametrize("properties", [None, [], {}])
def test_features_without_properties_are_unclassified(read, properties):
    assert read([item() | {"properties": properties}]).classes == ["Unclassified"]


def test_holes_and_multipolygons_are_read(read):
    far = [[x + 20, y] for x, y in SQUARE]
    annotations = read([item([[SQUARE, HOLE], [far]], "MultiPolygon")])
    assert len(annotations.polygons) == 1
    assert annotations.polygons[0].area == 196
    assert not annotations.touched([[2, 2, 4, 4]])[0]
    assert annotations.touched([[25, 5, 26, 6]])[0]


def test_a_third_coordinate_is_dropped(read):
    ring = [[x, y, 0] for x, y in SQUARE]
    assert read([item([ring])]).polygons == (shapely.Polygon(SQUARE),)


def test_child_objects_are_read(read):
    child = item([HOLE], classification="Necrosis")
    annotations = read([item(classification="Tumor", childObjects=[child])])
    assert annotations.class_names == ("Tumor", "Necrosis")


def test_ignored_areas_are_cut_out(read):
    content = [item(classification="Tumor"), item([HOLE], classification="Ignore*")]
    annotations = read(content)
    assert annotations.classes == ["Tumor"]
    assert annotations.share([[0, 0, 10, 10]]).tolist() == [0.96]
    assert read(content, exclude=()).classes == ["Ignore*", "Tumor"]


def test_classes_can_be_renamed_and_excluded(read):
    content = [item(classification=name) for name in ("Ca", "Carcinoma", "Fat")]
    annotations = read(content, rename={"Ca": "Tumor", "Carcinoma": "Tumor"})
    assert annotations.class_names == ("Tumor", "Tumor", "Fat")
    assert read(content, exclude=["Fat"]).classes == ["Ca", "Carcinoma"]
    assert read(content, exclude="Fat").classes == ["Ca", "Carcinoma"]


def test_polygons_that_intersect_themselves_are_repaired_and_counted(read):
    bowtie = [[0, 0], [10, 10], [10, 0], [0, 10], [0, 0]]
    with pytest.warns(UserWarning, match="1 invalid polygons were repaired"):
        annotations = read([item([bowtie]), item()])
    assert annotations.n_repaired == 1
    assert annotations.polygons[0].is_valid
    assert annotations.polygons[0].area == 50


def test_shapes_without_area_are_left_out_and_counted(read):
    flat = [[0, 0], [10, 0], [5, 0], [0, 0]]
    content = [
        item([1, 2], "Point"),
        item([[1, 2], [3, 4]], "LineString"),
        item([flat]),
        item([], "MultiPolygon"),
        {"type": "Feature", "geometry": None, "properties": {}},
        item(),
    ]
    with pytest.warns(UserWarning, match="5 shapes without area were left out"):
        annotations = read(content)
    assert annotations.n_skipped == 5
    assert len(annotations.polygons) == 1
    assert annotations.n_repaired == 0


def test_a_valid_file_gives_no_warning(read):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read([TUMOR])
        assert read({"type": "FeatureCollection", "features": []}).classes == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is not valid JSON"),
        ("{", "is not valid JSON"),
        ("[\0]", "is not valid JSON"),
        ("3", "is not GeoJSON: expected a FeatureCollection"),
        ({"type": "FeatureCollection"}, "is not GeoJSON: expected a FeatureCollection"),
        ({"type": "Topology"}, "expected objects of type 'Feature'"),
        ([1], "expected objects of type 'Feature', got 1"),
        (item([[[0, 0], [1, 1]]]), "feature 0 has a ring of 2 points"),
        (item([[]]), "Expected a list of points"),
        (item([]), "without a list of rings"),
        (item(None), "without a list of rings"),
        (item(None, "MultiPolygon"), "without a list of coordinates"),
        (item([[["a", "b"]] * 4]), "Expected a list of points"),
        (item([[[1, 2], [1, 2, 3], [1], [1, 2]]]), "Expected a list of points"),
        (item([[[10**400, 2]] * 4]), "Expected a list of points"),
        (item([[[1e9, 2]] * 4]), "not finite or exceed 1e"),
        (item(kind="Circle"), "has the geometry type 'Circle'"),
        (item(kind=["Polygon"]), r"has the geometry type \['Polygon'\]"),
        (item() | {"geometry": 3}, "has the geometry type None"),
        ('{"type": NaN}', "NaN is not a JSON number"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 10_000, "is not valid JSON"),
    ],
)
def test_other_content_is_refused_with_the_name_of_the_file(read, content, message):
    with pytest.raises(ValueError, match=f"slide.geojson'.*{message}"):
        read(content)


def test_infinite_coordinates_are_refused(read):
    text = json.dumps(item()).replace("10", "1e999")
    with pytest.raises(ValueError, match="coordinates that are not finite"):
        read(text)


def test_files_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "slide.tif"
    path.write_bytes(b"II*\x00\xff\xfe")
    with pytest.raises(ValueError, match=r"slide.tif' is not text in UTF-8"):
        read_annotations(path)


def test_files_above_the_limit_are_refused(read, monkeypatch):
    monkeypatch.setattr(_annotations, "MAX_BYTES", 2**20)
    with pytest.raises(ValueError, match="exceeds the limit of 1 MiB"):
        read(" " * 2**20 + "1")


def test_a_file_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing.geojson"):
        read_annotations(tmp_path / "nothing.geojson")


JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.floats(), st.text(max_size=3), st.integers()
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "features", "geometry", "coordinates", "properties"]
            ),
            inner | st.sampled_from(["Feature", "Polygon", "FeatureCollection"]),
        )
    ),
)


@given(content=JSON)
@pytest.mark.filterwarnings("ignore:.*without area")
def test_any_json_is_read_or_refused_with_a_value_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.geojson"
    path.write_text(json.dumps(content))
    with contextlib.suppress(ValueError):
        read_annotations(path)


def test_features_have_what_qupath_expects(tmp_path):
    path = tmp_path / "map.geojson"
    polygon = shapely.Polygon(SQUARE, [HOLE])
    made = feature(polygon, "Tumor", (1, 2, 3), "detection", {"Probability": 0.5})
    write_feature_collection(path, [made, made, feature(polygon)])
    content = json.loads(path.read_text())
    assert content["type"] == "FeatureCollection"
    first, second, third = content["features"]
    assert first["type"] == "Feature"
    assert first["geometry"] == {"type": "Polygon", "coordinates": [SQUARE, HOLE]}
    assert first["properties"] == {
        "objectType": "detection",
        "classification": {"name": "Tumor", "color": [1, 2, 3]},
        "measurements": {"Probability": 0.5},
    }
    assert third["properties"] == {"objectType": "annotation"}
    ids = [uuid.UUID(found["id"]) for found in (first, second, third)]
    assert len(set(ids)) == 3


def test_classes_have_the_colours_of_qupath_or_one_of_their_own():
    assert class_color("Tumor") == (200, 0, 0)
    assert class_color("Anything") == class_color("Anything") != class_color("Other")
    assert all(0 <= channel <= 255 for channel in class_color("Anything"))
    assert class_color("\ud800") == class_color("\ud800")


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"object_type": "blob"}, "object_type must be one of .* got 'blob'"),
        ({"measurements": {"p": float("nan")}}, r"\['p'\] must be finite"),
    ],
)
def test_features_that_qupath_cannot_read_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        feature(shapely.box(0, 0, 1, 1), "Tumor", **parameters)


def test_a_failed_write_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "map.geojson"
    path.write_text("before")

    def failing():
        yield feature(shapely.box(0, 0, 1, 1))
        raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        write_feature_collection(path, failing())
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_no_file_to_write(tmp_path):
    with pytest.raises(IsADirectoryError, match="is a folder"):
        write_feature_collection(tmp_path, [])
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_feature_collection(tmp_path / "no" / "a.geojson", [])


def write_polygon(path, points):
    ring = [*np.asarray(points, float).tolist(), list(map(float, points[0]))]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    path.write_text(json.dumps([{"type": "Feature", "geometry": geometry}]))
    return path


@pytest.mark.parametrize(
    "points",
    [
        np.random.default_rng(0).uniform(0, 1e4, (1500, 2)),
        [(0, 0), (0, 1)] * 5000,
        [(x, y) for x in range(200) for y in (0, 9)] * 20,
    ],
    ids=["a star", "one line again and again", "a comb again and again"],
)
def test_a_polygon_that_would_take_long_to_repair_is_refused(tmp_path, points):
    path = write_polygon(tmp_path / "a.geojson", points)
    message = "feature 0 crosses or touches itself more than 5,000 times"
    with pytest.raises(ValueError, match=message):
        read_annotations(path)


def test_a_long_outline_that_crosses_itself_at_a_few_places_is_repaired(tmp_path):
    angle = np.linspace(0, 4 * np.pi, 20_001)[:-1]  # twice around
    radius = 1000 + 10 * np.sin(20.5 * angle)
    points = np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None] + 2000
    path = write_polygon(tmp_path / "a.geojson", points)
    with pytest.warns(UserWarning, match="1 invalid polygons were repaired"):
        annotations = read_annotations(path)
    assert annotations.polygons[0].is_valid
