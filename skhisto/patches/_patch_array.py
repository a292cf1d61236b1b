"""A stack of patches that is decoded only when indexed."""

import copy as copying
from collections.abc import Iterator
from numbers import Integral
from typing import Any, Protocol

import numpy as np

Window = tuple[slice, slice]


class PatchSource(Protocol):
    """Where a :class:`PatchArray` gets its pixels from."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of patches, height and width in pixels, number of channels."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""

    def read(self, rows: np.ndarray, window: Window) -> np.ndarray:
        """Decode the window (rows, columns) of some patches, in the order asked for.

        Returns an array of shape (len(rows), height, width, n_channels). The row
        numbers are integers from 0, may repeat, and may be none at all. Fits and
        predictions read in a thread of their own, one batch after another.
        """


class PatchArray:
    """A stack of patches that is decoded only when indexed.

    It looks like a NumPy array of shape (n_patches, height, width, n_channels) to
    scikit-learn's splitters and meta-estimators, but holds only the row numbers of the
    patches: taking rows or cropping costs no decoding.

    - ``X[3]`` decodes one patch, an array of shape (height, width, n_channels);
    - ``X[2:5]``, ``X[mask]`` and ``X[[4, 0]]`` are again a PatchArray;
    - ``numpy.asarray(X)`` decodes all of it.

    A PatchArray never changes, and decoded pixels are not kept: asking twice decodes
    twice.

    Parameters
    ----------
    source : object
        Where the pixels come from: an object with `shape`, `dtype` and a method
        ``read(rows, window)``. ``PatchLoader(lazy=True)`` makes one of image files.

    See Also
    --------
    PatchLoader : Turns file names into patches.
    CenterCrop : Crops patches, and a PatchArray without decoding it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from PIL import Image
    >>> from skhisto.preprocessing import PatchLoader
    >>> folder = tempfile.TemporaryDirectory()
    >>> for name in ["a", "b", "c"]:
    ...     Image.new("RGB", (96, 96)).save(Path(folder.name, name + ".png"))
    >>> loader = PatchLoader(root=folder.name, suffix=".png", lazy=True)
    >>> X = loader.transform(["a", "b", "c"])
    >>> X.shape, X.dtype
    ((3, 96, 96, 3), dtype('uint8'))
    >>> X[1:].shape
    (2, 96, 96, 3)
    >>> type(X[0])
    <class 'numpy.ndarray'>
    >>> np.asarray(X.center_crop(32)).shape
    (3, 32, 32, 3)
    >>> folder.cleanup()
    """

    __module__ = "skhisto"  # where users import it from, and pickles look for it

    def __init__(self, source: PatchSource) -> None:
        n_patches, height, width, _ = source.shape
        self._source = source
        self._rows = np.arange(n_patches)
        self._window = (slice(0, height), slice(0, width))

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of patches, height and width in pixels, number of channels."""
        height, width = (side.stop - side.start for side in self._window)
        return (len(self._rows), height, width, self._source.shape[3])

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""
        return self._source.dtype

    @property
    def ndim(self) -> int:
        """Number of dimensions, always 4."""
        return 4

    @property
    def size(self) -> int:
        """Number of values in all patches."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Memory in bytes that the decoded patches would take."""
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        return (
            f"PatchArray(shape={self.shape}, dtype={self.dtype}, source={self._source})"
        )

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, key: Any) -> Any:
        rows = self._rows[_row_key(key)]
        if rows.ndim == 0:
            return self._source.read(rows.reshape(1), self._window)[0]
        if rows.ndim > 1:
            raise IndexError(
                "A PatchArray takes one integer, or a slice, mask or array of integers "
                f"with one dimension; this key would give {rows.ndim + 3} dimensions. "
                "Use np.asarray(X) to decode the patches first."
            )
        taken = copying.copy(self)
        taken._rows = rows
        return taken

    def __array__(
        self, dtype: np.dtype | None = None, copy: bool | None = None
    ) -> np.ndarray:
        if copy is False:
            raise ValueError(
                "A PatchArray cannot be turned into an array without a copy: its "
                "patches are decoded when asked for."
            )
        patches = self._source.read(self._rows, self._window)
        return patches if dtype is None else patches.astype(dtype, copy=False)

    def center_crop(self, size: int | tuple[int, int]) -> "PatchArray":
        """Crop the centre of each patch, without decoding any.

        Parameters
        ----------
        size : int or tuple of int (height, width)
            Size of the crop in pixels; an int stands for a square.

        Returns
        -------
        cropped : PatchArray of shape (n_patches, height, width, n_channels)
            The same patches, of which only the centre will be decoded or kept.

        Raises
        ------
        ValueError
            If the size is not one or two positive integers, or larger than the patches.
        """
        old = self._window
        new = center_window(self.shape[1], self.shape[2], size)
        cropped = copying.copy(self)
        cropped._window = (_within(old[0], new[0]), _within(old[1], new[1]))
        return cropped


def center_window(height: int, width: int, size: int | tuple[int, int]) -> Window:
    """Where the centre crop of an image lies.

    Where the difference is odd, the crop lies half a pixel towards the top or the left:
    it starts at ``(height - crop_height) // 2``, as ``keras.layers.CenterCrop`` does.

    Parameters
    ----------
    height, width : int
        Size of the image in pixels.
    size : int or tuple of int (height, width)
        Size of the crop in pixels.

    Returns
    -------
    window : tuple of slice (rows, columns)
        Slices with non-negative start and stop.

    Raises
    ------
    ValueError
        If the size is not one or two positive integers, or larger than the image.
    """
    crop_height, crop_width = as_height_width(size)
    if crop_height > height or crop_width > width:
        raise ValueError(
            f"A crop of {crop_height}x{crop_width} pixels (height x width) does not "
            f"fit into patches of {height}x{width} pixels."
        )
    top, left = (height - crop_height) // 2, (width - crop_width) // 2
    return slice(top, top + crop_height), slice(left, left + crop_width)


def as_height_width(size: int | tuple[int, int]) -> tuple[int, int]:
    """Return a size as (height, width); an int stands for a square."""
    pair = (size, size) if isinstance(size, Integral) else size
    if (
        not isinstance(pair, tuple)
        or len(pair) != 2
        or not all(isinstance(side, Integral) and side >= 1 for side in pair)
    ):
        raise ValueError(
            "size must be a positive integer or a tuple (height, width) of two, in "
            f"pixels. Got {size!r}."
        )
    return int(pair[0]), int(pair[1])


def _row_key(key: Any) -> Any:
    """Strip the trailing Ellipsis that scikit-learn indexes image stacks with."""
    if not isinstance(key, tuple):
        return key
    if len(key) == 1:
        return key[0]
    if len(key) == 2 and key[1] is Ellipsis:
        return key[0]
    raise IndexError(
        f"too many indices: a PatchArray is indexed by patch only, but {len(key)} "
        "indices were given. Use np.asarray(X) to decode the patches first."
    )


def _within(outer: slice, inner: slice) -> slice:
    return slice(outer.start + inner.start, outer.start + inner.stop)
