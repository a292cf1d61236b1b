"""Random changes of brightness."""

from dataclasses import dataclass

import numpy as np

from skhisto.augmentation._checks import check_batch, check_strength


@dataclass(frozen=True)
class BrightnessJitter:
    """Make each patch brighter or darker, as another lamp or exposure would.

    All intensities of a patch are multiplied by one factor, drawn for each patch,
    rounded, and clipped to what the dtype holds.

    It suits patches of dtype uint8 or uint16 with any number of channels.

    Parameters
    ----------
    strength : float, default=0.1
        The factor is uniform in ``[1 - strength, 1 + strength]``. From 0 to 1.

    Raises
    ------
    ValueError
        If `strength` is no number from 0 to 1.

    See Also
    --------
    D4 : Rotates and flips patches.
    StainJitter : Changes how strongly each patch is stained.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto import BrightnessJitter
    >>> grey = np.full((3, 32, 32, 1), 100, dtype=np.uint8)
    >>> BrightnessJitter(strength=0.1)(grey, random_state=0)[:, 0, 0, 0]
    array([103,  95,  91], dtype=uint8)
    """

    __module__ = "skhisto"  # where users import it from, and pickles look for it

    strength: float = 0.1

    def __post_init__(self) -> None:
        check_strength("strength", self.strength)

    def check(self, patch_shape: tuple[int, int, int], pixel_dtype: str) -> None:
        """Raise an error unless patches suit.

        Parameters
        ----------
        patch_shape : tuple of int (height, width, channels)
            Not used: any suits.
        pixel_dtype : str
            Dtype of the pixels.

        Raises
        ------
        ValueError
            If the pixels are neither uint8 nor uint16.
        """
        if pixel_dtype not in ("uint8", "uint16"):
            raise ValueError(
                "BrightnessJitter needs patches of dtype uint8 or uint16, in which 0 "
                "is black and the largest number white, but these are taken as "
                f"{pixel_dtype}: give pixels as they were read, or do without "
                "'brightness' in augment."
            )

    def __call__(
        self, patches: np.ndarray, random_state: int | np.random.Generator
    ) -> np.ndarray:
        """Make each patch brighter or darker.

        Parameters
        ----------
        patches : ndarray of shape (n, height, width, channels), uint8 or uint16
            The patches. They are left as they are.
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
            If it has another number of axes, or the pixels are neither uint8 nor
            uint16.
        """
        check_batch(patches)
        self.check(patches.shape[1:], patches.dtype.name)
        rng = np.random.default_rng(random_state)
        factor = rng.uniform(
            1 - self.strength, 1 + self.strength, (len(patches), 1, 1, 1)
        )
        intensity = np.rint(patches * factor.astype(np.float32))
        white = np.iinfo(patches.dtype).max
        return np.minimum(intensity, white).astype(patches.dtype)
