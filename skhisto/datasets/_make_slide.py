"""Synthetic slides that look like haematoxylin and eosin."""

import os
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import Bunch, check_random_state
from sklearn.utils._param_validation import Interval, validate_params

from skhisto.datasets._slide_file import import_tifffile, write_pyramid
from skhisto.datasets._synthetic_slide import SyntheticSlide
from skhisto.slides._annotations import Annotations
from skhisto.slides._polygons import import_shapely

_SMALLEST = 128


@validate_params(
    {
        "shape": [tuple, list],
        "tumor_share": [Interval(Real, 0, 0.5, closed="both")],
        "mpp": [Interval(Real, 0.2, 2, closed="both")],
        "random_state": ["random_state"],
        "path": [str, os.PathLike, None],
    },
    prefer_skip_nested_validation=True,
)
def make_slide(
    shape: tuple[int, int] = (1024, 1024),
    *,
    tumor_share: float = 0.2,
    mpp: float = 0.97,
    random_state: int | np.random.RandomState | None = None,
    path: str | os.PathLike[str] | None = None,
) -> Bunch:
    """Generate a slide that looks like lymph node stained with H&E.

    One piece of tissue is surrounded by glass. It contains lymphocytes and round
    regions of tumour, with nuclei like those of `make_patches`. Each slide has its own
    staining.

    With `path`, the slide is written as a pyramidal TIFF file that OpenSlide can open.
    It is drawn and written row by row, so memory use depends only on the width.

    Parameters
    ----------
    shape : tuple of int (height, width), default=(1024, 1024)
        In pixels, at least 128.
    tumor_share : float, default=0.2
        Approximate share of the tissue that is tumour, from 0 to 0.5. It may be smaller
        on small slides, which have room for few regions.
    mpp : float, default=0.97
        Microns per pixel, from 0.2 to 2. Nuclei have more pixels at a finer resolution.
        The default is the resolution of PatchCamelyon and `make_patches`.
    random_state : int, RandomState instance or None, default=None
        Determines all random numbers. Pass an int for a reproducible slide.
    path : str, path-like or None, default=None
        The file to write, such as ``"slide.tif"``. An existing file is replaced.
        Compression is lossless. With None, no file is written and the pixels are
        returned.

    Returns
    -------
    slide : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the following attributes.

        image : ndarray of shape (height, width, 3), uint8
            RGB pixels. Only present without `path`.
        mask : ndarray of shape (height, width), bool
            Tissue inside tumour regions. Only present without `path`.
        path : str
            The file. Only present with `path`.
        annotations : Annotations
            One polygon of the class "Tumor" per region. The polygons cover the mask.
        mpp : float
            Microns per pixel.
        shape : tuple of int
            Height and width in pixels.

    Raises
    ------
    ImportError
        If shapely is not installed, or if `path` is given and tifffile is not
        installed. Both are in the extra ``slides``.
    InvalidParameterError
        If a parameter has the wrong type or value. It is a subclass of ValueError.
    ValueError
        If `shape` is not two integers of at least 128.
    FileNotFoundError
        If the folder of `path` does not exist.

    See Also
    --------
    make_patches : Generate patches with labels.

    Notes
    -----
    Random numbers depend on positions in the slide, not on the order in which blocks
    are drawn.

    Examples
    --------
    >>> from skhisto import make_slide
    >>> slide = make_slide((256, 384), random_state=0)
    >>> slide.image.shape, slide.mask.shape
    ((256, 384, 3), (256, 384))
    >>> slide.annotations.classes
    ['Tumor']
    """
    height, width = _check_shape(shape)
    shapely = import_shapely()
    rng = check_random_state(random_state)
    slide = SyntheticSlide(rng, (height, width), tumor_share, mpp)
    # The margin makes a polygon cover the pixels at its outline completely.
    outlines = [tumor.outline(margin=1) for tumor in slide.tumors]
    polygons = [shapely.Polygon(outline) for outline in outlines]
    result: dict[str, Any] = {
        "annotations": Annotations(polygons, ["Tumor"] * len(polygons)),
        "mpp": float(mpp),
        "shape": (height, width),
    }
    if path is not None:
        import_tifffile()
        rows = (pixels for pixels, _ in slide.rows())
        write_pyramid(path, (height, width), rows, mpp)
        return Bunch(path=os.fspath(path), **result)
    pixels, masks = zip(*slide.rows(), strict=True)
    return Bunch(image=np.vstack(pixels), mask=np.vstack(masks), **result)


def _check_shape(shape: tuple[int, int]) -> tuple[int, int]:
    is_valid = len(shape) == 2 and all(
        isinstance(length, Integral) and length >= _SMALLEST for length in shape
    )
    if not is_valid:
        raise ValueError(
            f"shape={shape!r}, but expected a height and a width of at least "
            f"{_SMALLEST} pixels."
        )
    return int(shape[0]), int(shape[1])
