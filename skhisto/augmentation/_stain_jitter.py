"""Random changes of stain concentrations."""

from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval

from skhisto._stain.density import DENSITY_OF_UINT8, HE_STAINS, unit_length
from skhisto.augmentation._base import Augmentation

# Optical density in (red, green, blue) of haematoxylin, eosin, and the residual.
_STAINS = np.vstack([HE_STAINS, unit_length(np.cross(*HE_STAINS))])
_UNMIXING = np.linalg.inv(_STAINS)


class StainJitter(Augmentation):
    """Change the concentrations of haematoxylin and eosin in each patch at random.

    This simulates the differences between laboratories and between scanners. The
    optical density of each pixel is decomposed into the concentrations of haematoxylin,
    eosin, and a residual, which is orthogonal to both. Each concentration ``c`` becomes
    ``alpha * c + beta``. `alpha` and `beta` are drawn for each patch and each
    concentration [1]_.

    The patches must be RGB patches of dtype uint8. Intensities of 0 stay 0. If `shift`
    is 0, white stays white.

    Parameters
    ----------
    scale : float, default=0.2
        Half-width of the range of `alpha`, in [0, 1]. `alpha` is drawn uniformly from
        ``[1 - scale, 1 + scale]``.
    shift : float, default=0.05
        Half-width of the range of `beta`, in [0, 1], in units of decadic optical
        density. `beta` is drawn uniformly from ``[-shift, shift]``. A shift of 0.05 in
        eosin absorbs 11 % of the green light.

    See Also
    --------
    D4 : Rotates and flips patches.
    BrightnessJitter : Changes the brightness of patches.

    Notes
    -----
    Tellez et al. decompose colours into haematoxylin, eosin and DAB, a brown stain for
    immunohistochemistry. Patches stained with haematoxylin and eosin contain no DAB,
    and the residual replaces it here. The stain vectors were measured by Ruifrok and
    Johnston.

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

    __module__ = "skhisto"  # the name that pickles and skops files store

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {
        "scale": [Interval(Real, 0, 1, closed="both")],
        "shift": [Interval(Real, 0, 1, closed="both")],
    }

    def __init__(self, *, scale: float = 0.2, shift: float = 0.05) -> None:
        self.scale = scale
        self.shift = shift

    def augment(self, patches: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Change the concentrations in each patch.

        Parameters
        ----------
        patches : ndarray of shape (n, height, width, 3), uint8
            RGB patches. They are not modified.
        rng : numpy.random.Generator
            Source of the random numbers.

        Returns
        -------
        augmented : ndarray of shape (n, height, width, 3), uint8
            New patches.
        """
        n_patches = len(patches)
        alpha = rng.uniform(1 - self.scale, 1 + self.scale, (n_patches, 1, 3))
        beta = rng.uniform(-self.shift, self.shift, (n_patches, 1, 3))
        gain = (_UNMIXING * (alpha - 1)) @ _STAINS
        offset = beta @ _STAINS
        return _add_density(patches, gain.astype("f4"), offset.astype("f4"))

    def check_patches(
        self, patch_shape: tuple[int, int, int], pixel_dtype: str
    ) -> None:
        """Raise an error if the patches are not RGB patches of dtype uint8.

        Parameters
        ----------
        patch_shape : tuple of int (height, width, channels)
            Shape of the patches, in pixels.
        pixel_dtype : str
            Dtype of the pixels.

        Raises
        ------
        ValueError
            If the number of channels is not 3 or the dtype is not uint8.
        """
        n_channels = patch_shape[2]
        if n_channels != 3 or pixel_dtype != "uint8":
            raise ValueError(
                "StainJitter needs RGB patches of dtype uint8 (3 channels, 0 to 255), "
                f"but these have {n_channels} channel(s) and are treated as "
                f"{pixel_dtype}. Pass the original RGB pixels without scaling, or "
                "remove the stain augmentation from augment."
            )


def _add_density(
    patches: np.ndarray, gain: np.ndarray, offset: np.ndarray
) -> np.ndarray:
    """Add ``density @ gain + offset`` to the density of each patch.

    The added density is applied as a factor on the intensities. As a result, adding
    zero changes no bit. Black stays black, although its density is unknown. Operations
    are in place, because memory access takes most of the time.
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
