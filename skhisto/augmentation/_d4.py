"""Random rotations by 90 degrees and flips."""

from dataclasses import dataclass

import numpy as np

from skhisto.augmentation._checks import check_batch
from skhisto.patches._views import SYMMETRIES, check_square, view


@dataclass(frozen=True)
class D4:
    """Show each patch from one of the eight sides of the square, drawn at random.

    Rotations by 0, 90, 180 and 270 degrees, with and without a flip, are drawn equally
    often. They move pixels without interpolation, and tissue has no right way up. The
    name is that of the group which they form, the symmetries of the square.

    It suits square patches of any dtype and number of channels.

    See Also
    --------
    StainJitter : Changes how strongly each patch is stained.
    BrightnessJitter : Makes each patch brighter or darker.

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

    __module__ = "skhisto"  # where users import it from, and pickles look for it

    def check(self, patch_shape: tuple[int, int, int], pixel_dtype: str) -> None:
        """Raise an error unless patches suit.

        Parameters
        ----------
        patch_shape : tuple of int (height, width, channels)
            Shape of each patch, in pixels.
        pixel_dtype : str
            Not used: any suits.

        Raises
        ------
        ValueError
            If the patches are not square.
        """
        check_square(patch_shape, "D4()")

    def __call__(
        self, patches: np.ndarray, random_state: int | np.random.Generator
    ) -> np.ndarray:
        """Show each patch from a side drawn at random.

        Parameters
        ----------
        patches : ndarray of shape (n, height, width, channels)
            Square patches of any dtype. They are left as they are.
        random_state : int or Generator
            Seed or source of the random numbers.

        Returns
        -------
        augmented : ndarray of shape (n, height, width, channels)
            New patches of the same dtype.

        Raises
        ------
        TypeError
            If `patches` is no NumPy array.
        ValueError
            If it has another number of axes, or the patches are not square.
        """
        check_batch(patches)
        self.check(patches.shape[1:], patches.dtype.name)
        views = SYMMETRIES["d4"]
        drawn = np.random.default_rng(random_state).choice(views, len(patches))
        augmented = np.empty_like(patches)
        for number in views:
            augmented[drawn == number] = view(patches[drawn == number], number)
        return augmented
