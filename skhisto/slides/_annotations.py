"""Annotated areas of a slide, and their overlap with windows."""

import os
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skhisto.slides._asap_xml import (
    CAMELYON_CLASSES,
    CAMELYON_EXCLUDED,
    parse_asap_xml,
)
from skhisto.slides._geojson import (
    EXCLUDED,
    feature,
    parse_geojson,
    write_feature_collection,
)
from skhisto.slides._polygons import UNCLASSIFIED, Outlines, import_shapely

MAX_BYTES = 256 * 2**20


@dataclass(frozen=True)
class Annotations:
    """Annotated areas of one slide, by class.

    Coordinates are in pixels of level 0, in the order (x, y). The pixel in column 0 and
    row 0 is the square from (0, 0) to (1, 1). Overlapping areas of one class are
    merged. The areas in `excluded_polygons` are cut out of all classes.

    The object is immutable. It can be pickled and compared. It requires shapely
    (``pip install "skhisto[slides]"``).

    Parameters
    ----------
    polygons : sequence of shapely geometry
        Valid Polygons or MultiPolygons.
    class_names : sequence of str
        The class of each polygon.
    excluded_polygons : sequence of shapely geometry, default=()
        Areas that are cut out, such as normal tissue inside tumour.
    n_repaired : int, default=0
        Number of self-intersecting polygons in the file.
    n_skipped : int, default=0
        Number of shapes without area in the file, such as points and lines.

    Raises
    ------
    ValueError
        If the numbers of polygons and class names differ.

    See Also
    --------
    read_annotations : Read annotation files of QuPath and ASAP.

    Examples
    --------
    >>> import shapely
    >>> from skhisto import Annotations
    >>> annotations = Annotations([shapely.box(100, 100, 200, 200)], ["Tumor"])
    >>> windows = [[150, 150, 182, 182], [184, 150, 216, 182], [200, 150, 232, 182]]
    >>> annotations.touched(windows).tolist()
    [True, True, False]
    >>> annotations.share(windows).tolist()
    [1.0, 0.5, 0.0]
    """

    polygons: Sequence[Any]
    class_names: Sequence[str]
    excluded_polygons: Sequence[Any] = ()
    n_repaired: int = 0
    n_skipped: int = 0
    _areas: dict[str | None, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        for name in ("polygons", "class_names", "excluded_polygons"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if len(self.polygons) != len(self.class_names):
            raise ValueError(
                f"polygons and class_names must have the same length, got "
                f"{len(self.polygons)} and {len(self.class_names)}."
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_areas": {}}

    def __repr__(self) -> str:
        counts = [f"{c!r}: {self.class_names.count(c)}" for c in self.classes]
        excluded = f", {len(self.excluded_polygons)} excluded"
        return (
            f"Annotations({{{', '.join(counts)}}}"
            f"{excluded if self.excluded_polygons else ''})"
        )

    @property
    def classes(self) -> list[str]:
        """Sorted class names. Polygons without a class have "Unclassified"."""
        return sorted(set(self.class_names))

    def touched(
        self, boxes: ArrayLike, class_name: str | None = None
    ) -> NDArray[np.bool_]:
        """Return which boxes overlap with a class.

        A shared edge or corner is not an overlap. With the central 32x32 pixels of
        windows as boxes, this is the rule of PatchCamelyon: a patch is positive if its
        centre contains at least one pixel of tumour [1]_.

        Parameters
        ----------
        boxes : array-like of shape (n, 4)
            Minimum x, minimum y, maximum x and maximum y in level-0 pixels.
        class_name : str or None, default=None
            The class. None is allowed if there is only one class.

        Returns
        -------
        touched : ndarray of shape (n,), bool

        Raises
        ------
        ValueError
            If the boxes have the wrong shape, are not finite or are empty, or if
            `class_name` is None and there are several classes.

        Warns
        -----
        UserWarning
            If none of the polygons has the class `class_name`.

        References
        ----------
        .. [1] B. S. Veeling, J. Linmans, J. Winkens, T. Cohen and M. Welling,
           "Rotation Equivariant CNNs for Digital Pathology", MICCAI 2018,
           arXiv:1806.03962.
        """
        return _touched(self._areas_of(class_name), _check_boxes(boxes))

    def share(
        self, boxes: ArrayLike, class_name: str | None = None
    ) -> NDArray[np.float64]:
        """Return the share of the area of each box that a class covers.

        Parts of a box outside the slide count as part of its area.

        Parameters
        ----------
        boxes : array-like of shape (n, 4)
            As in `touched`.
        class_name : str or None, default=None
            As in `touched`.

        Returns
        -------
        share : ndarray of shape (n,), float64
            From 0 to 1.

        Raises
        ------
        ValueError
            As in `touched`.
        """
        return _share(self._areas_of(class_name), _check_boxes(boxes))

    def excluded(self, boxes: ArrayLike) -> NDArray[np.bool_]:
        """Return which boxes overlap with an excluded polygon.

        Excluded areas are already cut out of the classes. Use this method to leave out
        windows that contain such areas.

        Parameters
        ----------
        boxes : array-like of shape (n, 4)
            As in `touched`.

        Returns
        -------
        excluded : ndarray of shape (n,), bool

        Raises
        ------
        ValueError
            If the boxes have the wrong shape, are not finite or are empty.
        """
        areas = import_shapely().get_parts(np.array(self.excluded_polygons, object))
        return _touched(areas, _check_boxes(boxes))

    def to_geojson(self, path: str | os.PathLike[str]) -> None:
        """Write a GeoJSON file that QuPath can open by drag and drop.

        `read_annotations` reads the same polygons and classes from the file. Excluded
        areas have the class "Ignore*", as in QuPath.

        Parameters
        ----------
        path : str or path-like
            An existing file is replaced.
        """
        names = [None if n == UNCLASSIFIED else n for n in self.class_names]
        names += [EXCLUDED] * len(self.excluded_polygons)
        polygons = [*self.polygons, *self.excluded_polygons]
        write_feature_collection(path, map(feature, polygons, names))

    def _areas_of(self, class_name: str | None) -> NDArray[Any]:
        """Return disjoint polygons that cover a class. The result is cached."""
        classes = self.classes
        if class_name is None and len(classes) > 1:
            raise ValueError(
                f"The annotations have several classes: {classes}. Set class_name to "
                "one of them."
            )
        if class_name is not None and classes and class_name not in classes:
            warnings.warn(
                f"None of the polygons has the class {class_name!r}. Available "
                f"classes: {classes}.",
                UserWarning,
                stacklevel=3,
            )
        if class_name not in self._areas:
            chosen = [
                polygon
                for polygon, name in zip(self.polygons, self.class_names, strict=True)
                if class_name in (None, name)
            ]
            self._areas[class_name] = _disjoint(chosen, self.excluded_polygons)
        return self._areas[class_name]


def read_annotations(
    path: str | os.PathLike[str],
    *,
    rename: Mapping[str, str] | None = None,
    exclude: Collection[str] | None = None,
) -> Annotations:
    """Read annotations from a GeoJSON file of QuPath or an XML file of ASAP.

    The format is recognised by the content. Classes are the classifications in GeoJSON
    and the groups in XML. Objects without a class get the class "Unclassified". All
    object types are read, such as annotations and detections.

    Self-intersecting polygons are repaired. Shapes without area, such as points and
    lines, are left out. A warning gives the numbers of both. Splines of ASAP are
    converted to the polygons of their control points.

    Parameters
    ----------
    path : str or path-like
        A file in UTF-8 of up to 256 MiB. Coordinates are in pixels of level 0.
    rename : mapping of str to str or None, default=None
        Maps names in the file to class names. Other names do not change. None means no
        renaming for GeoJSON. For XML, None maps the groups "_0" and "_1" of CAMELYON16
        and "metastases" of CAMELYON17 to the class "Tumor".
    exclude : collection of str or None, default=None
        Names in the file of areas that are cut out of all classes. None means "Ignore*"
        for GeoJSON. For XML, None means "_2" and "Exclusion" of CAMELYON16 and "normal"
        of CAMELYON17. Use ``exclude=()`` to keep all areas as classes.

    Returns
    -------
    annotations : Annotations

    Raises
    ------
    FileNotFoundError
        If the file does not exist.
    ImportError
        If shapely is not installed.
    ValueError
        In the following cases:

        - The file is too large or is not in UTF-8.
        - The content is neither valid GeoJSON nor XML of ASAP.
        - XML contains a document type definition. Entities are never expanded, and
          other files and addresses are never read.
        - Coordinates are not finite.
        - A polygon crosses itself more than 5,000 times.

    Warns
    -----
    UserWarning
        If polygons were repaired or shapes were left out.

    Notes
    -----
    According to the README files of CAMELYON16 [1]_ and CAMELYON17, areas in the groups
    "_2" and "normal" are not tumour and are cut out of the areas in the other groups.

    References
    ----------
    .. [1] G. Litjens et al., "1399 H&E-stained sentinel lymph node sections of breast
       cancer patients: the CAMELYON dataset", GigaScience 7(6), 2018.

    Examples
    --------
    >>> import os, tempfile
    >>> import shapely
    >>> from skhisto import Annotations, read_annotations
    >>> drawn = Annotations([shapely.box(100, 100, 200, 200)], ["Tumor"])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "slide.geojson")
    ...     drawn.to_geojson(path)
    ...     read_annotations(path)
    Annotations({'Tumor': 1})
    """
    where = f"'{os.fspath(path)}'"
    text = _read_text(path, where)
    if text.lstrip().startswith("<"):
        outlines = parse_asap_xml(text, where)
        defaults: tuple[Mapping[str, str], Collection[str]]
        defaults = CAMELYON_CLASSES, CAMELYON_EXCLUDED
    else:
        outlines = parse_geojson(text, where)
        defaults = {}, (EXCLUDED,)
    if isinstance(exclude, str):
        exclude = (exclude,)
    _warn_of_changes(outlines, where)
    return _sorted_out(
        outlines,
        defaults[0] if rename is None else rename,
        defaults[1] if exclude is None else exclude,
    )


def _read_text(path: str | os.PathLike[str], where: str) -> str:
    with open(path, "rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(
            f"{where} exceeds the limit of {MAX_BYTES / 2**20:.0f} MiB for annotation "
            "files. Export fewer objects, for example annotations without detections."
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(
            f"{where} is not text in UTF-8. Expected a GeoJSON file of QuPath or an "
            "XML file of ASAP."
        ) from None


def _warn_of_changes(outlines: Outlines, where: str) -> None:
    changes = []
    if outlines.n_repaired:
        changes.append(f"{outlines.n_repaired} invalid polygons were repaired")
    if outlines.n_skipped:
        changes.append(f"{outlines.n_skipped} shapes without area were left out")
    if changes:
        message = f"{where}: {' and '.join(changes)}."
        warnings.warn(message, UserWarning, stacklevel=3)


def _sorted_out(
    outlines: Outlines, rename: Mapping[str, str], exclude: Collection[str]
) -> Annotations:
    """Separate classes from areas that are cut out."""
    pairs = list(zip(outlines.class_names, outlines.polygons, strict=True))
    kept = [(rename.get(name, name), p) for name, p in pairs if name not in exclude]
    return Annotations(
        [polygon for _, polygon in kept],
        [name for name, _ in kept],
        [polygon for name, polygon in pairs if name in exclude],
        n_repaired=outlines.n_repaired,
        n_skipped=outlines.n_skipped,
    )


def _check_boxes(boxes: ArrayLike) -> NDArray[np.float64]:
    boxes = np.asarray(boxes, dtype=np.float64)
    if boxes.size == 0:
        return boxes.reshape(0, 4)
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise ValueError(
            f"boxes must have shape (n, 4), with minimum x, minimum y, maximum x and "
            f"maximum y. Got shape {boxes.shape}."
        )
    if not (np.isfinite(boxes).all() and (boxes[:, :2] < boxes[:, 2:]).all()):
        raise ValueError(
            "boxes must be finite, and their minimum x and y must be smaller than "
            "their maximum x and y."
        )
    return boxes


def _disjoint(polygons: Sequence[Any], excluded: Sequence[Any]) -> NDArray[Any]:
    """Merge polygons, cut others out, and return the parts, prepared for queries."""
    shapely = import_shapely()
    whole = shapely.union_all(np.array(polygons, object))
    whole = shapely.difference(whole, shapely.union_all(np.array(excluded, object)))
    parts = shapely.get_parts(whole)
    parts = parts[shapely.area(parts) > 0]
    shapely.prepare(parts)
    return parts


def _touched(areas: NDArray[Any], boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
    shapely = import_shapely()
    rectangles = shapely.box(*boxes.T)
    inside, at_outline = _pairs(areas, rectangles)
    part, box = at_outline
    overlapping = ~shapely.touches(areas[part], rectangles[box])
    touched = np.zeros(len(boxes), dtype=bool)
    touched[inside] = True
    touched[box[overlapping]] = True
    return touched


def _share(areas: NDArray[Any], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    shapely = import_shapely()
    rectangles = shapely.box(*boxes.T)
    inside, (part, box) = _pairs(areas, rectangles)
    covered = np.zeros(len(boxes))
    common = shapely.area(shapely.intersection(areas[part], rectangles[box]))
    np.add.at(covered, box, common)
    share = np.minimum(covered / shapely.area(rectangles), 1.0)
    share[inside] = 1.0
    return share


def _pairs(
    areas: NDArray[Any], rectangles: NDArray[Any]
) -> tuple[NDArray[np.intp], tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Return the rectangles inside areas, and the pairs that meet at an outline."""
    # The tree contains the rectangles, because a query prepares its own geometry. There
    # are few polygons with many points and many rectangles.
    tree = import_shapely().STRtree(rectangles)
    part, box = tree.query(areas, predicate="intersects")
    _, inside = tree.query(areas, predicate="contains_properly")
    is_inside = np.zeros(len(rectangles), dtype=bool)
    is_inside[inside] = True
    rest = ~is_inside[box]
    return inside, (part[rest], box[rest])
