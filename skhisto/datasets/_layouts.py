"""Layouts of folders of patches: what the levels of folders stand for."""

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

# Patterns that say what two levels of folders stand for, and what the message calls it.
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
        The part of the data that the folder holds, such as "train".
    names : list of str
        Paths relative to the folder, with forward slashes.
    skipped : dict of str to int
        The number of skipped entries of each kind.
    not_read : list of str
        Names of the folders beside the subset that hold images, too.
    """

    folder: str
    subset: str | None
    names: list[str]
    skipped: dict[str, int]
    not_read: list[str]


def find_files_of(folder: FilePath, subset: str | None, *, is_table: bool) -> Files:
    """Find the image files of a subset.

    Without a name of a subset, "train" is taken if it exists, unless a table says which
    files to take.
    """
    root = os.fspath(folder)
    if not os.path.isdir(root):
        raise FileNotFoundError(f"The folder of patches '{root}' does not exist.")
    if subset is None and not is_table and os.path.isdir(os.path.join(root, "train")):
        subset = "train"
    base = root if subset is None else os.path.join(root, subset)
    if not os.path.isdir(base):
        raise FileNotFoundError(
            f"The folder of patches '{base}' does not exist.{_where_images_are(root)}"
        )
    names, skipped = list_images(base)
    if not names:
        seen = ", ".join(f"{count} {kind}" for kind, count in skipped.items())
        raise ValueError(
            f"'{base}' holds no image files: none of its names ends in one of "
            f"{', '.join(sorted(image_suffixes()))}."
            + (f" Skipped were {seen}." if seen else "")
            + _where_images_are(root)
        )
    not_read = [] if subset is None else _folders_beside(root, subset)
    return Files(base, subset, names, skipped, not_read)


def _folders_beside(root: str, subset: str) -> list[str]:
    """Name the other folders in the folder of a subset that hold images."""
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
    """Return the folder of each file, where each file is in a folder below the base.

    Parameters
    ----------
    files : Files
    parameter : {"label", "group"}
        What the folders stand for.

    Raises
    ------
    ValueError
        If some files are not exactly one folder below the base. The message shows calls
        that say what each level of folders stands for.
    """
    folders = folders_of(files.names)
    depths = {_depth(name) for name in folders}
    what = f"{parameter}='folder'"
    refuse_parts_of_the_data(files)
    if 0 in depths:
        raise ValueError(
            f"With {what}, each image must be in a folder below '{files.folder}', but "
            f"{folders['']} of {len(files.names)} images are not, such as "
            f"'{next(n for n in files.names if '/' not in n)}'. Move them into a "
            "folder, or out of this one."
        )
    if depths != {1}:
        example = max(files.names, key=_depth)
        raise ValueError(
            f"With {what}, each image must be one folder below '{files.folder}', but "
            f"images such as '{example}' are deeper. Say what the folders stand for "
            f"with one of these calls:\n{_calls_for_levels(files)}"
        )
    return [os.path.dirname(name) for name in files.names]


def refuse_two_meanings(files: Files) -> None:
    """Raise the ValueError on folders that are classes and groups at once."""
    raise ValueError(
        "label='folder' and group='folder' do not say which level of folders is the "
        f"class. Use one of these calls:\n{_calls_for_levels(files)}"
    )


def check_folders_are_explained(files: Files) -> None:
    """Raise a ValueError if files are in subfolders, which may mean different things.

    The message shows the calls for each meaning.
    """
    folders = folders_of(files.names)
    n_here = folders.pop("", 0)
    if not folders:
        return
    refuse_parts_of_the_data(files)
    lines = [
        f"'{files.folder}' holds images in {len(folders)} "
        f"folder{'' if len(folders) == 1 else 's'}: {_counted(folders)}."
    ]
    if n_here:
        lines[0] += f" It also holds {n_here} images itself."
    if {_depth(name) for name in folders} == {1}:
        lines += [
            "The folders may be classes or slides. Say which with one of these calls:",
            f"  {call(files, label='folder')}",
            f"  {call(files, group='folder')}",
        ]
    else:
        lines += [
            "Say what the folders stand for with one of these calls:",
            _calls_for_levels(files),
        ]
    first = min(folders)
    lines += [
        "If they are neither, read one of them, or take labels and groups from a table "
        "or from the names of the files:",
        f"  load_patch_folder({os.path.join(files.folder, *first.split('/'))!r})",
        f"  {call(files, table='labels.csv', path='id', label='label')}",
        f"  {call(files, pattern='...')}",
    ]
    raise ValueError("\n".join(lines))


def call(files: Files, **parameters: str) -> str:
    """Return the text of a call of `load_patch_folder`."""
    root = files.folder
    if files.subset is not None:
        root = os.path.dirname(root)
        parameters = {"subset": files.subset, **parameters}
    texts = [repr(root), *(f"{name}={value!r}" for name, value in parameters.items())]
    return f"load_patch_folder({', '.join(texts)})"


def _calls_for_levels(files: Files) -> str:
    """Show the calls for each meaning of several levels of folders."""
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
        f"The folders in '{files.folder}' seem to be parts of the data: "
        f"{', '.join(sorted(parts))}. Read one of them at a time:"
    ]
    lines += [f"  {call(files._replace(subset=None), subset=p)}" for p in sorted(parts)]
    raise ValueError("\n".join(lines))


def _where_images_are(root: str) -> str:
    """Name the folders that contain images, and the call that reads them."""
    folders = folders_of(list_images(root).names)
    if not folders:
        return ""
    first = max(folders, key=lambda name: (folders[name], name))
    path = os.path.join(root, *first.split("/")) if first else root
    return (
        f" There are images in {_counted(folders)} below '{root}'. Read such a folder "
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
    """Return names without suffix, or with it if they are the same without."""
    stems = [os.path.splitext(name)[0] for name in names]
    return stems if len(set(stems)) == len(stems) else list(names)
