"""Opening of image files, with errors that explain what is wrong."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from PIL import Image

from skhisto.patches._tiff import tile_size, unreadable_content

# Decoding takes up to 14 bytes per pixel. Real patches are much smaller.
MAX_PATCH_PIXELS = 2**25

# Lossless and photographic formats. Pillow reads forty others, but some of them start
# other programs (EPS) or silently reduce 16 bits to 8 (JPEG 2000).
FILE_FORMATS = ("TIFF", "PNG", "JPEG", "WEBP", "BMP")


@contextmanager
def opened_image(
    path: str | os.PathLike[str],
) -> Iterator[tuple[Image.Image, BinaryIO]]:
    """Open a file with a single image without decoding pixels."""
    with opened_bytes(path) as file:
        with explained(path, file):
            image = Image.open(file, formats=FILE_FORMATS)
            # Checked first, because counting the frames of a WebP file allocates them.
            check_pixel_count(image, MAX_PATCH_PIXELS)
            n_frames = getattr(image, "n_frames", 1)
        if n_frames > 1:
            raise ValueError(
                f"'{path}' contains {n_frames} images (frames, pages or pyramid "
                "levels). Expected one patch per file. Save each patch in its own file."
            )
        yield image, file


@contextmanager
def opened_bytes(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a file for reading, with errors that name it."""
    # If Pillow opened the file, it could stay open after an error, or memory-map it.
    try:
        file = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        raise FileNotFoundError(f"The image file '{path}' does not exist.") from None
    except OSError:
        # IsADirectoryError, or PermissionError on Windows.
        if os.path.isdir(path):
            raise IsADirectoryError(
                f"'{path}' is a folder. Expected an image file."
            ) from None
        raise
    with file:
        yield file


def check_pixel_count(image: Image.Image, limit: int | None = None) -> None:
    """Raise a DecompressionBombError if an image exceeds the limit of Pillow.

    The limit also applies to the tiles of TIFF files, which are decoded as a whole.

    Parameters
    ----------
    image : Image
        An opened image.
    limit : int or None, default=None
        A limit below Pillow's. It has no effect if Pillow's limit is disabled.
    """
    if Image.MAX_IMAGE_PIXELS is None:
        return
    # Between its limit and twice that number, Pillow itself only warns.
    limit = min(Image.MAX_IMAGE_PIXELS, limit or Image.MAX_IMAGE_PIXELS)
    if image.width * image.height > limit:
        raise Image.DecompressionBombError(
            f"{image.height}x{image.width} pixels, the limit is {limit} in total"
        )
    height, width = tile_size(image)
    if width * height > limit:
        raise Image.DecompressionBombError(
            f"tiles of {height}x{width} pixels, the limit is {limit} in total"
        )


TOO_LARGE_FOR_A_PATCH = (
    "is far too large for a patch ({error}). It may be a whole slide or a "
    "decompression bomb. Cut patches from it first."
)


@contextmanager
def explained(
    path: str | os.PathLike[str],
    file: BinaryIO,
    too_large: str = TOO_LARGE_FOR_A_PATCH,
) -> Iterator[None]:
    """Convert all errors that Pillow raises for bad content to a ValueError.

    Parameters
    ----------
    path : str or path-like
        The file, for the message.
    file : binary file
        The opened file.
    too_large : str
        The message for a file with too many pixels, to follow the file name.
    """
    try:
        yield
    except MemoryError:
        raise
    # The user may have turned Pillow's warning into an error.
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(f"'{path}' {too_large.format(error=error)}") from None
    except Exception as error:  # Pillow's decoders raise a dozen unrelated types
        cause = (
            probable_cause(file)
            or unreadable_content(file, error)
            or f"it is truncated, corrupt, or not one of {', '.join(FILE_FORMATS)} "
            f"(Pillow says: {error})"
        )
        raise ValueError(f"'{path}' cannot be read as an image: {cause}.") from error


def probable_cause(file: BinaryIO) -> str | None:
    """Recognise wrong content, such as a web page, by the first bytes of a file."""
    file.seek(0)
    head = file.read(512)
    if not head:
        return "the file is empty (0 bytes), probably an interrupted copy or download"
    if head.startswith(b"\x00\x05\x16\x07"):
        return (
            "it is an AppleDouble file, which macOS made when it copied the real file. "
            "Delete it"
        )
    if head.startswith(b"version https://git-lfs"):
        return "it is a Git LFS pointer, not the file itself. Run 'git lfs pull'"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html")):
        return "it is a web page (HTML), probably a failed download"
    return None
