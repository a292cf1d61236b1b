"""The probabilities of the cells of a slide."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skhisto.maps._file import DEFAULT_MAX_BYTES, read_map, write_map
from skhisto.maps._geojson import regions, tiles
from skhisto.slides._geojson import (
    ObjectType,
    feature,
    identified,
    write_feature_collection,
)

Way = Literal["dense", "windows"]

_MAX_LABEL = 1000
_MAX_NUMBER = 1e9  # in pixels or microns


@dataclass(frozen=True, eq=False)
class ProbabilityMap:
    """Class probabilities of a slide, as returned by `probability_map`.

    The map is a grid of square cells. Each cell is centred on a window, and its side is
    the stride between windows. It contains the probabilities that the classifier
    predicted for the window.

    Positions and lengths are in pixels of level 0 of the slide, as in OpenSlide and
    QuPath: x to the right, y down, from the upper left corner of the slide. They are
    floats, because a window of whole pixels at another resolution is rarely a whole
    number of pixels at level 0.

    Input arrays of the right dtype are not copied. The arrays of the map are read-only.

    Parameters
    ----------
    probabilities : array-like of shape (n_rows, n_columns, n_classes)
        Probabilities of the classes. NaN for cells that were not scored.
    classes : array-like of shape (n_classes,)
        Labels of the classes: numbers, booleans or strings.
    origin : tuple of float
        Upper left corner (x, y) of the first cell, in level-0 pixels.
    stride : float
        Side of a cell, in level-0 pixels.
    window : tuple of float
        (width, height) of a window, in level-0 pixels.
    slide_shape : tuple of int
        (height, width) of level 0, in pixels.
    mpp : float or None
        Microns per pixel of level 0. None if unknown.
    tissue : array-like of bool of shape (n_rows, n_columns)
        The cells that were scored.
    slide_name : str
        Name of the slide.
    slide_fingerprint : str
        Hash that identifies the content of the slide.
    model_fingerprint : str
        Hash that identifies the model.
    way : {"dense", "windows"}
        How probabilities were computed: by running the network over whole regions, or
        window by window.
    reason : str
        The reason for this way, as a sentence.

    Attributes
    ----------
    stride_um : float or None
        Side of a cell, in microns. None if the resolution is unknown.
    window_um : tuple of float or None
        (width, height) of a window, in microns. None if the resolution is unknown.

    Raises
    ------
    TypeError
        If a parameter has the wrong type.
    ValueError
        In the following cases:

        - Shapes do not match.
        - A probability is outside [0, 1].
        - A scored cell has no probability, or another cell has one.
        - A length is not positive.
        - A number exceeds 1e9.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto import ProbabilityMap
    >>> tumour = np.array([[0.1, 0.9], [0.2, np.nan]])
    >>> result = ProbabilityMap(
    ...     probabilities=np.stack([1 - tumour, tumour], axis=2),
    ...     classes=["normal", "tumour"],
    ...     origin=(32, 32),
    ...     stride=32,
    ...     window=(96, 96),
    ...     slide_shape=(128, 128),
    ...     mpp=0.97,
    ...     tissue=~np.isnan(tumour),
    ...     slide_name="a",
    ...     slide_fingerprint="",
    ...     model_fingerprint="",
    ...     way="windows",
    ...     reason="An example.",
    ... )
    >>> result.of("tumour")[0]
    array([0.1, 0.9], dtype=float32)
    >>> result.to_frame()
       minx  miny  width  height  prob_normal  prob_tumour
    0  32.0  32.0   32.0    32.0          0.9          0.1
    1  64.0  32.0   32.0    32.0          0.1          0.9
    2  32.0  64.0   32.0    32.0          0.8          0.2
    """

    __module__ = "skhisto"

    probabilities: np.ndarray = field(repr=False)
    classes: np.ndarray
    origin: tuple[float, float]
    stride: float
    window: tuple[float, float]
    slide_shape: tuple[int, int]
    mpp: float | None
    tissue: np.ndarray = field(repr=False)
    slide_name: str
    slide_fingerprint: str
    model_fingerprint: str
    way: Way
    reason: str

    def __post_init__(self) -> None:
        checked = {
            "probabilities": _probabilities(self.probabilities),
            "classes": _classes(self.classes),
            "origin": _numbers("origin", self.origin, 2),
            "stride": _numbers("stride", [self.stride], 1, above=0)[0],
            "window": _numbers("window", self.window, 2, above=0),
            "slide_shape": _slide_shape(self.slide_shape),
            "mpp": None
            if self.mpp is None
            else _numbers("mpp", [self.mpp], 1, above=0)[0],
            "tissue": _read_only(self.tissue, bool),
        }
        for name, value in checked.items():
            object.__setattr__(self, name, value)
        self._check_texts()
        self._check_shapes()

    def _check_texts(self) -> None:
        texts = ("slide_name", "slide_fingerprint", "model_fingerprint", "reason")
        for name in texts:
            if not isinstance(getattr(self, name), str):
                raise TypeError(
                    f"{name} must be a string, got {getattr(self, name)!r}."
                )
        if self.way not in get_args(Way):
            raise ValueError(f"way must be 'dense' or 'windows', got {self.way!r}.")

    def _check_shapes(self) -> None:
        *cells, n_classes = self.probabilities.shape
        if len(self.classes) != n_classes:
            raise ValueError(
                f"Probabilities of shape {self.probabilities.shape} need {n_classes} "
                f"classes, got {self.classes.tolist()}."
            )
        if self.tissue.shape != tuple(cells):
            raise ValueError(
                f"Probabilities of shape {self.probabilities.shape} need a tissue mask "
                f"of shape {tuple(cells)}, got {self.tissue.shape}."
            )
        is_missing = np.isnan(self.probabilities)
        if not (is_missing == ~self.tissue[..., None]).all():
            raise ValueError(
                "Probabilities must be numbers where tissue is True, and NaN elsewhere."
            )

    @property
    def stride_um(self) -> float | None:
        """Side of a cell, in microns. None if the resolution is unknown."""
        return None if self.mpp is None else self.stride * self.mpp

    @property
    def window_um(self) -> tuple[float, float] | None:
        """Width and height of a window, in microns. None if unknown."""
        if self.mpp is None:
            return None
        width, height = self.window
        return width * self.mpp, height * self.mpp

    def of(self, class_: Any = None) -> np.ndarray:
        """Return the probabilities of one class.

        Parameters
        ----------
        class_ : label, default=None
            The class. For two classes, None means the second one. For more classes, it
            is required.

        Returns
        -------
        probabilities : ndarray of float32 of shape (n_rows, n_columns)
            NaN for cells that were not scored.

        Raises
        ------
        ValueError
            If the class is unknown, or if it is None and there are more than two
            classes.
        """
        return self.probabilities[..., self.position_of(class_)]

    def position_of(self, class_: Any = None) -> int:
        """Return the position of a class in `classes`.

        Parameters
        ----------
        class_ : label, default=None
            The class, see `of`.

        Returns
        -------
        position : int
            Index from 0.

        Raises
        ------
        ValueError
            If the class is unknown, or if it is None and there are more than two
            classes.
        """
        labels = self.classes.tolist()
        if class_ is None:
            if len(labels) == 2:
                return 1
            raise ValueError(
                f"The map has several classes, so class_ must be one of {labels}."
            )
        if class_ not in labels:
            raise ValueError(f"class_ must be one of {labels}, got {class_!r}.")
        return labels.index(class_)

    def boxes(self) -> np.ndarray:
        """Return the boxes of all cells.

        Returns
        -------
        boxes : ndarray of float64 of shape (n_rows * n_columns, 4)
            Minimum x, minimum y, maximum x and maximum y in level-0 pixels, row by row.
            `Annotations.touched` and `TissueMask.covers` accept such boxes.
        """
        rows, columns = np.indices(self.tissue.shape).reshape(2, -1)
        corners = np.column_stack([columns, rows, columns + 1, rows + 1])
        return np.tile(self.origin, 2) + self.stride * corners

    def to_frame(self) -> pd.DataFrame:
        """Return a table of the scored cells with the columns of WSInfer.

        Write a CSV file as WSInfer does (https://wsinfer.readthedocs.io) with
        ``map.to_frame().to_csv(path, index=False)``. WSInfer writes whole pixels. Here,
        positions and lengths are floats, because rounded cells would overlap.

        Returns
        -------
        frame : DataFrame
            One row per scored cell, in row-major order. Columns:

            - ``minx``, ``miny``: upper left corner of the cell in level-0 pixels.
            - ``width``, ``height``: size of the cell in level-0 pixels.
            - ``prob_<class>``: probability of a class, float32, one column per class.
        """
        corners = self.boxes()[self.tissue.ravel(), :2]
        frame = pd.DataFrame(corners, columns=["minx", "miny"])
        frame["width"] = frame["height"] = self.stride
        scored = self.probabilities[self.tissue]
        for position, label in enumerate(self.classes.tolist()):
            frame[f"prob_{label}"] = scored[:, position]
        return frame

    def to_geojson(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        threshold: float = 0.5,
        class_: Any = None,
        tiles: bool = False,
    ) -> dict[str, Any] | None:
        """Export the regions with a high probability of a class as GeoJSON.

        QuPath opens the file by drag and drop onto the slide. Requires shapely
        (``pip install "skhisto[slides]"``).

        Parameters
        ----------
        path : str or path-like, default=None
            File to write, usually with the suffix ``.geojson``. An existing file is
            replaced once the new one is complete. None returns the content instead.
        threshold : float, default=0.5
            Minimum probability of a cell, in [0, 1].
        class_ : label, default=None
            The class. For two classes, None means the second one. For more classes, it
            is required.
        tiles : bool, default=False
            - False: one annotation per set of cells that share sides. It follows the
              sides of the cells and can have holes. Measurements are the mean and
              maximum probability, the number of cells and, if the resolution is known,
              the area in square microns.
            - True: one tile per cell. Measurements are the probabilities of all
              classes. Maps with a small stride have millions of cells. ``threshold=0``
              writes all scored cells, each classified as `class_`.

        Returns
        -------
        collection : dict or None
            A FeatureCollection if `path` is None. Coordinates are in level-0 pixels,
            rounded to 0.001. Each feature has a UUID that depends only on the map and
            the parameters.

        Raises
        ------
        ImportError
            If shapely is not installed.
        ValueError
            If the class is unknown or missing, or if `threshold` is outside [0, 1].
        """
        if not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be in [0, 1], got {threshold!r}.")
        features = self._features(self.position_of(class_), threshold, tiles)
        if path is None:
            return {"type": "FeatureCollection", "features": [*identified(features)]}
        write_feature_collection(path, features)
        return None

    def _features(
        self, position: int, threshold: float, are_tiles: bool
    ) -> Iterator[dict[str, Any]]:
        names = [str(label) for label in self.classes.tolist()]
        probability = self.probabilities[..., position]
        is_in = probability >= threshold  # False for NaN
        if are_tiles:
            found = tiles(self.probabilities, is_in, self.origin, self.stride, names)
        else:
            found = regions(probability, is_in, self.origin, self.stride)
        for polygon, measurements in found:
            if not are_tiles and self.stride_um is not None:
                area = measurements["cells"] * self.stride_um**2
                measurements["area \N{MICRO SIGN}m^2"] = area
            sort: ObjectType = "tile" if are_tiles else "annotation"
            yield feature(polygon, names[position], None, sort, measurements)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the map to one npz file.

        The file contains three arrays and a JSON header. It can be opened with
        ``numpy.load(path, allow_pickle=False)``. It contains only the parameters of
        this class. The path of the slide and its metadata, except size and resolution,
        are not stored.

        Parameters
        ----------
        path : str or path-like
            Name of the file. A suffix is not added. An existing file is replaced once
            the new one is complete.

        Raises
        ------
        FileNotFoundError
            If the folder does not exist.
        IsADirectoryError
            If `path` is a folder.
        """
        write_map(path, {f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def load(
        cls, path: str | os.PathLike[str], *, max_bytes: int = DEFAULT_MAX_BYTES
    ) -> Self:
        """Read a map that was written by `save`. No code in the file is run.

        Parameters
        ----------
        path : str or path-like
            Name of the file.
        max_bytes : int, default=268435456
            Maximum size of the arrays in bytes, 256 MiB by default. A map of two
            classes has 9 bytes per cell. Files are compressed, so a small file can
            contain arrays that exhaust memory. Raise the limit only for files that you
            trust.

        Returns
        -------
        map : ProbabilityMap

        Raises
        ------
        FileNotFoundError
            If the file does not exist.
        ValueError
            If the file is damaged or not a map, if its arrays exceed `max_bytes`, or if
            it has a format of a newer version of skhisto.
        """
        with open(path, "rb") as file:
            try:
                return cls(**read_map(file, max_bytes))
            except Exception as error:  # NumPy and zipfile raise many types
                raise ValueError(
                    f"'{os.fspath(path)}' cannot be read as a ProbabilityMap: {error}."
                ) from error


def _probabilities(given: ArrayLike) -> np.ndarray:
    probabilities = _read_only(given, np.float32)
    if probabilities.ndim != 3 or probabilities.size == 0:
        raise ValueError(
            "Probabilities must have shape (n_rows, n_columns, n_classes), with at "
            f"least one cell and one class, got shape {probabilities.shape}."
        )
    if (probabilities < 0).any() or (probabilities > 1).any():
        raise ValueError(
            "Probabilities must be in [0, 1], or NaN for cells that were not scored. "
            f"Got {np.nanmin(probabilities)} to {np.nanmax(probabilities)}."
        )
    return probabilities


def _classes(given: ArrayLike) -> np.ndarray:
    """Return labels with a dtype that can be stored in files."""
    labels = np.asarray(given)
    labels = np.asarray(labels.tolist())  # strings of dtype object or StringDType
    if labels.ndim != 1 or labels.dtype.kind not in "biufU":
        raise ValueError(
            f"classes must be numbers, booleans or strings, got {given!r}."
        )
    if labels.dtype.kind == "U" and labels.dtype.itemsize > 4 * _MAX_LABEL:
        raise ValueError(
            f"classes must have at most {_MAX_LABEL} characters, got "
            f"{labels.dtype.itemsize // 4}."
        )
    # NumPy accepts strings with invalid code points, on which Python fails later.
    if labels.dtype.kind == "U" and any(
        ord(character) > sys.maxunicode for label in labels for character in label
    ):
        raise ValueError("classes contain invalid Unicode characters.")
    if len(set(labels.tolist())) < len(labels):
        raise ValueError(f"classes must be unique, got {labels.tolist()}.")
    return _read_only(labels, labels.dtype)


def _numbers(
    name: str, given: Any, length: int, above: float = -np.inf
) -> tuple[float, ...]:
    try:
        numbers = tuple(float(number) for number in given)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must consist of numbers, got {given!r}.") from None
    except OverflowError:
        numbers = ()
    in_range = all(above < n and abs(n) <= _MAX_NUMBER for n in numbers)
    if len(numbers) != length or not in_range:
        sort = "positive" if above == 0 else "finite"
        raise ValueError(
            f"{name} must be {length} {sort} number(s), got {given!r}. The maximum is "
            f"{_MAX_NUMBER:.0e}."
        )
    return numbers


def _slide_shape(given: Any) -> tuple[int, int]:
    height, width = _numbers("slide_shape", given, 2, above=0)
    if height % 1 or width % 1:
        raise ValueError(f"slide_shape must be two integers, got {given!r}.")
    return int(height), int(width)


def _read_only(given: ArrayLike, dtype: Any) -> np.ndarray:
    array = np.asarray(given, dtype).view()
    array.flags.writeable = False
    return array
