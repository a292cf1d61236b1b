"""Search for image files in a folder and its subfolders."""

import os
from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from PIL import Image

from skhisto.patches._opening import FILE_FORMATS

_SYSTEM_FILES = {"thumbs.db", "desktop.ini"}


class Listing(NamedTuple):
    """Image files and counts of all other entries.

    Attributes
    ----------
    names : list of str
        Paths relative to the folder, with forward slashes, sorted.
    skipped : dict of str to int
        Number of skipped entries of each kind.
    """

    names: list[str]
    skipped: dict[str, int]


def image_suffixes() -> set[str]:
    """Return the suffixes of image files, in lower case, such as ".tif"."""
    formats = Image.registered_extensions().items()
    return {suffix for suffix, name in formats if name in FILE_FORMATS}


def list_images(folder: str) -> Listing:
    """Find the image files in a folder and its subfolders by their suffixes.

    Hidden files and folders are skipped, including the files "._*" and the folder
    "__MACOSX" that macOS creates. Links to folders are followed. Broken links are
    skipped.
    """
    names: list[str] = []
    skipped: Counter[str] = Counter()
    _visit(folder, "", frozenset(), image_suffixes(), names, skipped)
    return Listing(sorted(names), dict(sorted(skipped.items())))


def holds_images(folder: str) -> bool:
    """Return whether a folder or its subfolders contain an image file.

    The search stops at the first one. Links to folders are not followed.
    """
    if _kind_to_skip(os.path.basename(folder), is_folder=True) is not None:
        return False
    suffixes = image_suffixes()
    for _, folders, files in os.walk(folder):
        folders[:] = [f for f in folders if _kind_to_skip(f, is_folder=True) is None]
        for name in files:
            is_image = os.path.splitext(name)[1].lower() in suffixes
            if is_image and _kind_to_skip(name, is_folder=False) is None:
                return True
    return False


def _visit(
    folder: str,
    prefix: str,
    above: frozenset[str],
    suffixes: Collection[str],
    names: list[str],
    skipped: Counter[str],
) -> None:
    real = os.path.realpath(folder)
    if real in above:  # a link to a folder that contains it
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            name, is_folder = entry.name, entry.is_dir()
            is_image = os.path.splitext(name)[1].lower() in suffixes
            kind = _kind_to_skip(name, is_folder)
            if kind is not None:
                skipped[kind] += 1
            elif is_folder:
                n_before = len(names)
                _visit(
                    entry.path, f"{prefix}{name}/", above | {real}, suffixes, names,
                    skipped,
                )  # fmt: skip
                if is_image and len(names) == n_before:
                    skipped["folders named like images"] += 1
            elif entry.is_symlink() and not os.path.exists(entry.path):
                skipped["broken links"] += 1
            elif is_image:
                names.append(prefix + name)
            else:
                skipped["other files"] += 1


def _kind_to_skip(name: str, is_folder: bool) -> str | None:
    if name == "__MACOSX" or (is_folder and name.startswith(".")):
        return "hidden folders"
    if name.startswith("._"):
        return "AppleDouble files (._*)"
    if name.startswith("."):
        return "hidden files"
    if name.lower() in _SYSTEM_FILES:
        return "files of Windows (Thumbs.db, desktop.ini)"
    return None


def folders_of(names: Collection[str]) -> Counter[str]:
    """Count the files in each folder. The base folder is ""."""
    return Counter(os.path.dirname(name) for name in names)
