"""Random changes of the amount of stain."""

from dataclasses import dataclass

import numpy as np

from skhisto._stain.density import DENSITY_OF_UINT8, HE_STAINS, unit_length
from skhisto.augmentation._checks import check_batch, check_strength

# Density in (red, green, blue) of haematoxylin, eosin, and what neither explains.
_STAINS = np.vstack([HE_STAINS, unit_length(np.cross(*HE_STAINS))])
_UNMIXING = np.linalg.inv(_STAINS)


@dataclass(frozen=True)
class StainJitter:
    """Change how strongly each patch is stained with haematoxylin and eosin.

    Laboratories and scanners stain and see tissue differently. Each patch is split, in
    optical density, into the concentrations of haematoxylin, of eosin, and of what
    neither explains: the direction at right angles to both. Each concentration ``c``
    becomes ``alpha * c + beta``, with `alpha` and `beta` drawn for each patch and
    stain [1]_.

    It suits RGB patches of dtype uint8. White stays white if `shift` is 0, and a
    channel in which a pixel lets no light through stays 0.

    Parameters
    ----------
    scale : float, default=0.2
        `alpha` is uniform in ``[1 - scale, 1 + scale]``. From 0 to 1.
    shift : float, default=0.05
        `beta` is uniform in ``[-shift, shift]``, in units of decadic optical density:
        0.05 of eosin takes away 11 % of the green light. From 0 to 1.

    Raises
    ------
    ValueError
        If a parameter is no number from 0 to 1.

    See Also
    --------
    D4 : Rotates and flips patches.
    BrightnessJitter : Makes each patch brighter or darker.

    Notes
    -----
    Tellez et al. split colours into haematoxylin, eosin and DAB, a brown stain of
    immunohistochemistry. Patches stained with haematoxylin and eosin hold none, so the
    third direction here belongs to no stain. The vectors of the two stains are those
    of Ruifrok and Johnston.

    References
    ----------
    .. [1] D. Tellez et al., "Whole-Slide Mitosis Detection in H&E Breast Histology
       Using PHH3 as a Reference to Train Distilled Stain-Invariant Convolutional
       Networks", IEEE Transactions on Medical Imaging 37(9), 2126-2136, 2018.
       https://doi.org/10.1109/TMI.2018.2820199

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto import StainJitter
    >>> pink = np.full((2, 32, 32, 3), (230, 150, 200), dtype=np.uint8)
    >>> jittered = StainJitter()(pink, random_state=0)
    >>> jittered[:, 0, 0].tolist()
    [[223, 144, 201], [212, 126, 211]]
    >>> np.array_equal(StainJitter(scale=0, shift=0)(pink, random_state=0), pink)
    True
    """

    __module__ = "skhisto"  # where users import it from, and pickles look for it

    scale: float = 0.2
    shift: float = 0.05

    def __post_init__(self) -> None:
        check_strength("scale", self.scale)
        check_strength("shift", self.shift)

    def check(self, patch_shape: tuple[int, int, int], pixel_dtype: str) -> None:
        """Raise an error unless patches suit.

        Parameters
        ----------
        patch_shape : tuple of int (height, width, channels)
            Shape of each patch, in pixels.
        pixel_dtype : str
            Dtype of the pixels.

        Raises
        ------
        ValueError
            If the patches are not RGB of dtype uint8.
        """
        n_channels = patch_shape[2]
        if n_channels != 3 or pixel_dtype != "uint8":
            raise ValueError(
                "StainJitter needs RGB patches of dtype uint8, with 3 channels from 0 "
                f"to 255, but these have {n_channels} channel(s) and are taken as "
                f"{pixel_dtype}: give pixels as they were read, or do without 'stain' "
                "in augment."
            )

    def __call__(
        self, patches: np.ndarray, random_state: int | np.random.Generator
    ) -> np.ndarray:
        """Stain each patch more or less strongly.

        Parameters
        ----------
        patches : ndarray of shape (n, height, width, 3), uint8
            RGB patches. They are left as they are.
        random_state : int or Generator
            Seed or source of the random numbers.

        Returns
        -------
        augmented : ndarray of shape (n, height, width, 3), uint8
            New patches.

        Raises
        ------
        TypeError
            If `patches` is no NumPy array.
        ValueError
            If it has another number of axes, or the patches are not RGB of dtype
            uint8.
        """
        check_batch(patches)
        self.check(patches.shape[1:], patches.dtype.name)
        rng = np.random.default_rng(random_state)
        n_patches = len(patches)
        alpha = rng.uniform(1 - self.scale, 1 + self.scale, (n_patches, 1, 3))
        beta = rng.uniform(-self.shift, self.shift, (n_patches, 1, 3))
        gain = (_UNMIXING * (alpha - 1)) @ _STAINS
        offset = beta @ _STAINS
        return _add_density(patches, gain.astype("f4"), offset.astype("f4"))


def _add_density(
    patches: np.ndarray, gain: np.ndarray, offset: np.ndarray
) -> np.ndarray:
    """Add ``density @ gain + offset`` to the density of each patch.

    As a factor on the intensities: adding nothing changes no bit, and black, whose
    density is not known, stays black. In place, as most of the time goes into memory.
    """
    n_patches, height, width, _ = patches.shape
    added = DENSITY_OF_UINT8[patches].reshape(n_patches, height * width, 3) @ gain
    added += offset
    added *= -np.log(np.float32(10))
    intensity = np.exp(added, out=added).reshape(patches.shape)
    intensity *= patches
    np.rint(intensity, out=intensity)
    np.minimum(intensity, 255, out=intensity)
    return intensity.astype(np.uint8)
