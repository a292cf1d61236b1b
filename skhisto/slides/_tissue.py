"""Tissue detection at low resolution."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from skhisto._stain.glass import find_glass
from skhisto.patches._measures import is_ink, sharpness, to_grey
from skhisto.slides._box_shares import box_shares
from skhisto.slides._reader import Pixels
from skhisto.slides._resolution import check_mpp
from skhisto.slides._slide import Slide, SlideImage, coarser_image

Mask = NDArray[np.bool_]

MIN_THRESHOLD, MAX_THRESHOLD = 0.04, 0.10
"""Minimum and maximum of the saturation threshold for tissue.

Measured on means over 8 microns: the 99th percentile of glass is 0.012 in OpenSlide's
CMU-1-Small-Region and 0.017 in the tiles "empty" of Kather et al. (2016). The 10th
percentile of tissue is 0.13 to 0.55 in their tiles of mucosa, stroma and tumour.
"""

MIN_SHARE = 0.05
"""Minimum share of tissue in a box that counts as tissue."""

MIN_SHARPNESS = 0.30
"""Sharpness below which `patch_report` calls a patch blurred."""

_DEFAULT_SCALE = 16.0  # for unknown resolutions, 8 microns if a pixel has 0.5 microns
_STRIP = 256  # number of low-resolution rows in memory at a time

# Blur is measured in windows of about 96 microns that are full of tissue.
_WINDOW, _WINDOW_MPP, _WINDOW_SCALE = 96, 1.0, 2.0
_MAX_WINDOWS = 100
_MIN_TISSUE_OF_WINDOW = 0.9


@dataclass(frozen=True, eq=False)
class TissueMask:
    """The tissue of a slide, created by :func:`tissue_mask`.

    Parameters
    ----------
    mask : ndarray of shape (height, width), bool
        True for tissue, at low resolution, for the whole slide.
    downsample : tuple of float (y, x)
        Pixels of level 0 per pixel of the mask.
    threshold : float, default=None
        Minimum saturation of tissue, from 0 to 1. None for a mask from the user.
    pen : ndarray of shape (height, width), bool, default=None
        Pixels with the colour of green, blue or black ink, as a hint. Folds and pigment
        can look like black ink. The mask does not depend on `pen`.
    blurred : ndarray of shape (n, 4), default=None
        Windows that look blurred, as a hint. They are given as minx, miny, maxx and
        maxy in pixels of level 0. At most 100 evenly spaced windows of tissue are
        examined.
    n_examined : int, default=0
        Number of windows that were examined for blur.
    """

    mask: Mask
    downsample: tuple[float, float]
    threshold: float | None = None
    pen: Mask | None = None
    blurred: NDArray[np.float64] | None = None
    n_examined: int = 0

    __module__ = "skhisto.slides"  # the public location

    @property
    def tissue_share(self) -> float:
        """Share of the slide that is tissue."""
        return float(self.mask.mean())

    @property
    def skipped_share(self) -> float:
        """Share of the slide that is not tissue."""
        return 1 - self.tissue_share

    @property
    def pen_share(self) -> float:
        """Share of the slide with the colour of ink. NaN if not measured."""
        return float("nan") if self.pen is None else float(self.pen.mean())

    @property
    def blurred_share(self) -> float:
        """Share of the examined windows that look blurred. NaN without windows."""
        if self.blurred is None or self.n_examined == 0:
            return float("nan")
        return len(self.blurred) / self.n_examined

    def __repr__(self) -> str:
        return (
            f"TissueMask(shape={self.mask.shape}, tissue_share={self.tissue_share:.3f},"
            f" pen_share={self.pen_share:.3f}, blurred_share={self.blurred_share:.3f})"
        )

    def share(self, boxes: ArrayLike) -> NDArray[np.float64]:
        """Return the share of tissue in each box.

        Parameters
        ----------
        boxes : array-like of shape (n, 4)
            Corners minx, miny, maxx and maxy in pixels of level 0. Boxes may extend
            beyond the slide. Parts outside the slide count as glass.

        Returns
        -------
        shares : ndarray of shape (n,), float64
            From 0 to 1.
        """
        scale_y, scale_x = self.downsample
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        return box_shares(self.mask, boxes / [scale_x, scale_y, scale_x, scale_y])

    def covers(
        self, boxes: ArrayLike, min_share: float = MIN_SHARE
    ) -> NDArray[np.bool_]:
        """Return which boxes contain enough tissue.

        Parameters
        ----------
        boxes : array-like of shape (n, 4)
            Corners minx, miny, maxx and maxy in pixels of level 0.
        min_share : float, default=0.05
            Minimum share of tissue in a box.

        Returns
        -------
        covered : ndarray of shape (n,), bool
        """
        return self.share(boxes) >= min_share


def tissue_mask(slide: Slide, *, mpp: float = 8.0) -> TissueMask:
    """Find the tissue of a slide by its saturation.

    The slide is read at low resolution from its pyramid. The colour of glass is
    measured and divided out. A pixel is tissue if its HSV saturation reaches a
    threshold. The threshold is computed by Otsu's method [1]_ and limited to the range
    from 0.04 to 0.10. The limits are needed because Otsu's method always finds two
    classes, even on a slide that is all glass or all tissue. A majority filter of 3x3
    pixels removes specks.

    Parameters
    ----------
    slide : Slide
        The slide.
    mpp : float, default=8.0
        Microns per pixel of the mask, from 0.05 to 20. If the resolution of the slide
        is unknown, a pixel of the mask covers 16x16 pixels of level 0.

    Returns
    -------
    tissue : TissueMask
        The mask, with hints on pen and blur.

    Raises
    ------
    ValueError
        If the file of the slide is damaged, or if `mpp` is outside its range.

    Notes
    -----
    Fat and mucus are pale and are partly detected as glass. Coloured ink is detected as
    tissue and marked in `pen`.

    For `blurred`, up to 100 windows of 96x96 microns are read at a finer resolution.
    Their sharpness is compared with the threshold of :func:`skhisto.patch_report`.

    References
    ----------
    .. [1] N. Otsu, "A Threshold Selection Method from Gray-Level Histograms", IEEE
       Transactions on Systems, Man, and Cybernetics 9(1), 62-66, 1979.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto import Slide
    >>> from skhisto.slides import tissue_mask
    >>> pixels = np.full((320, 640, 3), 240, dtype=np.uint8)
    >>> pixels[:, 320:] = (200, 120, 180)
    >>> tissue = tissue_mask(Slide(pixels))
    >>> tissue.mask.shape, tissue.tissue_share
    ((20, 40), 0.5)
    >>> tissue.covers([[0, 0, 96, 96], [400, 0, 496, 96]]).tolist()
    [False, True]
    """
    mpp = check_mpp(mpp)
    scale = _DEFAULT_SCALE if slide.mpp is None else mpp / slide.mpp
    image = coarser_image(slide, scale)
    saturation, pen = _survey(image, _glass(slide))
    threshold = float(np.clip(otsu(saturation) / 255, MIN_THRESHOLD, MAX_THRESHOLD))
    mask = ndimage.median_filter(saturation >= 255 * threshold, size=3)
    tissue = TissueMask(mask, (image.scale, image.scale), threshold, pen)
    blurred, n_examined = _find_blur(slide, tissue)
    return TissueMask(mask, tissue.downsample, threshold, pen, blurred, n_examined)


def as_tissue_mask(mask: Any, slide: Slide) -> TissueMask | None:
    """Convert the value of a parameter to a mask.

    Parameters
    ----------
    mask : "tissue", None, TissueMask or ndarray of shape (height, width), bool
        "tissue" detects the tissue. None means no mask. An array of any size is
        stretched over the slide.
    slide : Slide
        The slide.

    Raises
    ------
    ValueError
        If `mask` has another type, or if a TissueMask does not have the size of the
        slide.
    """
    if mask is None:
        return None
    if isinstance(mask, TissueMask):
        _check_extent(mask, slide)
        return mask
    if isinstance(mask, str) and mask == "tissue":
        return tissue_mask(slide)
    array = np.asarray(mask)
    if array.ndim != 2 or array.dtype != bool or array.size == 0:
        given = repr(mask) if isinstance(mask, str) else f"{type(mask).__name__}"
        raise ValueError(
            'mask must be "tissue", None, a TissueMask or a boolean array of shape '
            f"(height, width), got {given} of dtype {array.dtype} and shape "
            f"{array.shape}."
        )
    height, width = slide.shape
    return TissueMask(array, (height / array.shape[0], width / array.shape[1]))


def _check_extent(tissue: TissueMask, slide: Slide) -> None:
    """Check that a mask has the size of a slide, up to two pixels of the mask.

    The sizes may differ because level sizes are rounded and incomplete pixels are left
    out.
    """
    for length, full, scale in zip(
        tissue.mask.shape, slide.shape, tissue.downsample, strict=True
    ):
        if abs(length * scale - full) > 2 * scale:
            raise ValueError(
                f"The TissueMask of shape {tissue.mask.shape} and downsample "
                f"{tissue.downsample} does not cover the slide '{slide.name}' of shape "
                f"{slide.shape}. Pass the mask of this slide."
            )


def otsu(values: NDArray[np.uint8]) -> int:
    """Return the threshold of Otsu's method, the lowest value of the upper class.

    It maximises the variance between the classes. It is 0 if all values are equal.
    """
    counts = np.bincount(values.ravel(), minlength=256)
    n_below = np.cumsum(counts)[:-1].astype(float)
    n_above = values.size - n_below
    sums = np.cumsum(counts * np.arange(256))
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = sums[:-1] / n_below - (sums[-1] - sums[:-1]) / n_above
        between = n_below * n_above * difference**2
    between = np.nan_to_num(between)
    return int(np.argmax(between)) + 1 if between.any() else 0


def _glass(slide: Slide) -> NDArray[np.float64]:
    """Return the colour of glass, or white if the slide shows no glass."""
    glass = find_glass(slide.thumbnail()[np.newaxis])[0]
    return np.where(np.isnan(glass), 255, glass)


def _survey(
    image: SlideImage, glass: NDArray[np.float64]
) -> tuple[NDArray[np.uint8], Mask]:
    """Return the saturation of each pixel, from 0 to 255, and the ink pixels."""
    height, width = image.shape
    saturation = np.empty((height, width), np.uint8)
    pen = np.empty((height, width), bool)
    for top in range(0, height, _STRIP):
        pixels = image.read(top, 0, min(_STRIP, height - top), width)
        rows = slice(top, top + len(pixels))
        saturation[rows] = _saturation(pixels, glass)
        pen[rows] = is_ink(pixels.astype(np.float32))
    return saturation, pen


def _saturation(pixels: Pixels, glass: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the HSV saturation of colours relative to glass."""
    relative = np.minimum(pixels / glass.astype(np.float32), 1)
    high = relative.max(axis=-1)
    share = (high - relative.min(axis=-1)) / np.maximum(high, 1e-6)
    return np.rint(255 * share).astype(np.uint8)


