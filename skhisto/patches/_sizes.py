"""Image files of different sizes: detection and handling of mismatches."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from skhisto.patches._patch_array import center_window
from skhisto.patches._resizing import resize_patches

Size = tuple[int, int]

MISMATCH_RULES = ("raise", "crop", "pad", "resize")
_N_NAMED = 50
_N_SIZES = 20


class OddSizeError(ValueError):
    """The error for a single file of another size.

    Attributes
    ----------
    size : tuple of int (height, width)
        The size of the file in pixels.
    """

    def __init__(self, path: object, size: Size, expected: Size) -> None:
        super().__init__(
            f"'{path}' has {size[0]}x{size[1]} pixels (height x width). Expected "
            f"{expected[0]}x{expected[1]} pixels. All patches must have the same size."
        )
        self.size = size


def majority(sizes: Sequence[Size]) -> Size:
    """Return the most frequent size, or the first of equally frequent sizes."""
    return Counter(sizes).most_common(1)[0][0]


def is_solved(size: Size, expected: Size, rule: str) -> bool:
    """Return whether a rule turns a file of one size into a patch of another."""
    if rule == "crop":
        return size[0] >= expected[0] and size[1] >= expected[1]
    if rule == "pad":
        return size[0] <= expected[0] and size[1] <= expected[1]
    return rule == "resize" or size == expected


def check_sizes(
    paths: Sequence[str], sizes: Sequence[Size], expected: Size | None, rule: str
) -> Size:
    """Return the size of all patches, or raise one error for all mismatched files.

    Parameters
    ----------
    paths : sequence of str
    sizes : sequence of tuple (height, width)
        The size of each file in pixels.
    expected : tuple (height, width) or None
        The size that the caller asked for. None uses the most frequent one.
    rule : {"raise", "crop", "pad", "resize"}
        What to do with files of another size.
    """
    size = majority(sizes) if expected is None else expected
    odd: dict[Size, list[str]] = {}
    for path, found in zip(paths, sizes, strict=True):
        if not is_solved(found, size, rule):
            odd.setdefault(found, []).append(path)
    if not odd:
        return size
    n_odd = sum(map(len, odd.values()))
    which = "the most frequent size" if expected is None else "the expected size"
    lines = [
        f"{n_odd} of {len(paths)} image files {_complaint(rule)} {_text(size)} pixels "
        f"(height x width), {which}:"
    ]
    for found, names in sorted(odd.items(), key=lambda item: -len(item[1]))[:_N_SIZES]:
        n_files = f"{len(names)} file{'' if len(names) == 1 else 's'}"
        lines.append(f"  {_text(found)}, {n_files}:")
        lines += [f"    {name}" for name in names[:_N_NAMED]]
        if len(names) > _N_NAMED:
            lines.append(f"    and {len(names) - _N_NAMED} more")
    if len(odd) > _N_SIZES:
        lines.append(f"  and {len(odd) - _N_SIZES} more sizes")
    lines.append(_advice(rule, [*odd, size]))
    raise ValueError("\n".join(lines))


def fit_to_size(pixels: np.ndarray, size: Size, rule: str) -> np.ndarray:
    """Crop, pad or resize an image. `is_solved` must be true for it.

    Parameters
    ----------
    pixels : ndarray of shape (height, width, n_channels), uint8 or uint16
    size : tuple of int (height, width)
    rule : {"crop", "pad", "resize"}
        "crop" keeps the centre. "pad" adds white around the centre. If a difference is
        odd, the larger margin is at the bottom or right.
    """
    height, width = pixels.shape[:2]
    if rule == "crop":
        return pixels[center_window(height, width, size)]
    if rule == "resize":
        return resize_patches(pixels[np.newaxis], size)[0]
    padded = np.full((*size, pixels.shape[2]), np.iinfo(pixels.dtype).max, pixels.dtype)
    padded[center_window(*size, (height, width))] = pixels
    return padded


def _complaint(rule: str) -> str:
    if rule == "crop":
        return "cannot be cropped, because they are smaller than"
    if rule == "pad":
        return "cannot be padded, because they are larger than"
    return "do not have"


def _advice(rule: str, sizes: Sequence[Size]) -> str:
    heights, widths = zip(*sizes, strict=True)
    if rule == "crop":
        common = (min(heights), min(widths))
        return (
            f"Crop all files to size={common}, or use on_mismatch='pad' or 'resize', "
            "or leave these files out."
        )
    if rule == "pad":
        common = (max(heights), max(widths))
        return (
            f"Pad all files to size={common}, or use on_mismatch='crop' or 'resize', "
            "or leave these files out."
        )
    return (
        "All patches must have the same size. Use on_mismatch='crop', 'pad' or "
        "'resize', or leave these files out."
    )


def _text(size: Size) -> str:
    return f"{size[0]}x{size[1]}"
