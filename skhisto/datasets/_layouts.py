"""Layouts of patch folders: what each level of folders means."""

import os
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from skhisto.datasets._id_table import FilePath
from skhisto.datasets._listing import (
    folders_of,
    holds_images,
    image_suffixes,
    list_images,
)

_SUBSETS = {"train", "training", "val", "valid", "validation", "test", "testing"}
_N_NAMED = 10

# Patterns for the possible meanings of two levels of folders, with their descriptions.
_PATTERNS = {
    "^(?P<label>[^/]+)/(?P<group>[^/]+)/": "classes that contain slides",
    "^(?P<group>[^/]+)/(?P<label>[^/]+)/": "slides that contain classes",
    "(?P<label>[^/]+)/[^/]+$": "the innermost folders are classes",
    "(?P<group>[^/]+)/[^/]+$": "the innermost folders are slides",
}


class Files(NamedTuple):
    """Image files below a folder.

    Attributes
    ----------
    folder : str
    subset : str or None
        The part of the data in the folder, such as "train".
    names : list of str
        Paths relative to the folder, with forward slashes.
    skipped : dict of str to int
        Number of skipped entries of each kind.
    not_read : list of str
        Names of the folders next to the subset that also contain images.
    """

    folder: str
    subset: str | None
    names: list[str]
    skipped: dict[str, int]
    not_read: list[str]


def find_files_of(folder: FilePath, subset: str | None, *, is_table: bool) -> Files:
    """Find the image files of a subset.

    Without `subset`, the folder "train" is used if it exists. With a table, which lists
    the files itself, the whole folder is used.
    """
    root = os.fspath(folder)
    if not os.path.isdir(root):
        raise FileNotFoundError(f"The patch folder '{root}' does not exist.")
    if subset is None and not is_table and os.path.isdir(os.path.join(root, "train")):
        subset = "train"
    base = root if subset is None else os.path.join(root, subset)
    if not os.path.isdir(base):
        raise FileNotFoundError(
            f"The patch folder '{base}' does not exist.{_where_images_are(root)}"
        )
    names, skipped = list_images(base)
    if not names:
        seen = ", ".join(f"{count} {kind}" for kind, count in skipped.items())
        raise ValueError(
            f"'{base}' does not contain image files. Their names must end in one of "
            f"{', '.join(sorted(image_suffixes()))}."
            + (f" Skipped entries: {seen}." if seen else "")
            + _where_images_are(root)
        )
    not_read = [] if subset is None else _folders_beside(root, subset)
    return Files(base, subset, names, skipped, not_read)


def _folders_beside(root: str, subset: str) -> list[str]:
    """Return the names of the folders next to the subset that contain images."""
    base = os.path.join(root, subset)
    if os.path.samefile(base, root):
        return []
    parent, own = os.path.split(os.path.normpath(base))
    return [
        name
        for name in sorted(os.listdir(parent))
        if name != own and holds_images(os.path.join(parent, name))
    ]


def names_of_folders(files: Files, parameter: str) -> list[str]:
    """Return the name of the folder of each file.

    Parameters
    ----------
    files : Files
    parameter : {"label", "group"}
        What the folders mean.

    Raises
    ------
    ValueError
        If a file is not exactly one folder below the base. The message shows calls that
        give each level of folders a meaning.
    """
    folders = folders_of(files.names)
    depths = {_depth(name) for name in folders}
    what = f"{parameter}='folder'"
    refuse_parts_of_the_data(files)
    if 0 in depths:
        raise ValueError(
            f"With {what}, each image must be in a subfolder of '{files.folder}', but "
            f"{folders['']} of {len(files.names)} images are not, for example "
            f"'{next(n for n in files.names if '/' not in n)}'. Move them into a "
            "subfolder or out of this folder."
        )
    if depths != {1}:
        example = max(files.names, key=_depth)
        raise ValueError(
            f"With {what}, each image must be exactly one folder below "
            f"'{files.folder}', but images such as '{example}' are deeper. State what "
            f"the folders mean with one of these calls:\n{_calls_for_levels(files)}"
        )
    return [os.path.dirname(name) for name in files.names]