def _find_blur(slide: Slide, tissue: TissueMask) -> tuple[NDArray[np.float64], int]:
    """Return the boxes of blurred windows and the number of examined windows."""
    scale = _WINDOW_SCALE if slide.mpp is None else _WINDOW_MPP / slide.mpp
    image = coarser_image(slide, scale)
    tops, lefts = (
        np.arange(0, length - _WINDOW + 1, _WINDOW) for length in image.shape
    )
    corners = np.stack(np.meshgrid(lefts, tops), axis=-1).reshape(-1, 2)
    boxes = np.hstack([corners, corners + _WINDOW]) * image.scale
    full = np.flatnonzero(tissue.covers(boxes, _MIN_TISSUE_OF_WINDOW))
    n_examined = min(len(full), _MAX_WINDOWS)
    examined = full[np.linspace(0, len(full) - 1, n_examined).round().astype(int)]
    is_blurred = [
        _is_blurred(image.read(top, left, _WINDOW, _WINDOW))
        for left, top in corners[examined]
    ]
    return boxes[examined[np.array(is_blurred, bool)]], n_examined


def _is_blurred(window: Pixels) -> bool:
    grey = to_grey(window[np.newaxis].astype(np.float32))
    return bool(sharpness(grey)[0] < MIN_SHARPNESS)
