"""Which cells of a map are scored."""

from typing import Any

import numpy as np

from skhisto.maps._image import MappedImage
from skhisto.slides import WindowGrid


def wanted_cells(image: MappedImage, grid: WindowGrid, mask: Any) -> np.ndarray:
    """Return which cells to score, bool of shape (n_rows, n_columns)."""
    if mask is None:
        return np.ones(grid.shape, bool)
    raise NotImplementedError
