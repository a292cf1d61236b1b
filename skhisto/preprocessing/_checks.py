"""What transformers of patches accept."""

from typing import Any

import numpy as np
from sklearn.utils import check_array


def check_patches(X: Any) -> np.ndarray:
    """Return patches as an array, or raise a ValueError that says what is wrong."""
    if isinstance(X, (list, tuple)):
        shapes = sorted({np.shape(patch) for patch in X})
        if len(shapes) > 1:
            raise ValueError(
                "All patches must have the same shape, but the list has patches of "
                f"shapes {', '.join(map(str, shapes[:10]))}."
            )
    X = check_array(
        X, dtype=None, ensure_2d=False, allow_nd=True, ensure_all_finite=False
    )
    if X.ndim not in (3, 4) or X.dtype.kind not in "buif" or 0 in X.shape:
        raise ValueError(
            "Patches must be numbers of shape (n_patches, height, width, n_channels) "
            "or, if grey, (n_patches, height, width), all at least 1. Got shape "
            f"{X.shape} and dtype {X.dtype}."
        )
    return X
