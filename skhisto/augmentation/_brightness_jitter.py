"""Random changes of brightness."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skhisto.augmentation._base import Augmentation


class BrightnessJitter(Augmentation):
    """Make each patch brighter or darker at random.

    This simulates a different lamp or exposure. All intensities of a patch are
    multiplied by the same factor, rounded, and clipped to the range of the dtype. Each
    patch has its own factor.

    The dtype of the patches must be uint8 or uint16. They may have any number of
    channels.

    Parameters
    ----------
    strength : float, default=0.1
        Half-width of the range of the factor, in [0, 1]. The factor is drawn uniformly
        from ``[1 - strength, 1 + strength]``.

    See Also
    --------
    D4 : Rotates and flips patches.
    StainJitter : Changes the stain concentrations of patches.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto import BrightnessJitter
    >>> grey = np.full((3, 32, 32, 1), 100, dtype=np.uint8)
    >>> BrightnessJitter(strength=0.1)(grey, random_state=0)[:, 0, 0, 0]
    array([103,  95,  91], dtype=uint8)
    """

    __module__ = "skhisto"  # the name that pickles and skops files store

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "strength": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, *, strength: float = 0.1) -> None:
        self.strength = strength

    def augment(self, patches: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Multiply the intensities of each patch by a random factor.

        Parameters
        ----------
        patches : ndarray of shape (n, height, width, channels), uint8 or uint16
            The patches. They are not modified.
        rng : numpy.random.Generator
            Source of the random numbers.

        Returns
        -------
        augmented : ndarray of shape (n, height, width, channels)
            New patches of the same dtype.
        """
        factor = rng.uniform(
            1 - self.strength, 1 + self.strength, (len(patches), 1, 1, 1)
        )
        intensity = np.rint(patches * factor.astype(np.float32))
        white = np.iinfo(patches.dtype).max
        return np.minimum(intensity, white).astype(patches.dtype)

    def check_patches(
        self, patch_shape: tuple[int, int, int], pixel_dtype: str
    ) -> None:
        """Raise an error if the dtype is neither uint8 nor uint16.

        Parameters
        ----------
        patch_shape : tuple of int (height, width, channels)
            Ignored.
        pixel_dtype : str
            Dtype of the pixels.

        Raises
        ------
        ValueError
            If the dtype is neither uint8 nor uint16.
        """
        if pixel_dtype not in ("uint8", "uint16"):
            raise ValueError(
                "BrightnessJitter needs patches of dtype uint8 or uint16, for which "
                "black and white are defined, but the pixels are treated as "
                f"{pixel_dtype}. Pass the original pixels without scaling, or remove "
                "the brightness augmentation from augment."
            )
