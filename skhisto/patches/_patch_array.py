"""Stacks of patches that are decoded only when indexed."""

import copy as copying
from collections.abc import Iterator
from numbers import Integral
from typing import Any, Protocol

import numpy as np
import pandas as pd
from sklearn.utils import assert_all_finite

Window = tuple[slice, slice]


class PatchSource(Protocol):
    """The interface between a :class:`PatchArray` and the storage of its pixels.

    To read patches from any storage, write a class with these two attributes and this
    method. It does not have to inherit from PatchSource.

    Attributes
    ----------
    shape : tuple of int (n_patches, height, width, n_channels)
        Shape of all patches. It must not change.
    dtype : numpy.dtype
        Type of the pixels. It must not change.

    See Also
    --------
    PatchArray : Patches of a source, decoded when needed.

    Notes
    -----
    `fit` and `predict` of a classifier call `read` in a background thread, one batch at
    a time. A search that runs in threads may call it in several threads at once.
    Protect shared state, such as an open file, with a lock, or open the file in `read`.

    Computing in parallel processes, for example with ``n_jobs=2`` in
    :func:`sklearn.model_selection.cross_validate`, pickles the source. The class must
    therefore be importable, and its attributes must not contain open files.

    Examples
    --------
    Patches cut from a large image when they are needed:

    >>> import numpy as np
    >>> from skhisto.patches import PatchArray
    >>> class Tiles:
    ...     def __init__(self, image, corners, size):
    ...         self.image = image
    ...         self.corners = corners
    ...         self.shape = (len(corners), size, size, image.shape[2])
    ...         self.dtype = image.dtype
    ...
    ...     def read(self, rows, window):
    ...         size = self.shape[1]
    ...         tiles = np.empty((len(rows), *self.shape[1:]), self.dtype)
    ...         for tile, row in zip(tiles, rows):
    ...             top, left = self.corners[row]
    ...             tile[:] = self.image[top : top + size, left : left + size]
    ...         return tiles[:, window[0], window[1]]
    >>> image = np.arange(300 * 400 * 3, dtype=np.uint16).reshape(300, 400, 3)
    >>> X = PatchArray(Tiles(image, corners=[(0, 0), (0, 96), (96, 0)], size=96))
    >>> X.shape
    (3, 96, 96, 3)
    >>> np.array_equal(X[1], image[0:96, 96:192])
    True
    >>> np.asarray(X[1:].center_crop(32)).shape
    (2, 32, 32, 3)
    """

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Number of patches, height and width in pixels, number of channels."""

    @property
    def dtype(self) -> np.dtype:
        """Type of the pixels."""

    def read(self, rows: np.ndarray, window: Window) -> np.ndarray:
        """Return a window of some patches.

        Parameters
        ----------
        rows : ndarray of shape (n_rows,)
            Patch numbers, integers from 0, in any order. Numbers may repeat. The array
            may be empty.
        window : tuple of slice (rows, columns)
            The part of each patch to return, as two slices with start and stop.

        Returns
        -------
        patches : ndarray of shape (n_rows, height, width, n_channels)
            The pixels of the window in the order of `rows`, with the dtype of the
            source. The caller may change the array, so it must not share memory with
            the source.
        """


# The public location. In the body of the class, it would be part of the protocol.
PatchSource.__module__ = "skhisto.patches"


class PatchArray:
    """A stack of patches that is decoded only when indexed.

    scikit-learn's splitters and meta-estimators treat it like a NumPy array of shape
    (n_patches, height, width, n_channels). It stores only the row numbers of the
    patches, so selecting rows and cropping do not decode any pixels.

    - ``X[3]`` decodes one patch, an array of shape (height, width, n_channels).
    - ``X[2:5]``, ``X[mask]`` and ``X[[4, 0]]`` are PatchArrays.
    - ``numpy.asarray(X)`` decodes all patches.

    A PatchArray may also contain the group of each patch, such as its slide, and its
    position on the slide. Both are selected together with the patches and preserved by
    transformers. Early stopping of a classifier holds out whole groups.

    A PatchArray is immutable. Decoded pixels are not cached: each access decodes the
    patches again.

    Parameters
    ----------
    source : PatchSource
        An object with the attributes `shape` and `dtype` and the method
        ``read(rows, window)``, see :class:`skhisto.patches.PatchSource`.
        ``PatchLoader(lazy=True)`` creates one from image files.
    groups : array-like of shape (n_patches,), default=None
        The group of each patch, such as its slide or patient. None uses
        ``source.groups`` if the source has this attribute.
    coords : array-like of shape (n_patches, 2), default=None
        Position (x, y) of each patch on its slide, in any unit. None uses
        ``source.coords`` if the source has this attribute.

    Attributes
    ----------
    groups : ndarray of shape (n_patches,), or None
        The group of each patch.
    coords : ndarray of shape (n_patches, 2), or None
        x and y of each patch. Cropping does not change them.

    Raises
    ------
    TypeError
        If `source` lacks an attribute or the method, or if its dtype is not a NumPy
        dtype.
    ValueError
        In the following cases:

        - The shape of `source` is not a tuple of four non-negative integers.
        - `groups` or `coords` has the wrong shape.
        - A group is None, NaN or infinite.
        - `coords` are not finite numbers.

    See Also
    --------
    PatchLoader : Load patches from image files.
    CenterCrop : Crop patches. A PatchArray is not decoded.
    skhisto.patches.PatchSource : The interface of sources.

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

    __module__ = "skhisto"  # the public location, used by pickle

    def __init__(
        self, source: PatchSource, *, groups: Any = None, coords: Any = None
    ) -> None:
        _check_source(source)
        if groups is None:
            groups = getattr(source, "groups", None)
        if coords is None:
            coords = getattr(source, "coords", None)
        n_patches, height, width, _ = source.shape
        self._source = source
        self._rows = np.arange(n_patches)
        self._window = (slice(0, height), slice(0, width))
        self._groups = check_groups(groups, n_patches)
        self._coords = _check_coords(coords, n_patches)

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
    def groups(self) -> np.ndarray | None:
        """The group of each patch, or None."""
        return None if self._groups is None else self._groups[self._rows]

    @property
    def coords(self) -> np.ndarray | None:
        """X and y of each patch on its slide, or None."""
        return None if self._coords is None else self._coords[self._rows]

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
        """Size of all decoded patches in bytes."""
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
            return self._read(rows.reshape(1))[0]
        if rows.ndim > 1:
            raise IndexError(
                "A PatchArray can be indexed with one integer, a slice, a mask or a "
                "one-dimensional array of integers. This key would give "
                f"{rows.ndim + 3} dimensions. Use np.asarray(X) to decode the patches "
                "first."
            )
        taken = copying.copy(self)
        taken._rows = rows
        return taken

    def __array__(
        self, dtype: np.dtype | None = None, copy: bool | None = None
    ) -> np.ndarray:
        if copy is False:
            raise ValueError(
                "A PatchArray cannot be converted to an array without a copy, because "
                "its patches are decoded on access."
            )
        patches = self._read(self._rows)
        return patches if dtype is None else patches.astype(dtype, copy=False)

    def _read(self, rows: np.ndarray) -> np.ndarray:
        patches = self._source.read(rows, self._window)
        expected = (len(rows), *self.shape[1:])
        if patches.shape != expected or patches.dtype != self.dtype:
            raise ValueError(
                f"The source {self._source!r} returned patches of shape "
                f"{patches.shape} and dtype {patches.dtype}. Expected shape {expected} "
                f"and dtype {self.dtype}. The method read must return the requested "
                "rows and window with the dtype of the source."
            )
        return patches

    def center_crop(self, size: int | tuple[int, int]) -> "PatchArray":
        """Crop each patch to its centre without decoding it.

        Parameters
        ----------
        size : int or tuple of int (height, width)
            Size of the crop in pixels. An int means a square.

        Returns
        -------
        cropped : PatchArray of shape (n_patches, height, width, n_channels)
            The centres of the patches.

        Raises
        ------
        ValueError
            If `size` is not one or two positive integers, or is larger than the
            patches.
        """
        old = self._window
        new = center_window(self.shape[1], self.shape[2], size)
        cropped = copying.copy(self)
        cropped._window = (_within(old[0], new[0]), _within(old[1], new[1]))
        return cropped


