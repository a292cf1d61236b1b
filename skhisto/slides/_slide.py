"""Slides, and images of slides at one resolution."""

import math
import os
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np

from skhisto.slides._blocks import Resampling, read_region
from skhisto.slides._opening import open_reader
from skhisto.slides._reader import Pixels, Shape, Token
from skhisto.slides._resolution import check_mpp

# A level is read without resampling if its resolution differs from the requested one by
# at most this share. In a window of 96 pixels, that is less than a pixel.
_TOLERANCE = 0.01


class Slide:
    """A slide in a file or in memory.

    Files are read with OpenSlide, or with Pillow, which decodes whole images. OpenSlide
    is an optional dependency: ``pip install "skhisto[slides]"``.

    A slide can be pickled, because files are opened only when needed. Several threads
    and forked processes may read from it.

    Parameters
    ----------
    source : str, path-like or ndarray of shape (height, width, 3), uint8
        The file, or RGB pixels. The array is not copied and must not be changed.
    mpp : float, default=None
        Microns per pixel of level 0, from 0.05 to 20. None uses the value in the file.
    name : str, default=None
        Name of the slide. It identifies the slide in results. None uses the file name
        without its last suffix, or "slide" for an array.
    engine : {"auto", "openslide", "pillow"}, default="auto"
        The library that reads a file.

        - "auto": OpenSlide if it is installed and can open the file, otherwise Pillow.
        - "openslide": all formats of OpenSlide, including their pyramid of levels.
        - "pillow": the first image of a TIFF, PNG, JPEG, WebP or BMP file with at most
          ``PIL.Image.MAX_IMAGE_PIXELS`` pixels (89 million by default).

    Attributes
    ----------
    name : str
        Name of the slide.
    mpp : float or None
        Microns per pixel of level 0. None if unknown.
    shape : tuple of int (height, width)
        Size of level 0 in pixels.
    level_shapes : tuple of tuple of int (height, width)
        Size of each level of the pyramid in pixels, largest first.
    level_downsamples : tuple of float
        Pixels of level 0 per pixel of a level, in each direction.
    fingerprint : str
        ``openslide.quickhash-1`` if the slide is read with OpenSlide and has one,
        otherwise the SHA-256 of the file or of the pixels.

    Raises
    ------
    TypeError
        If `source` is neither a path nor an array.
    ImportError
        If ``engine="openslide"`` and OpenSlide is not installed.
    FileNotFoundError, IsADirectoryError
        If the file does not exist or is a folder.
    ValueError
        If the file cannot be read as a slide, if the array has the wrong shape or
        dtype, or if `mpp` or `engine` has an invalid value.

    Warns
    -----
    UserWarning
        By Pillow, if the metadata of a file are truncated or damaged. The pixels may
        still be complete.

    See Also
    --------
    SlidePatches : Windows of slides as patches.

    Notes
    -----
    The resolution of a file is treated as unknown if it is not between 0.05 and 20
    microns per pixel, or if the values for x and y differ by more than 5 %. Pillow
    provides a resolution only for TIFF files. It is read from Aperio's description or
    from the resolution tags.

    Transparent pixels are blended with white. Colour profiles are not applied.

    Label, macro and other associated images are never opened.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto import Slide
    >>> pixels = np.full((300, 400, 3), 200, dtype=np.uint8)
    >>> slide = Slide(pixels, mpp=0.5, name="grey")
    >>> slide.shape, slide.mpp
    ((300, 400), 0.5)
    >>> image = slide.at(mpp=1.0)
    >>> image.shape, image.scale
    ((150, 200), 2.0)
    >>> image.read(top=0, left=0, height=96, width=96).shape
    (96, 96, 3)
    """

    __module__ = "skhisto"  # the public location

    def __init__(
        self,
        source: Any,
        *,
        mpp: float | None = None,
        name: str | None = None,
        engine: str = "auto",
    ) -> None:
        given = None if mpp is None else check_mpp(mpp)
        self._reader = open_reader(source, engine)
        self.mpp = self._reader.mpp if given is None else given
        self.name = _default_name(source) if name is None else str(name)

    @property
    def shape(self) -> Shape:
        """Height and width of level 0 in pixels."""
        return self.level_shapes[0]

    @property
    def level_shapes(self) -> tuple[Shape, ...]:
        """Height and width of each level in pixels."""
        return self._reader.level_shapes

    @property
    def level_downsamples(self) -> tuple[float, ...]:
        """Pixels of level 0 per pixel of a level, in each direction."""
        return self._reader.level_downsamples

    @property
    def fingerprint(self) -> str:
        """A string that identifies the pixels of the slide."""
        return self._reader.fingerprint()

    def __repr__(self) -> str:
        height, width = self.shape
        mpp = "unknown" if self.mpp is None else f"{self.mpp:.4g}"
        return f"Slide(name={self.name!r}, shape=({height}, {width}), mpp={mpp})"

    def at(self, mpp: float | None = None) -> "SlideImage":
        """Return the slide at one resolution.

        Parameters
        ----------
        mpp : float, default=None
            Microns per pixel, from 0.05 to 20. None means level 0. A value finer than
            level 0 enlarges level 0 by interpolation without a warning. The image then
            has more pixels but not more detail.

        Returns
        -------
        image : SlideImage
            A level of the pyramid if its resolution is within 1 % of the requested one.
            Otherwise, the next finer level (or level 0) is resampled with an
            anti-aliased bilinear filter.

            OpenSlide can start reading only at whole pixels of level 0. If the size of
            a level was rounded, such a position can be between two pixels of the level.
            OpenSlide then interpolates by up to half a pixel of level 0.

        Raises
        ------
        ValueError
            If `mpp` is given but the resolution of the slide is unknown, or if the
            image would have no pixels.
        """
        if mpp is None:
            return SlideImage(self, 1.0)
        mpp = check_mpp(mpp)
        if self.mpp is None:
            raise ValueError(
                f"The resolution of the slide '{self.name}' is unknown. Pass the "
                "microns per pixel of level 0, as in Slide(..., mpp=0.25), or use "
                "mpp=None to read level 0 without resampling."
            )
        return SlideImage(self, mpp / self.mpp)

    def thumbnail(self, max_size: int = 512) -> Pixels:
        """Return a small picture of the slide.

        It is computed from the pyramid. The thumbnail and macro image in the file are
        never opened.

        Parameters
        ----------
        max_size : int, default=512
            Length of the longer side in pixels, accurate to 1 %. Smaller slides are not
            enlarged. The picture of a very narrow slide is longer, so that its shorter
            side has at least one pixel.

        Returns
        -------
        thumbnail : ndarray of shape (height, width, 3), uint8
            RGB.

        Raises
        ------
        ValueError
            If `max_size` is not a positive integer.
        """
        if not isinstance(max_size, Integral) or max_size < 1:
            raise ValueError(f"max_size must be a positive integer, got {max_size!r}.")
        image = coarser_image(self, max(self.shape) / max_size)
        return image.read(0, 0, *image.shape)