def refuse_two_meanings(files: Files) -> None:
    """Raise a ValueError because folders cannot be both classes and groups."""
    raise ValueError(
        "label='folder' and group='folder' together leave open which level of folders "
        f"is the class. Use one of these calls:\n{_calls_for_levels(files)}"
    )


def check_folders_are_explained(files: Files) -> None:
    """Raise a ValueError if files are in subfolders whose meaning is unknown.

    The message shows a call for each possible meaning.
    """
    folders = folders_of(files.names)
    n_here = folders.pop("", 0)
    if not folders:
        return
    refuse_parts_of_the_data(files)
    lines = [
        f"'{files.folder}' contains images in {len(folders)} "
        f"subfolder{'' if len(folders) == 1 else 's'}: {_counted(folders)}."
    ]
    if n_here:
        lines[0] += f" It also contains {n_here} images itself."
    if {_depth(name) for name in folders} == {1}:
        lines += [
            "The subfolders may be classes or slides. Use one of these calls:",
            f"  {call(files, label='folder')}",
            f"  {call(files, group='folder')}",
        ]
    else:
        lines += [
            "State what the folders mean with one of these calls:",
            _calls_for_levels(files),
        ]
    first = min(folders)
    lines += [
        "If they are neither, read a single subfolder, or take labels and groups from "
        "a table or from the file names:",
        f"  load_patch_folder({os.path.join(files.folder, *first.split('/'))!r})",
        f"  {call(files, table='labels.csv', path='id', label='label')}",
        f"  {call(files, pattern='...')}",
    ]
    raise ValueError("\n".join(lines))


def call(files: Files, **parameters: str) -> str:
    """Return the text of a call to `load_patch_folder`."""
    root = files.folder
    if files.subset is not None:
        root = os.path.dirname(root)
        parameters = {"subset": files.subset, **parameters}
    texts = [repr(root), *(f"{name}={value!r}" for name, value in parameters.items())]
    return f"load_patch_folder({', '.join(texts)})"


def _calls_for_levels(files: Files) -> str:
    """Return the text of a call for each meaning of several levels of folders."""
    return "\n".join(
        f"  {call(files, pattern=pattern)}  # {meaning}"
        for pattern, meaning in _PATTERNS.items()
    )


def refuse_parts_of_the_data(files: Files) -> None:
    """Raise a ValueError if all folders have names such as train, val or test."""
    parts = {name.split("/")[0] for name in files.names if "/" in name}
    if not parts or not set(map(str.lower, parts)) <= _SUBSETS:
        return
    lines = [
        f"The subfolders of '{files.folder}' seem to be parts of the data: "
        f"{', '.join(sorted(parts))}. Read one part at a time:"
    ]
    lines += [f"  {call(files._replace(subset=None), subset=p)}" for p in sorted(parts)]
    raise ValueError("\n".join(lines))


def _where_images_are(root: str) -> str:
    """Return a hint that names the folders with images and a call that reads them."""
    folders = folders_of(list_images(root).names)
    if not folders:
        return ""
    first = max(folders, key=lambda name: (folders[name], name))
    path = os.path.join(root, *first.split("/")) if first else root
    return (
        f" Folders with images below '{root}': {_counted(folders)}. Read one of them "
        f"with load_patch_folder({path!r})."
    )


def _counted(folders: Counter[str] | dict[str, int]) -> str:
    named = sorted(folders)[:_N_NAMED]
    text = ", ".join(f"'{name or '.'}' ({folders[name]})" for name in named)
    more = len(folders) - len(named)
    return f"{text} and {more} more" if more else text


def _depth(name: str) -> int:
    return name.count("/") + 1 if name else 0


def as_ids(names: Sequence[str]) -> list[str]:
    """Return names without suffix, or with it if the suffix makes them unique."""
    stems = [os.path.splitext(name)[0] for name in names]
    return stems if len(set(stems)) == len(stems) else list(names)
