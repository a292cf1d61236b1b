"""The warning on networks that are very large because their patches are."""

import warnings
from collections.abc import Mapping

import numpy as np

MAX_PARAMETERS = 10_000_000
"""A network with more parameters is large if one layer has more than half of them."""


def warn_if_large(
    weights: Mapping[str, np.ndarray], patch_shape: tuple[int, int, int]
) -> None:
    """Warn if most parameters of a large network are in one matrix.

    That is the dense layer behind a flattened image, whose number of parameters grows
    with the area of the patches. Large networks of another kind, such as a ResNet, have
    their parameters in many layers.

    Warns
    -----
    UserWarning
    """
    sizes = [weight.size for weight in weights.values()]
    n_parameters, n_largest = sum(sizes), max(sizes, default=0)
    if n_parameters <= MAX_PARAMETERS or 2 * n_largest <= n_parameters:
        return
    height, width, _ = patch_shape
    warnings.warn(
        f"The network has {n_parameters:,} parameters for patches of {height}x{width} "
        f"pixels, and {n_largest:,} of them are in one layer, whose size grows with "
        "the area of the patches. It needs much memory and many patches. Alternatives "
        "are architecture='compact', whose size does not depend on the patches, "
        "smaller patches (Resize or CenterCrop as a step before the classifier), or "
        "several small patches cut from each large one.",
        UserWarning,
        stacklevel=2,
    )
