"""The error for missing image files, with hints on misspelt names."""

import os
import re
from collections.abc import Callable, Sequence

_N_NAMED = 10


def check_all_exist(paths: Sequence[str]) -> None:
    """Raise a FileNotFoundError with the number of missing files and ten names."""
    missing = [path for path in paths if not os.path.exists(path)]
    if not missing:
        return
    lines = [f"{len(missing)} of {len(paths)} image files do not exist:"]
    lines += [f"  {path}" for path in missing[:_N_NAMED]]
    if len(missing) > _N_NAMED:
        lines.append(f"  and {len(missing) - _N_NAMED} more")
    lines.append(
        _hint(missing[:_N_NAMED])
        or "Check the folder, the names and their suffix (such as '.tif')."
    )
    raise FileNotFoundError("\n".join(lines))


def _hint(missing: Sequence[str]) -> str | None:
    """Return a hint on the first correction that gives an existing file."""
    for correct, problem, advice in _CORRECTIONS:
        found = next(filter(os.path.exists, map(correct, missing)), None)
        if found is not None:
            return f"{problem}, but '{found}' exists. {advice}"
    return None


def _with_slashes(path: str) -> str:
    return path.replace("\\", "/")


def _without_blanks(path: str) -> str:
    """Remove spaces around folder and file names, also before the suffix."""
    return re.sub(r"\s*(/|\.\w+$|$)\s*", r"\1", path.lstrip())


_CORRECTIONS: tuple[tuple[Callable[[str], str], str, str], ...] = (
    (
        _with_slashes,
        "Names contain backslashes",
        "Replace them, for example with name.replace('\\\\', '/').",
    ),
    (
        _without_blanks,
        "Names begin or end with spaces",
        "Remove them, for example with name.strip().",
    ),
    (
        lambda path: _without_blanks(_with_slashes(path)),
        "Names contain backslashes and begin or end with spaces",
        "Correct them, for example with name.replace('\\\\', '/').strip().",
    ),
)
