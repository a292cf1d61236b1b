"""The warning about networks whose size depends on the size of the patches."""

import warnings
from collections.abc import Mapping

import numpy as np

MAX_PARAMETERS = 10_000_000
"""Networks with more parameters cause the warning if one layer has most of them."""


def warn_if_large(
    weights: Mapping[str, np.ndarray], patch_shape: tuple[int, int, int]
) -> None:
    """Warn if most parameters of a large network are in one layer.

    This layer is the dense layer after a flattened image. Its number of parameters
    increases with the area of the patches. In other large networks, such as a ResNet,
    the parameters are distributed over many layers.

    Warns
    -----
    UserWarning
        If one layer contains most of more than `MAX_PARAMETERS` parameters.
    """
    sizes = [weight.size for weight in weights.values()]
    n_parameters, n_largest = sum(sizes), max(sizes, default=0)
    if n_parameters <= MAX_PARAMETERS or 2 * n_largest <= n_parameters:
        return
    height, width, _ = patch_shape
    warnings.warn(
        f"The network has {n_parameters:,} parameters for patches of {height}x{width} "
        f"pixels, and {n_largest:,} of them are in one layer. The size of this layer "
        "increases with the area of the patches. Training needs a lot of memory and "
        "many patches. Alternatives: use architecture='compact', whose size does not "
        "depend on the patches. Add Resize or CenterCrop before the classifier. Or cut "
        "each large patch into several small ones.",
        UserWarning,
        stacklevel=2,
    )