def _check_source(source: Any) -> None:
    missing = [name for name in ("shape", "dtype") if not hasattr(source, name)]
    if not callable(getattr(source, "read", None)):
        missing.append("method read")
    if missing:
        raise TypeError(
            "source must have the attributes shape and dtype and the method "
            f"read(rows, window), but {type(source).__name__} has no {missing[0]}. See "
            "skhisto.patches.PatchSource."
        )
    if not isinstance(source.dtype, np.dtype):
        raise TypeError(
            "source.dtype must be a NumPy dtype, such as np.dtype('uint8'), got "
            f"{source.dtype!r}."
        )
    shape = source.shape
    if (
        not isinstance(shape, tuple)
        or len(shape) != 4
        or not all(
            isinstance(length, Integral) and int(length) >= 0 for length in shape
        )
    ):
        raise ValueError(
            "source.shape must be a tuple of four non-negative integers (n_patches, "
            f"height, width, n_channels), got {shape!r}."
        )


def check_groups(groups: Any, n_patches: int) -> np.ndarray | None:
    """Return the groups as a new array of shape (n_patches,), or None.

    Raises
    ------
    ValueError
        If the shape is different, or if a group is missing or infinite.
    """
    if groups is None:
        return None
    # An array of text would turn NaN into the name "nan".
    missing = np.flatnonzero(pd.isna(np.asarray(groups, dtype=object)))
    groups = np.array(groups)
    if groups.shape != (n_patches,):
        raise ValueError(
            f"groups must have shape (n_patches,), here ({n_patches},), got "
            f"{groups.shape}."
        )
    if len(missing):
        raise ValueError(
            f"Each patch needs a group, but {len(missing)} of {n_patches} groups are "
            f"None or NaN. The first is in row {missing[0]}."
        )
    assert_all_finite(groups, input_name="groups")
    return groups


