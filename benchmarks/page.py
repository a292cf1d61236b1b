"""Pages of results."""

import os
import tempfile
from pathlib import Path


def write(file: Path, text: str) -> None:
    """Write a file in one go: it is the old one or the new one, and never a half."""
    with tempfile.NamedTemporaryFile(
        "w", dir=file.parent, suffix=".tmp", encoding="utf-8", delete=False
    ) as new:
        new.write(text)
    os.chmod(new.name, 0o644)
    os.replace(new.name, file)
