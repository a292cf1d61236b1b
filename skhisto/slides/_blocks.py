"""Pixels of a slide at one resolution, computed on a fixed grid of blocks.

Each block is computed from a fixed box of one level, with a margin for the filter.
Therefore, a pixel does not depend on the region that is read. If regions were resized
separately, their starts would be rounded to pixels of the level, which would shift the
image.
"""

import math
from dataclasses import dataclass

import numpy as np
from PIL import Image

from skhisto.slides._lru import LRU
from skhisto.slides._reader import Pixels, Reader, Shape, Token

BLOCK = 128
"""Side of a block in pixels.

Patches of 96 pixels in random order are read twice as fast as with blocks of 256
pixels. Large regions take the same time.
"""

_MAX_BOX = 2048  # longest side of the box of a level that is read for a block
_FILTER = Image.Resampling.BILINEAR
_SUPPORT = 1  # radius of the filter in pixels of the result

# Two rows of blocks of an image with a width of 80,000 pixels. If windows are read row
# by row, each block is then decoded once.
_MAX_CACHE_BYTES = 64 * 2**20

_cache = LRU(_MAX_CACHE_BYTES)


@dataclass(frozen=True)
class Resampling:
    """How an image is computed from a level.

    Parameters
    ----------
    level : int
        The level that is read.
    ratio : float
        Pixels of the level per pixel of the image. 1.0 means that the level is read
        without resampling.
    shape : tuple of int (height, width)
        Size of the image in pixels.
    """

    level: int
    ratio: float
    shape: Shape

    @property
    def block(self) -> int:
        """Side of a block in pixels. It is smaller for large ratios."""
        largest = max(1, int(_MAX_BOX / self.ratio))
        return min(BLOCK, 1 << (largest.bit_length() - 1))


def read_region(
    reader: Reader,
    resampling: Resampling,
    token: Token,
    top: int,
    left: int,
    height: int,
    width: int,
) -> Pixels:
    """Assemble a region from the blocks of an image.

    Parameters
    ----------
    reader : Reader
        The slide.
    resampling : Resampling
        The image.
    token : Token
        Key of the image for the cache of blocks.
    top, left, height, width : int
        The region in pixels of the image. It may extend beyond the image.

    Returns
    -------
    pixels : ndarray of shape (height, width, 3), uint8
        Pixels outside the image are white.
    """
    region = np.full((height, width, 3), 255, np.uint8)
    block = resampling.block
    rows = _inside(top, height, resampling.shape[0])
    columns = _inside(left, width, resampling.shape[1])
    for row in _blocks_of(rows, block):
        for column in _blocks_of(columns, block):
            pixels = _block(reader, resampling, token, row, column)
            y, in_block_y = _overlap(rows, row * block, len(pixels))
            x, in_block_x = _overlap(columns, column * block, pixels.shape[1])
            target = region[
                y.start - top : y.stop - top, x.start - left : x.stop - left
            ]
            target[:] = pixels[in_block_y, in_block_x]
    return region


def _block(
    reader: Reader, resampling: Resampling, token: Token, row: int, column: int
) -> Pixels:
    return _cache.get(
        (token.key, row, column),
        make=lambda: _make(reader, resampling, row, column),
        weigh=lambda pixels: pixels.nbytes,
    )


def _inside(start: int, length: int, limit: int) -> range:
    return range(min(max(start, 0), limit), min(max(start + length, 0), limit))


def _blocks_of(pixels: range, block: int) -> range:
    if not pixels:
        return range(0)
    return range(pixels.start // block, (pixels.stop - 1) // block + 1)


def _overlap(pixels: range, start: int, length: int) -> tuple[slice, slice]:
    """Return the requested part of a block, in the image and in the block."""
    first, last = max(pixels.start, start), min(pixels.stop, start + length)
    return slice(first, last), slice(first - start, last - start)


def _make(reader: Reader, resampling: Resampling, row: int, column: int) -> Pixels:
    """Read a block and resize it if the ratio is not 1."""
    level_shape = reader.level_shapes[resampling.level]
    sides = [
        _Side.of_block(number, resampling.block, length, resampling.ratio, available)
        for number, length, available in zip(
            (row, column), resampling.shape, level_shape, strict=True
        )
    ]
    y, x = sides
    pixels = reader.read(resampling.level, y.start, x.start, y.n_read, x.n_read)
    if resampling.ratio == 1:
        return np.ascontiguousarray(pixels)
    resized = Image.fromarray(np.ascontiguousarray(pixels)).resize(
        (x.n_made, y.n_made), _FILTER, box=(x.first, y.first, x.last, y.last)
    )
    return np.asarray(resized)


@dataclass(frozen=True)
class _Side:
    """The source of the rows or the columns of a block."""

    n_made: int
    """Length of the block in pixels of the image."""
    start: int
    """First pixel of the level that is read."""
    n_read: int
    """Number of pixels of the level that are read, with a margin for the filter."""
    first: float
    """Start of the block without margin, relative to `start`."""
    last: float
    """End of the block without margin, relative to `start`."""

    @classmethod
    def of_block(
        cls, number: int, block: int, length: int, ratio: float, available: int
    ) -> "_Side":
        start, stop = number * block, min((number + 1) * block, length)
        first, last = start * ratio, min(stop * ratio, available)
        margin = 0 if ratio == 1 else math.ceil(_SUPPORT * max(1, ratio)) + 1
        read_start = max(0, math.floor(first) - margin)
        read_stop = min(available, math.ceil(last) + margin)
        return cls(
            n_made=stop - start,
            start=read_start,
            n_read=read_stop - read_start,
            first=first - read_start,
            last=last - read_start,
        )
