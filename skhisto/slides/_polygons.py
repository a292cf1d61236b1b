"""Checks and repairs of polygons from annotation files."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# float64 cannot distinguish the squares of larger coordinates.
MAX_COORDINATE = 1e8
MAX_CROSSINGS = 5_000
"""Maximum number of self-crossings. Repairs take quadratic time and memory."""
_PAIRS_AT_ONCE = 2_000_000

UNCLASSIFIED = "Unclassified"
"""QuPath's class name for objects without a class."""


class Outlines(NamedTuple):
    """The content of an annotation file.

    Attributes
    ----------
    class_names : list of str
    polygons : list of shapely geometry
        A valid Polygon or MultiPolygon for each class name.
    n_repaired : int
        Number of polygons that were invalid.
    n_skipped : int
        Number of shapes that were left out because they have no area.
    """

    class_names: list[str]
    polygons: list[Any]
    n_repaired: int
    n_skipped: int


class OutlineCollector:
    """Collector that repairs polygons and counts repaired and skipped shapes."""

    def __init__(self) -> None:
        self._class_names: list[str] = []
        self._polygons: list[Any] = []
        self._n_repaired = 0
        self._n_skipped = 0

    def skip(self) -> None:
        """Count a shape without area."""
        self._n_skipped += 1

    def add(self, class_name: str, polygons: Sequence[Any], where: str) -> None:
        """Add one object, which consists of one or several polygons.

        Raises
        ------
        ValueError
            If the polygons cannot be repaired. The message starts with `where`.
        """
        shapely = import_shapely()
        whole = polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)
        if not whole.is_valid:
            whole = _repaired(whole, where)
            self._n_repaired += not whole.is_empty
        if whole.area == 0:
            self.skip()
            return
        self._class_names.append(class_name)
        self._polygons.append(whole)

    def outlines(self) -> Outlines:
        """Return the collected polygons and counts."""
        return Outlines(
            self._class_names, self._polygons, self._n_repaired, self._n_skipped
        )


def _repaired(whole: Any, where: str) -> Any:
    """Return valid polygons of about the same area."""
    shapely = import_shapely()
    if _crosses_itself_too_often(whole):
        raise ValueError(
            f"{where} crosses or touches itself more than {MAX_CROSSINGS:,} times. The "
            "repair would take too long. Simplify or delete it."
        )
    try:
        # This method keeps only areas and drops lines and points.
        return shapely.make_valid(whole, method="structure", keep_collapsed=False)
    except shapely.errors.ShapelyError as error:
        raise ValueError(
            f"{where} crosses itself and cannot be repaired: {error}. Delete it."
        ) from None


def _crosses_itself_too_often(whole: Any) -> bool:
    shapely = import_shapely()
    rings = shapely.get_rings(shapely.get_parts(whole))
    points, ring = shapely.get_coordinates(rings, return_index=True)
    is_side = (ring[1:] == ring[:-1]) & (points[1:] != points[:-1]).any(axis=1)
    sides = shapely.linestrings(np.stack([points[:-1], points[1:]], axis=1)[is_side])
    # Each side meets itself and its two neighbours. All other pairs are found twice.
    limit = 3 * len(sides) + 2 * MAX_CROSSINGS
    tree = shapely.STRtree(sides)
    n_pairs = 0
    step = max(1, _PAIRS_AT_ONCE // max(1, len(sides)))
    for start in range(0, len(sides), step):
        found = tree.query(sides[start : start + step], predicate="intersects")
        n_pairs += found.shape[1]
        if n_pairs > limit:
            return True
    return False


def as_points(points: Any, where: str) -> NDArray[np.float64]:
    """Return x and y of points, shape (n, 2).

    Raises
    ------
    ValueError
        If the points are not finite numbers below the limit. The message starts with
        `where`.
    """
    try:
        array = np.asarray(points)
    except (ValueError, OverflowError):  # ragged lists, or integers of many digits
        array = np.asarray(None)
    is_numeric = array.dtype.kind in "iuf"
    if not is_numeric or array.ndim != 2 or array.shape[1] < 2:
        raise ValueError(
            f"{where} has invalid coordinates. Expected a list of points [x, y]. "
            "Export the annotations again."
        )
    array = array[:, :2].astype(np.float64)
    # The comparison is False for NaN.
    if not (np.abs(array) <= MAX_COORDINATE).all():
        raise ValueError(
            f"{where} has coordinates that are not finite or exceed "
            f"{MAX_COORDINATE:.0e}. Expected pixels of level 0."
        )
    return array


def import_shapely() -> ModuleType:
    """Return the module shapely, or raise an error that says how to install it."""
    try:
        import shapely
    except ImportError:
        raise ImportError(
            "Slide annotations need shapely, which is not installed. "
            'Install it with: pip install "skhisto[slides]"'
        ) from None
    return shapely
