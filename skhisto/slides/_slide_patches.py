"""Windows of slides as patches."""

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from skhisto.patches._patch_array import (
    PatchArray,
    Window,
    as_height_width,
    center_window,
)
from skhisto.slides._grid import WindowGrid
from skhisto.slides._slide import Slide, SlideImage
from skhisto.slides._tissue import as_tissue_mask

PCAM_MPP = 0.97
"""Microns per pixel of PatchCamelyon (level 2 of the CAMELYON16 slides)."""

PCAM_CENTER = 32
"""Side of the centre that determines the label in PatchCamelyon, in pixels."""


class SlideAnnotations(Protocol):
    """The interface of annotations. Boxes are in pixels of level 0."""

    @property
    def classes(self) -> Collection[str]:
        """Names of the classes."""

    def touched(
        self, boxes: NDArray[np.float64], class_name: str | None = None
    ) -> NDArray[np.bool_]:
        """Return which boxes overlap with a region of the class."""

    def share(
        self, boxes: NDArray[np.float64], class_name: str | None = None
    ) -> NDArray[np.float64]:
        """Return the share of each box in regions of the class."""

    def excluded(self, boxes: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Return which boxes overlap with an excluded region."""


class LabelRule(NamedTuple):
    """The rule for positive windows."""

    center: tuple[int, int] | None
    class_name: str | None
    min_share: float | None


class SlidePatches:
    """Windows on a regular grid over slides, as a source of patches.

    The first window starts at the upper left corner of a slide. Only complete windows
    are used: the last one in a row or column ends at or before the border of the slide.

    The windows of all slides form one stack, slide by slide and row by row.
    ``SlidePatches(...).to_patch_array()`` can be passed to everything that accepts
    patches. Pixels are decoded when they are needed.

    Parameters
    ----------
    slide : Slide, path or array, or a list of them
        The slides. Paths and arrays are converted to :class:`skhisto.Slide`. The names
        of the slides must differ.
    size : int or tuple of int (height, width), default=96
        Size of the patches in pixels at the resolution `mpp`. An int means a square.
    stride : int, default=None
        Distance between the starts of adjacent windows, in pixels at the resolution
        `mpp`. None uses the shorter side of the windows, so that square windows touch.
        A stride larger than the windows leaves gaps. In maps, a cell has the size of
        the stride and is centred on its window. The first cell then starts at a
        negative coordinate.
    mpp : float, default=0.97
        Microns per pixel of the patches. The default is the resolution of PatchCamelyon
        [1]_. None uses level 0 without resampling. A value finer than level 0 enlarges
        the pixels of level 0 by interpolation.
    mask : "tissue", None, TissueMask or ndarray of bool, or a list, default="tissue"
        Selects the windows with at least 5 % of their area in the mask.

        - "tissue": the tissue found by :func:`skhisto.slides.tissue_mask`.
        - None: all windows.
        - An array of dtype bool and any size: it is stretched over the slide.

        Several slides need a list with one mask per slide, unless the mask is "tissue"
        or None.
    annotations : Annotations or a list, default=None
        Regions that determine the labels. A list has one item per slide, with None for
        a slide without tumour. Windows whose centre overlaps with an excluded region
        are left out.
    center : int or tuple of int (height, width), default=32
        Size of the centre that determines the label, in pixels of the patch. None means
        the whole patch. A size larger than the patch also means the whole patch.
    class_name : str, default=None
        Class of the regions that make a patch positive. None means the only class of
        all slides. Annotations with several classes require a name.
    min_share : float, default=None
        Minimum share of the centre in regions of the class for a positive label, above
        0 and up to 1. None uses the rule of PatchCamelyon: any overlap of a region with
        the centre.

    Attributes
    ----------
    shape : tuple of int (n_patches, height, width, 3)
        Shape of all patches.
    dtype : numpy.dtype
        Always uint8.
    y : ndarray of shape (n_patches,), int64, or None
        1 for positive patches, otherwise 0. None without annotations.
    groups : ndarray of shape (n_patches,), str
        Name of the slide of each patch.
    coords : ndarray of shape (n_patches, 2), float64
        x and y of the upper left corner of each patch, in pixels of level 0.
    images : list of SlideImage
        Each slide at the resolution of the patches.
    grids : list of WindowGrid
        The windows of each slide, before the mask.
    skipped_share : float
        Share of all windows that were left out.

    Raises
    ------
    TypeError
        If `annotations` has another type, such as a path.
    ValueError
        In the following cases:

        - The resolution of a slide is unknown and `mpp` is not None.
        - Two slides have the same name.
        - `size` or `stride` is not a positive integer.
        - A slide is smaller than a window.
        - The annotations have several classes and `class_name` is None.
        - All windows are left out.

    See Also
    --------
    skhisto.PatchArray : The stack of patches.

    Notes
    -----
    A pickle contains the paths of the slides, so that another process can open them. It
    contains pixels only for slides that are arrays.

    Decoded blocks of slides are cached, up to 64 MiB for all slides. Adjacent patches
    that are read together decode each block once. For training over many epochs,
    patches in memory are faster: ``numpy.asarray(X)`` of the `PatchArray`.

    References
    ----------
    .. [1] B. S. Veeling, J. Linmans, J. Winkens, T. Cohen and M. Welling, "Rotation
       Equivariant CNNs for Digital Pathology", MICCAI 2018, arXiv:1806.03962.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto import Slide, SlidePatches
    >>> pixels = np.full((300, 400, 3), 240, dtype=np.uint8)
    >>> pixels[:, 200:] = (200, 120, 180)
    >>> slide = Slide(pixels, mpp=0.97, name="a")
    >>> patches = SlidePatches(slide, stride=48)
    >>> patches.shape
    (20, 96, 96, 3)
    >>> X = patches.to_patch_array()
    >>> X.coords[0].tolist(), X.groups[0].item()
    ([144.0, 0.0], 'a')
    """

    __module__ = "skhisto"  # the public location

    def __init__(
        self,
        slide: Any,
        size: int | tuple[int, int] = 96,
        stride: int | None = None,
        *,
        mpp: float | None = PCAM_MPP,
        mask: Any = "tissue",
        annotations: Any = None,
        center: int | tuple[int, int] | None = PCAM_CENTER,
        class_name: str | None = None,
        min_share: float | None = None,
    ) -> None:
        self._size = as_height_width(size)
        rule = LabelRule(_check_center(center, self._size), class_name, min_share)
        _check_min_share(min_share)
        slides = _as_slides(slide)
        masks = _one_each(mask, len(slides), "mask")
        regions = _one_each(annotations, len(slides), "annotations")
        _check_annotations(regions)
        _check_classes(regions, class_name)
        self.images = [slide.at(mpp) for slide in slides]
        step = min(self._size) if stride is None else stride
        self.grids = [_grid(image, self._size, step) for image in self.images]
        is_labelled = any(region is not None for region in regions)
        found = [
            _windows(image, grid, mask, region, rule)
            for image, grid, mask, region in zip(
                self.images, self.grids, masks, regions, strict=True
            )
        ]
        self._corners = np.concatenate([windows.corners for windows in found])
        self._image = np.repeat(
            np.arange(len(found)), [len(windows.corners) for windows in found]
        )
        self.y = (
            np.concatenate([windows.y for windows in found]) if is_labelled else None
        )
        if len(self._corners) == 0:
            raise ValueError(
                f"All {self._n_windows} windows were left out, because no tissue was "
                "found or everything is excluded. Pass mask=None to use all windows."
            )

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of patches, height and width in pixels, 3 channels."""
        return (len(self._corners), *self._size, 3)

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels, uint8."""
        return np.dtype(np.uint8)

    @property
    def groups(self) -> np.ndarray:
        """Name of the slide of each patch."""
        return np.array([image.slide.name for image in self.images])[self._image]

    @property
    def coords(self) -> NDArray[np.float64]:
        """X and y of the upper left corner of each patch, in pixels of level 0."""
        scales = np.array([image.scale for image in self.images])
        return self._corners[:, ::-1] * scales[self._image, np.newaxis]

    @property
    def skipped_share(self) -> float:
        """Share of all windows that were left out."""
        return 1 - len(self._corners) / self._n_windows

    @property
    def _n_windows(self) -> int:
        return sum(grid.n_windows for grid in self.grids)

    def __repr__(self) -> str:
        return f"SlidePatches(shape={self.shape}, n_slides={len(self.images)})"

    def to_patch_array(self) -> PatchArray:
        """Return the patches as a stack that is decoded only when indexed.

        Returns
        -------
        X : PatchArray of shape (n_patches, height, width, 3)
            With `groups` and `coords`.
        """
        return PatchArray(self)

    def read(self, rows: np.ndarray, window: Window) -> np.ndarray:
        """Read a window of some patches.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            Patch numbers, integers from 0, in any order. Numbers may repeat.
        window : tuple of slice (rows, columns)
            The part of each patch to return.

        Returns
        -------
        patches : ndarray of shape (n_rows, height, width, 3), uint8
            The pixels of the window.

        Raises
        ------
        ValueError
            If a file is damaged. The message names it.
        """
        (y, height), (x, width) = (
            (side.start, side.stop - side.start) for side in window
        )
        patches = np.empty((len(rows), height, width, 3), np.uint8)
        # Windows are read in slide order, so that each block is decoded once.
        for position in np.argsort(rows, kind="stable"):
            row = rows[position]
            top, left = (int(start) for start in self._corners[row])
            image = self.images[self._image[row]]
            patches[position] = image.read(top + y, left + x, height, width)
        return patches


class _Windows(NamedTuple):
    corners: NDArray[np.int64]
    y: NDArray[np.int64]


def _windows(
    image: SlideImage,
    grid: WindowGrid,
    mask: Any,
    annotations: SlideAnnotations | None,
    rule: LabelRule,
) -> _Windows:
    """Return the selected windows of a slide and their labels."""
    corners = grid.corners()
    tissue = as_tissue_mask(mask, image.slide)
    if tissue is not None:
        corners = corners[tissue.covers(_boxes(image, corners, grid.size))]
    if annotations is None:
        return _Windows(corners, np.zeros(len(corners), np.int64))
    centers = _boxes(image, corners, grid.size, rule.center)
    is_kept = ~annotations.excluded(centers)
    corners, centers = corners[is_kept], centers[is_kept]
    if rule.min_share is None:
        y = annotations.touched(centers, rule.class_name)
    else:
        y = annotations.share(centers, rule.class_name) >= rule.min_share
    return _Windows(corners, y.astype(np.int64))


def _boxes(
    image: SlideImage,
    corners: NDArray[np.int64],
    size: tuple[int, int],
    center: tuple[int, int] | None = None,
) -> NDArray[np.float64]:
    """Return windows or their centres as minx, miny, maxx, maxy in level-0 pixels."""
    rows, columns = center_window(*size, center or size)
    tops, lefts = corners.T
    box = [
        lefts + columns.start,
        tops + rows.start,
        lefts + columns.stop,
        tops + rows.stop,
    ]
    return np.stack(box, axis=1) * image.scale


def _grid(image: SlideImage, size: tuple[int, int], stride: int) -> WindowGrid:
    try:
        return WindowGrid(image.shape, size, stride)
    except ValueError as error:
        raise ValueError(f"Slide '{image.slide.name}': {error}") from None


def _as_slides(slide: Any) -> list[Slide]:
    given = list(slide) if isinstance(slide, list | tuple) else [slide]
    if not given:
        raise ValueError("At least one slide is required, got an empty list.")
    slides = [item if isinstance(item, Slide) else Slide(item) for item in given]
    names = [slide.name for slide in slides]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(
            f"Several slides have the name '{repeated[0]}'. Names identify slides in "
            "groups. Pass different names, as in Slide(..., name='a')."
        )
    return slides


def _one_each(value: Any, n_slides: int, name: str) -> Sequence[Any]:
    """Return a value for each slide."""
    if not isinstance(value, list | tuple):
        is_of_one_slide = value is not None and not isinstance(value, str)
        if is_of_one_slide and n_slides > 1:
            raise ValueError(
                f"{name} of {n_slides} slides must be a list with one item per slide, "
                f"got {type(value).__name__}."
            )
        return [value] * n_slides
    if len(value) != n_slides:
        raise ValueError(
            f"{name} must have one item per slide, got {len(value)} items for "
            f"{n_slides} slides."
        )
    return value


def _check_annotations(regions: Sequence[Any]) -> None:
    for region in regions:
        if region is not None and not hasattr(region, "touched"):
            raise TypeError(
                "annotations must be Annotations, None or a list of these, got "
                f"{type(region).__name__}. Read a file with read_annotations(path)."
            )


def _check_classes(regions: Sequence[Any], class_name: str | None) -> None:
    """Check that None means the same class on all slides."""
    given = [region for region in regions if region is not None]
    classes = sorted({name for region in given for name in region.classes})
    if class_name is None and len(classes) > 1:
        raise ValueError(
            f"The annotations have several classes: {classes}. Set class_name to the "
            "class that makes a patch positive."
        )


def _check_center(
    center: int | tuple[int, int] | None, size: tuple[int, int]
) -> tuple[int, int] | None:
    if center is None:
        return None
    height, width = as_height_width(center)
    return min(height, size[0]), min(width, size[1])


def _check_min_share(min_share: float | None) -> None:
    if min_share is not None and not 0 < min_share <= 1:
        raise ValueError(
            f"min_share must be above 0 and up to 1, or None, got {min_share!r}."
        )
