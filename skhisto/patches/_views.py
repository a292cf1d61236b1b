"""The eight views of a square: rotations by 90 degrees and flips.

Views 0 to 3 are rotations by 0, 90, 180 and 270 degrees counter-clockwise, as in
`numpy.rot90`. Views 4 to 7 are the same rotations of the image flipped left-right.
"""

import numpy as np

SYMMETRIES: dict[str, tuple[int, ...]] = {
    "c4": (0, 1, 2, 3),
    "d4": (0, 1, 2, 3, 4, 5, 6, 7),
}
"""Numbers of the views in each group. "c4" has the rotations, "d4" has all views."""


def view(
    patches: np.ndarray, number: int, axes: tuple[int, int] = (1, 2)
) -> np.ndarray:
    """Return one of the eight views of patches.

    Parameters
    ----------
    patches : ndarray of shape (n, height, width, ...)
        Patches or maps of patches, of any dtype.
    number : int
        Number of the view, 0 to 7.
    axes : tuple of int, default=(1, 2)
        Axes of height and width.

    Returns
    -------
    seen : ndarray of shape (n, height, width, ...)
        The same values in other positions, as a NumPy view of `patches`. Odd numbers
        swap height and width.
    """
    flipped = np.flip(patches, axis=axes[1]) if number >= 4 else patches
    return np.rot90(flipped, k=number % 4, axes=axes)


def compose(first: int, second: int) -> int:
    """Return the view that equals two consecutive views.

    ``view(patches, compose(first, second))`` equals
    ``view(view(patches, first), second)``.
    """
    # A flip reverses the direction of earlier rotations.
    rotation = second - first if second >= 4 else second + first
    flip = (first >= 4) != (second >= 4)
    return rotation % 4 + 4 * flip


def inverse(number: int) -> int:
    """Return the inverse of a view. Flipped views are their own inverse."""
    return number if number >= 4 else -number % 4


def check_square(patch_shape: tuple[int, int, int], what: str) -> None:
    """Raise a ValueError unless patches are square.

    Parameters
    ----------
    patch_shape : tuple of int (height, width, channels)
    what : str
        The reason for the message, such as ``"tta='d4'"``.
    """
    height, width, _ = patch_shape
    if height != width:
        raise ValueError(
            f"{what} rotates patches by 90 degrees and needs square patches, but "
            f"they are {height}x{width} pixels (height x width). Crop them with "
            f"CenterCrop({min(height, width)}), or turn off the rotation."
        )
