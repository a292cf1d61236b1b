"""Parser for the XML annotations of ASAP and the CAMELYON challenges."""

from collections.abc import Iterator
from xml.etree import ElementTree

from skhisto.slides._polygons import (
    UNCLASSIFIED,
    OutlineCollector,
    Outlines,
    as_points,
    import_shapely,
)

# A spline is read as the polygon of its control points.
_TYPES_WITH_AREA = {"Polygon", "Rectangle", "Spline"}

CAMELYON_CLASSES = {"_0": "Tumor", "_1": "Tumor", "metastases": "Tumor"}
"""Tumour groups of CAMELYON16 and CAMELYON17, with QuPath's class name.

The README files of both data sets define them. Some files of CAMELYON16 use the group
"Tumor" instead.
"""

CAMELYON_EXCLUDED = ("_2", "Exclusion", "normal")
"""Groups of these data sets that are cut out of the tumour."""


def parse_asap_xml(text: str, where: str) -> Outlines:
    """Parse the text of an XML file.

    Parameters
    ----------
    text : str
    where : str
        The start of error messages, such as the file name.

    Returns
    -------
    outlines : Outlines
        The classes are the groups.

    Raises
    ------
    ValueError
        If the text is not XML of ASAP, or contains a document type definition.
    """
    collector = OutlineCollector()
    shapely = import_shapely()
    for number, annotation in enumerate(_annotations(text, where)):
        place = f"{where}: annotation {number}"
        points = _ordered_points(annotation, place)
        is_area = annotation.get("Type", "Polygon") in _TYPES_WITH_AREA
        # Accidental double clicks leave outlines of two points.
        if not is_area or len(points) < 3:
            collector.skip()
            continue
        group = annotation.get("PartOfGroup", "None")
        name = UNCLASSIFIED if group == "None" else group
        collector.add(name, [shapely.Polygon(points)], place)
    return collector.outlines()


def _annotations(text: str, where: str) -> Iterator[ElementTree.Element]:
    # Entities need a document type definition, which ASAP never writes. Without it,
    # nothing can be expanded and no other file is read.
    if "<!DOCTYPE" in text:
        raise ValueError(
            f"{where} contains a document type definition (<!DOCTYPE ...>). It is not "
            "accepted, because its entities can be used for attacks. Remove it."
        )
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise ValueError(f"{where} is not valid XML: {error}.") from None
    if root.tag != "ASAP_Annotations":
        raise ValueError(
            f"{where} has the root <{root.tag}>. Expected <ASAP_Annotations>. Export "
            "the annotations from ASAP, or as GeoJSON from QuPath."
        )
    return root.iterfind("Annotations/Annotation")


def _ordered_points(
    annotation: ElementTree.Element, where: str
) -> list[tuple[float, float]]:
    try:
        points = [
            (int(c.get("Order", position)), float(c.attrib["X"]), float(c.attrib["Y"]))
            for position, c in enumerate(annotation.iterfind("Coordinates/Coordinate"))
        ]
    except (KeyError, ValueError):
        raise ValueError(
            f"{where} has an invalid coordinate. Expected an integer Order and numbers "
            'X and Y, such as <Coordinate Order="0" X="10.5" Y="20"/>.'
        ) from None
    if not points:
        return []
    points.sort(key=lambda point: point[0])
    array = as_points([point[1:] for point in points], where)
    return [(x, y) for x, y in array.tolist()]
