"""Reader and writer of QuPath's GeoJSON.

Names and structure follow QuPath's own reader and writer [1]_.

References
----------
.. [1] QuPath, `qupath.lib.io.QuPathTypeAdapters`,
   https://github.com/qupath/qupath
"""

import colorsys
import hashlib
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal, NoReturn, get_args

import numpy as np

from skhisto._atomic_file import atomic_path
from skhisto.slides._polygons import (
    UNCLASSIFIED,
    OutlineCollector,
    Outlines,
    as_points,
    import_shapely,
)

ObjectType = Literal["annotation", "detection", "cell", "tile"]

EXCLUDED = "Ignore*"
"""QuPath's class for objects that are not used in training."""

_COLORS = {
    "Tumor": (200, 0, 0),
    "Stroma": (150, 200, 150),
    "Immune cells": (160, 90, 160),
    "Necrosis": (50, 50, 50),
    EXCLUDED: (180, 180, 180),
}
_NAMESPACE = uuid.UUID("5c3ab9f2-57a8-5c1e-9d2c-2a6f3b1de0c4")
_WITHOUT_AREA = {"Point", "MultiPoint", "LineString", "MultiLineString"}
_WITHOUT_AREA |= {"GeometryCollection"}


def class_color(class_name: str) -> tuple[int, int, int]:
    """Return the colour of a class as red, green and blue from 0 to 255.

    QuPath's default classes have QuPath's colours. The colour of any other class
    depends only on its name.
    """
    if class_name in _COLORS:
        return _COLORS[class_name]
    # Class names from JSON can contain characters that UTF-8 cannot encode.
    content = class_name.encode("utf-8", "backslashreplace")
    hue = hashlib.sha256(content).digest()[0] / 256
    red, green, blue = (round(255 * c) for c in colorsys.hsv_to_rgb(hue, 0.8, 0.8))
    return red, green, blue


