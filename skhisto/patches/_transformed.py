"""A source of patches that applies a function to other patches."""

from collections.abc import Callable, Iterator

import numpy as np

from skhisto.patches._patch_array import PatchArray, Window

PatchFunction = Callable[..., np.ndarray]

# About 50 patches of 96x96 pixels. Their planes of floats need a few dozen MB at most.
_PIXELS_PER_CHUNK = 2**19


class TransformedPatches:
    """Patches to which a function is applied when they are read.

    The function gets whole patches, and the window is cut from its output. Cropping
    this source therefore equals cropping the output of the function.

    Parameters
    ----------
    patches : PatchArray
        The input patches.
    function : callable
        Takes an array of patches of shape (n, height, width, n_channels) and returns a
        new array of the same dtype and number of channels. Each output patch must
        depend only on the same input patch. To be picklable, it must be a module-level
        function or a `functools.partial` of one.
    arguments : ndarray of shape (n_patches, ...), optional
        A second argument of the function, with one row per patch.
    size : tuple of int (height, width), default=None
        Size of the output of the function in pixels. None means the size of its input.
    """

    def __init__(
        self,
        patches: PatchArray,
        function: PatchFunction,
        arguments: np.ndarray | None = None,
        size: tuple[int, int] | None = None,
    ) -> None:
        self.patches = patches
        self.function = function
        self.arguments = arguments
        self.size = patches.shape[1:3] if size is None else size

    def __repr__(self) -> str:
        return f"TransformedPatches({self.patches}, {self.function})"

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of patches, height and width in pixels, number of channels."""
        return (len(self.patches), *self.size, self.patches.shape[3])

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        return self.patches.dtype

    @property
    def groups(self) -> np.ndarray | None:
        """The group of each patch, or None."""
        return self.patches.groups

    @property
    def coords(self) -> np.ndarray | None:
        """X and y of each patch on its slide, or None."""
        return self.patches.coords

    def read(self, rows: np.ndarray, window: Window) -> np.ndarray:
        """Decode some patches, apply the function and cut the window.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            Patch numbers, integers from 0, in any order. Numbers may repeat.
        window : tuple of slice (rows, columns)
            The part of each patch to return.

        Returns
        -------
        patches : ndarray of shape (n_rows, height, width, n_channels)
            The pixels of the window.
        """
        arguments = None if self.arguments is None else self.arguments[rows]
        return map_in_chunks(
            self.function, self.patches[rows], window, arguments, self.size
        )


def map_in_chunks(
    function: PatchFunction,
    patches: np.ndarray | PatchArray,
    window: Window = (slice(None), slice(None)),
    arguments: np.ndarray | None = None,
    size: tuple[int, int] | None = None,
) -> np.ndarray:
    """Apply a function to a few patches at a time to limit memory.

    Parameters
    ----------
    function : callable
        See :class:`TransformedPatches`.
    patches : ndarray or PatchArray of shape (n_patches, height, width, n_channels)
        The input patches. They are not changed.
    window : tuple of slice (rows, columns), default=everything
        The part of each output patch to keep.
    arguments : ndarray of shape (n_patches, ...), optional
        See :class:`TransformedPatches`.
    size : tuple of int (height, width), default=None
        See :class:`TransformedPatches`.

    Returns
    -------
    mapped : ndarray
        A new array with the size of the window and the dtype of the patches.
    """
    n_patches, height, width, n_channels = patches.shape
    sides = (height, width) if size is None else size
    rows, columns = (range(n)[w] for n, w in zip(sides, window, strict=True))
    shape = (n_patches, len(rows), len(columns), n_channels)
    mapped = np.empty(shape, patches.dtype)
    for part in chunks(patches):
        further = () if arguments is None else (arguments[part],)
        changed = function(np.asarray(patches[part]), *further)
        mapped[part] = changed[:, window[0], window[1]]
    return mapped


def chunks(patches: np.ndarray | PatchArray) -> Iterator[slice]:
    """Return slices of a few patches that together cover all patches."""
    n_patches, height, width, _ = patches.shape
    step = max(1, _PIXELS_PER_CHUNK // (height * width))
    return (slice(start, start + step) for start in range(0, n_patches, step))
