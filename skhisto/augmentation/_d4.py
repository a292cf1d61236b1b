"""Random rotations by multiples of 90 degrees, and flips."""

import numpy as np

from skhisto.augmentation._base import Augmentation
from skhisto.patches._views import SYMMETRIES, check_square, view


class D4(Augmentation):
    """Rotate and flip each patch at random.

    Each patch becomes one of the eight views of the square: a rotation by 0, 90, 180 or
    270 degrees, with or without a flip. All views are equally likely. Pixels are not
    interpolated. Tissue has no preferred orientation, so all views are equally valid.
    These views form the dihedral group D4.

    The patches must be square. They may have any dtype and any number of channels.

    See Also
    --------
    StainJitter : Changes the stain concentrations of patches.
    BrightnessJitter : Changes the brightness of patches.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto import D4
    >>> patches = np.arange(8, dtype=np.uint8).reshape(2, 2, 2, 1)
    >>> seen = D4()(patches, random_state=0)
    >>> seen[..., 0]
    array([[[2, 3],
            [0, 1]],
    <BLANKLINE>
           [[4, 6],
            [5, 7]]], dtype=uint8)
    """

    __module__ = "skhisto"  # the name that pickles and skops files store

    def augment(self, patches: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Replace each patch by one of its eight views.

        Parameters
        ----------
        patches : ndarray of shape (n, size, size, channels)
            Square patches of any dtype. They are not modified.
        rng : numpy.random.Generator
            Source of the random numbers.

        Returns
        -------
        augmented : ndarray of shape (n, size, size, channels)
            New patches of the same dtype.
        """
        views = SYMMETRIES["d4"]
        drawn = rng.choice(views, len(patches))
        augmented = np.empty_like(patches)
        for number in views:
            augmented[drawn == number] = view(patches[drawn == number], number)
        return augmented

    def check_patches(
        self, patch_shape: tuple[int, int, int], pixel_dtype: str
    ) -> None:
        """Raise an error if the patches are not square.

        Parameters
        ----------
        patch_shape : tuple of int (height, width, channels)
            Shape of the patches, in pixels.
        pixel_dtype : str
            Ignored.

        Raises
        ------
        ValueError
            If the height and the width differ.
        """
        check_square(patch_shape, "D4()")