def feature(
    geometry: Any,
    class_name: str | None = None,
    color: Iterable[int] | None = None,
    object_type: ObjectType = "annotation",
    measurements: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Describe one object of QuPath.

    Parameters
    ----------
    geometry : shapely geometry
        A Polygon or MultiPolygon in level-0 pixels (x, y).
    class_name : str or None, default=None
        The classification. None means an object without a class.
    color : iterable of int or None, default=None
        Red, green and blue of the class, from 0 to 255. None uses `class_color`.
    object_type : {"annotation", "detection", "cell", "tile"}, default="annotation"
        Use annotations for objects that users edit. Use detections or tiles for many
        thousands of objects, because QuPath draws them faster.
    measurements : mapping of str to float or None, default=None
        Measurements by name. The values must be finite.

    Returns
    -------
    feature : dict
        For `write_feature_collection`.

    Raises
    ------
    ValueError
        If the object type is unknown or a measurement is not finite.
    """
    if object_type not in get_args(ObjectType):
        raise ValueError(
            f"object_type must be one of {get_args(ObjectType)}, got {object_type!r}."
        )
    properties: dict[str, Any] = {"objectType": object_type}
    if class_name is not None:
        color = class_color(class_name) if color is None else color
        properties["classification"] = {
            "name": class_name,
            "color": [int(channel) for channel in color],
        }
    if measurements:
        values = {name: float(value) for name, value in measurements.items()}
        unusable = [name for name, value in values.items() if not np.isfinite(value)]
        if unusable:
            raise ValueError(
                f"The measurements {unusable} must be finite, because GeoJSON does not "
                "support other numbers. Leave them out."
            )
        properties["measurements"] = values
    geometry = import_shapely().geometry.mapping(geometry)
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def identified(features: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield features with UUIDs that depend on content and position in the list."""
    for position, item in enumerate(features):
        text = json.dumps(item, allow_nan=False)
        yield {"id": str(uuid.uuid5(_NAMESPACE, f"{position} {text}")), **item}


def write_feature_collection(
    path: str | os.PathLike[str], features: Iterable[Mapping[str, Any]]
) -> None:
    """Write features to a file that QuPath can open by drag and drop.

    The file is written atomically. Each feature gets a UUID that depends on its content
    and its position in the list, so the same features give the same file.

    Parameters
    ----------
    path : str or path-like
        The file, usually with the suffix ``.geojson``. An existing file is replaced.
    features : iterable of dict
        Results of `feature`. They are written one by one.
    """
    with (
        atomic_path(path) as temporary,
        open(temporary, "x", encoding="utf-8", newline="\n") as file,
    ):
        file.write('{"type": "FeatureCollection", "features": [')
        for position, item in enumerate(identified(features)):
            file.write(",\n" if position else "\n")
            file.write(json.dumps(item, allow_nan=False))
        file.write("\n]}\n")


def parse_geojson(text: str, where: str) -> Outlines:
    """Parse the text of a GeoJSON file.

    Parameters
    ----------
    text : str
    where : str
        The start of error messages, such as the file name.

    Returns
    -------
    outlines : Outlines

    Raises
    ------
    ValueError
        If the text is not JSON, or not GeoJSON with finite coordinates.
    """
    collector = OutlineCollector()
    for number, item in enumerate(_features(_parse_json(text, where), where)):
        name = _class_name(item["properties"])
        _add(item.get("geometry"), name, collector, f"{where}: feature {number}")
    return collector.outlines()


def _parse_json(text: str, where: str) -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(f"{constant} is not a JSON number")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError(f"{where} has lists or objects nested too deeply.") from None
    except ValueError as error:
        raise ValueError(f"{where} is not valid JSON: {error}.") from None


def _features(content: Any, where: str) -> Iterator[dict[str, Any]]:
    """Yield features with their children, in the order of the file."""
    if isinstance(content, dict) and content.get("type") == "FeatureCollection":
        content = content.get("features")
    elif isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise ValueError(
            f"{where} is not GeoJSON: expected a FeatureCollection with a list of "
            "features, a list of features or one feature. Export the annotations from "
            "QuPath as GeoJSON."
        )
    waiting = content[::-1]
    while waiting:
        item = waiting.pop()
        if not isinstance(item, dict) or item.get("type") != "Feature":
            found = item.get("type") if isinstance(item, dict) else item
            raise ValueError(
                f"{where} is not GeoJSON: expected objects of type 'Feature', got "
                f"{repr(found)[:40]}."
            )
        properties = item.get("properties")
        properties = properties if isinstance(properties, dict) else {}
        yield {**item, "properties": properties}
        children = properties.get("childObjects")
        waiting.extend(children[::-1] if isinstance(children, list) else [])


def _class_name(properties: Mapping[str, Any]) -> str:
    given = properties.get("classification")
    if isinstance(given, dict):
        # QuPath writes derived classes, such as "Tumor: Positive", in parts.
        parts = given.get("names")
        given = ": ".join(map(str, parts)) if isinstance(parts, list) else None
        given = given or properties["classification"].get("name")
    return given if isinstance(given, str) and given else UNCLASSIFIED


def _add(geometry: Any, name: str, collector: OutlineCollector, where: str) -> None:
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if geometry is None or (isinstance(kind, str) and kind in _WITHOUT_AREA):
        collector.skip()
        return
    if kind not in ("Polygon", "MultiPolygon"):
        raise ValueError(
            f"{where} has the geometry type {repr(kind)[:40]}. Expected a type of "
            "GeoJSON, such as 'Polygon'."
        )
    coordinates = geometry.get("coordinates")
    if kind == "Polygon":
        coordinates = [coordinates]
    if not isinstance(coordinates, list):
        raise ValueError(f"{where} has a {kind} without a list of coordinates.")
    polygons = [_polygon(rings, where) for rings in coordinates]
    if polygons:
        collector.add(name, polygons, where)
    else:
        collector.skip()


def _polygon(rings: Any, where: str) -> Any:
    if not isinstance(rings, list) or not rings:
        raise ValueError(f"{where} has a polygon without a list of rings.")
    outlines = [as_points(ring, where) for ring in rings]
    shortest = min(map(len, outlines))
    if shortest < 4:
        raise ValueError(
            f"{where} has a ring of {shortest} points. Expected at least 4 points, "
            "because the last point repeats the first."
        )
    return import_shapely().Polygon(outlines[0], outlines[1:])