class SlideImage:
    """A slide at one resolution, created by :meth:`skhisto.Slide.at`.

    Parameters
    ----------
    slide : Slide
        The slide.
    scale : float
        Pixels of level 0 per pixel of the image, in each direction. A level within 1 %
        of this scale is read without resampling. Values below 1 enlarge level 0.

    Attributes
    ----------
    shape : tuple of int (height, width)
        Size of the image in its own pixels. Incomplete pixels at the right and bottom
        are left out.
    scale : float
        Pixels of level 0 per pixel of the image. If a level is read without resampling,
        it is the exact scale of the level.
    mpp : float or None
        Microns per pixel. None if the resolution of the slide is unknown.
    """

    __module__ = "skhisto.slides"  # the public location

    def __init__(self, slide: Slide, scale: float) -> None:
        self.slide = slide
        self._resampling, self.scale = _resample(slide, scale)
        self._token = Token()

    @property
    def shape(self) -> Shape:
        """Height and width in pixels of the image."""
        return self._resampling.shape

    @property
    def mpp(self) -> float | None:
        """Microns per pixel of the image, or None."""
        return None if self.slide.mpp is None else self.slide.mpp * self.scale

    def __repr__(self) -> str:
        return f"SlideImage({self.slide!r}, scale={self.scale:.4g})"

    def read(self, top: int, left: int, height: int, width: int) -> Pixels:
        """Read a region.

        A pixel has the same value in all regions that contain it.

        If the resolution of the image is finer than level 0, the pixels are
        interpolated from level 0 and show no more detail.

        Parameters
        ----------
        top, left : int
            First row and column in pixels of the image. They may be negative.
        height, width : int
            Size in pixels of the image.

        Returns
        -------
        pixels : ndarray of shape (height, width, 3), uint8
            RGB. Pixels outside the slide are white. The caller may change the array.

        Raises
        ------
        ValueError
            If the file is damaged. The message names it.
        """
        return read_region(
            self.slide._reader,
            self._resampling,
            self._token,
            top,
            left,
            height,
            width,
        )


def coarser_image(slide: Slide, scale: float) -> SlideImage:
    """Return a slide with coarser pixels. The image has at least one pixel.

    Parameters
    ----------
    slide : Slide
    scale : float
        Pixels of level 0 per pixel of the image. Values below 1 mean level 0.
    """
    return SlideImage(slide, min(max(1.0, scale), float(min(slide.shape))))


def _default_name(source: Any) -> str:
    return "slide" if isinstance(source, np.ndarray) else Path(os.fspath(source)).stem


def _resample(slide: Slide, scale: float) -> tuple[Resampling, float]:
    """Choose the level for a resolution. Also return the exact scale."""
    downsamples = slide.level_downsamples
    nearest = min(
        range(len(downsamples)), key=lambda level: abs(scale / downsamples[level] - 1)
    )
    if abs(scale / downsamples[nearest] - 1) <= _TOLERANCE:
        level, scale = nearest, downsamples[nearest]
    else:
        finer = [k for k, downsample in enumerate(downsamples) if downsample <= scale]
        level = max(finer, default=0, key=lambda k: downsamples[k])
    ratio = scale / downsamples[level]
    height, width = (
        # The tolerance keeps the last pixel if the length is a multiple of the scale.
        math.floor(min(full / scale, stored / ratio) + 1e-6)
        for full, stored in zip(slide.shape, slide.level_shapes[level], strict=True)
    )
    if height < 1 or width < 1:
        raise ValueError(
            f"The slide '{slide.name}' has {slide.shape[0]}x{slide.shape[1]} pixels "
            f"(height x width). With {scale:.4g} times coarser pixels, the image would "
            "be empty. Use a finer resolution."
        )
    return Resampling(level, ratio, (height, width)), scale
