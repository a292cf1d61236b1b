"""Pages of results, of which each section is replaced on its own."""

import os
import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

_MARKER = re.compile(r"^<!-- section: (\w+) -->\n", re.MULTILINE)


def replace_section(
    file: Path, heading: str, name: str, text: str, order: Iterable[str]
) -> None:
    """Write a section into a page, which may not exist yet, and keep all others.

    Parameters
    ----------
    file : Path
    heading : str
        The beginning of the page.
    name : str
        The section.
    text : str
        What it says now.
    order : iterable of str
        Names of all sections. Sections with other names are removed.
    """
    old = file.read_text(encoding="utf-8") if file.exists() else ""
    _, *parts = _MARKER.split(old)
    sections = dict(zip(parts[::2], parts[1::2], strict=True)) | {name: text}
    page = [heading.strip()]
    for known in order:
        if known in sections:
            page.append(f"<!-- section: {known} -->\n{sections[known].strip()}")
    write(file, "\n\n".join(page) + "\n")


def write(file: Path, text: str) -> None:
    """Write a file in one go, so that it is the old one or the new one."""
    with tempfile.NamedTemporaryFile(
        "w", dir=file.parent, suffix=".tmp", encoding="utf-8", delete=False
    ) as new:
        new.write(text)
    os.chmod(new.name, 0o644)
    os.replace(new.name, file)
