"""Selection of the cells of a map to score."""

from typing import Any

import numpy as np

from skhisto.maps._image import MappedImage
from skhisto.slides import WindowGrid
from skhisto.slides._tissue import as_tissue_mask

_CELLS_AT_A_TIME = 2**18


def wanted_cells(image: MappedImage, grid: WindowGrid, mask: Any) -> np.ndarray:
    """Return which cells to score.

    Parameters
    ----------
    image : MappedImage
    grid : WindowGrid
    mask : "tissue", None, TissueMask or ndarray of bool
        None scores all cells.

    Returns
    -------
    wanted : ndarray of bool of shape (n_rows, n_columns)

    Raises
    ------
    ValueError
        If `mask` has another type, or if it is not None and the image is not RGB.
    """
    if mask is None:
        return np.ones(grid.shape, bool)
    if image.slide is None:
        raise ValueError(
            f"A mask needs an RGB image, but the array has {image.shape[2]} "
            "channel(s). Pass mask=None to score all cells."
        )
    tissue = as_tissue_mask(mask, image.slide)
    assert tissue is not None
    n_rows, n_columns = grid.shape
    step = max(1, _CELLS_AT_A_TIME // n_columns)
    parts = [range(n_rows)[start : start + step] for start in range(0, n_rows, step)]
    covered = [tissue.covers(_boxes(grid, rows, image.scale)) for rows in parts]
    return np.concatenate(covered).reshape(grid.shape)


def _boxes(grid: WindowGrid, rows: range, scale: float) -> np.ndarray:
    """Return minx, miny, maxx and maxy of cells in level-0 pixels."""
    top, left = grid.cell_origin
    minx = np.tile(left + grid.stride * np.arange(grid.shape[1]), len(rows))
    miny = np.repeat(top + grid.stride * np.array(rows), grid.shape[1])
    return scale * np.column_stack([minx, miny, minx + grid.stride, miny + grid.stride])