def _check_coords(coords: Any, n_patches: int) -> np.ndarray | None:
    if coords is None:
        return None
    coords = np.array(coords)
    if coords.shape != (n_patches, 2):
        raise ValueError(
            f"coords must have shape (n_patches, 2), here ({n_patches}, 2), with the "
            f"columns x and y, got {coords.shape}."
        )
    if coords.dtype.kind not in "iuf" or not np.isfinite(coords).all():
        raise ValueError(
            f"coords must be finite numbers, got an array of dtype {coords.dtype}."
        )
    return coords


def center_window(height: int, width: int, size: int | tuple[int, int]) -> Window:
    """Return the position of the centre crop of an image.

    The crop starts at ``(height - crop_height) // 2``, as in
    ``keras.layers.CenterCrop``. If the difference is odd, the larger margin is at the
    bottom or right.

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
        If `size` is not one or two positive integers, or is larger than the image.
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
    """Return a size as (height, width). An int means a square."""
    pair = (size, size) if isinstance(size, Integral) else size
    if (
        not isinstance(pair, tuple)
        or len(pair) != 2
        or not all(isinstance(side, Integral) and side >= 1 for side in pair)
    ):
        raise ValueError(
            "size must be a positive integer or a tuple (height, width) of positive "
            f"integers, in pixels, got {size!r}."
        )
    return int(pair[0]), int(pair[1])


def _row_key(key: Any) -> Any:
    """Remove the trailing Ellipsis that scikit-learn adds when it indexes images."""
    if not isinstance(key, tuple):
        return key
    if len(key) == 1:
        return key[0]
    if len(key) == 2 and key[1] is Ellipsis:
        return key[0]
    raise IndexError(
        f"too many indices for a PatchArray: expected one, the patch, got {len(key)}. "
        "Use np.asarray(X) to decode the patches first."
    )


def _within(outer: slice, inner: slice) -> slice:
    return slice(outer.start + inner.start, outer.start + inner.stop)
