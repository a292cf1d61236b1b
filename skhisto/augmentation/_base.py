"""The base class of augmentations."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np

from skhisto._value_object import ValueObject


class Augmentation(ValueObject, ABC):
    """Base class of augmentations: objects that change patches at random.

    An augmentation is a function of a batch of patches and a random state, with
    parameters that scikit-learn can read, set, clone and search. To add one:

    1. Write a subclass in a new file. Its constructor takes keyword-only parameters and
       only assigns them. `_parameter_constraints` describes their valid values in the
       form of scikit-learn's parameter validation.
    2. Implement `augment`.
    3. If it cannot process all patches, implement `check_patches`.
    4. To give it a name, add it to the table in ``skhisto/augmentation/_augment.py``.

    Parameters are validated when the augmentation is used. The classifier calls `check`
    once before training, and the augmentation itself for each batch.

    See Also
    --------
    D4 : Rotates and flips patches.
    StainJitter : Changes the stain concentrations of patches.
    BrightnessJitter : Changes the brightness of patches.

    Examples
    --------
    >>> import numpy as np
    >>> from numbers import Real
    >>> from sklearn.utils._param_validation import Interval
    >>> from skhisto import PatchCNNClassifier
    >>> from skhisto.augmentation import Augmentation
    >>> class Invert(Augmentation):
    ...     _parameter_constraints = {"rate": [Interval(Real, 0, 1, closed="both")]}
    ...
    ...     def __init__(self, *, rate=0.5):
    ...         self.rate = rate
    ...
    ...     def augment(self, patches, rng):
    ...         inverted = rng.random((len(patches), 1, 1, 1)) < self.rate
    ...         white = np.iinfo(patches.dtype).max
    ...         return np.where(inverted, white - patches, patches)
    ...
    ...     def check_patches(self, patch_shape, pixel_dtype):
    ...         if pixel_dtype not in ("uint8", "uint16"):
    ...             raise ValueError(f"Invert needs integer pixels. Got {pixel_dtype}.")
    >>> black = np.zeros((4, 2, 2, 1), dtype=np.uint8)
    >>> Invert()(black, random_state=0)[:, 0, 0, 0]
    array([  0, 255, 255, 255], dtype=uint8)
    >>> clf = PatchCNNClassifier(augment=Invert())
    >>> clf.set_params(augment__rate=0.1).augment
    Invert(rate=0.1)
    """

    __module__ = "skhisto.augmentation"

    _parameter_constraints: ClassVar[dict[str, list[Any]]] = {}

    def check(self, patch_shape: tuple[int, int, int], pixel_dtype: str) -> None:
        """Raise an error if a parameter is invalid or the patches are unsupported.

        Parameters
        ----------
        patch_shape : tuple of int (height, width, channels)
            Shape of the patches, in pixels.
        pixel_dtype : str
            Dtype of the pixels, such as "uint8".

        Raises
        ------
        ValueError
            If a parameter is invalid, or if the augmentation cannot process patches of
            this shape and dtype.
        """
        self._validate_params()
        self.check_patches(patch_shape, pixel_dtype)

    def __call__(
        self, patches: np.ndarray, random_state: int | np.random.Generator
    ) -> np.ndarray:
        """Check the parameters and the patches, and change the patches at random.

        Parameters
        ----------
        patches : ndarray of shape (n, height, width, channels)
            The patches. They are not modified.
        random_state : int or numpy.random.Generator
            Seed, or source of the random numbers. A generator advances.

        Returns
        -------
        augmented : ndarray of shape (n, height, width, channels)
            New patches of the same dtype.

        Raises
        ------
        TypeError
            If `patches` is not a NumPy array.
        ValueError
            If `patches` does not have four axes, or if `check` raises an error.
        """
        _check_batch(patches)
        self.check(patches.shape[1:], patches.dtype.name)
        return self.augment(patches, np.random.default_rng(random_state))

    @abstractmethod
    def augment(self, patches: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Change checked patches at random.

        Parameters
        ----------
        patches : ndarray of shape (n, height, width, channels)
            The patches. They must not be modified.
        rng : numpy.random.Generator
            Source of all random numbers.

        Returns
        -------
        augmented : ndarray of shape (n, height, width, channels)
            New patches of the same dtype.
        """

    def check_patches(
        self, patch_shape: tuple[int, int, int], pixel_dtype: str
    ) -> None:
        """Raise an error if the augmentation cannot process the patches.

        By default, all patches are accepted.

        Parameters
        ----------
        patch_shape : tuple of int (height, width, channels)
            Shape of the patches, in pixels.
        pixel_dtype : str
            Dtype of the pixels, such as "uint8".

        Raises
        ------
        ValueError
            If the shape or the dtype is not supported.
        """


def _check_batch(patches: Any) -> None:
    if not isinstance(patches, np.ndarray):
        raise TypeError(
            "Augmentations need patches as a NumPy array; got an object of type "
            f"{type(patches).__name__}. Pass np.asarray(patches)."
        )
    if patches.ndim != 4:
        raise ValueError(
            "Augmentations need patches of shape (n, height, width, channels); got "
            f"shape {patches.shape}. Pass patches[..., None] for grey patches, or "
            "patch[None] for a single patch."
        )
