"""Files of maps, in npz format without pickles."""

import json
import os
import zipfile
from typing import Any, BinaryIO

import numpy as np

from skhisto._atomic_file import atomic_path

DEFAULT_MAX_BYTES = 256 * 2**20

_KIND = "skhisto.ProbabilityMap"
_FORMAT = 1
_ARRAYS = ("probabilities", "classes", "tissue")


def write_map(path: str | os.PathLike[str], fields: dict[str, Any]) -> None:
    """Write the fields of a map: large ones as arrays, the others as JSON."""
    arrays = {name: fields[name] for name in _ARRAYS}
    others = {name: value for name, value in fields.items() if name not in _ARRAYS}
    header = json.dumps({"kind": _KIND, "format": _FORMAT, **others})
    with atomic_path(path) as temporary, open(temporary, "xb") as file:
        np.savez_compressed(file, header=np.array(header), **arrays)


def read_map(file: BinaryIO, max_bytes: int) -> dict[str, Any]:
    """Read the fields of a map of limited size. No code in the file is run.

    Damaged or malicious files raise many types of exceptions.
    """
    _check_size(file, max_bytes)
    with np.load(file, allow_pickle=False) as content:
        header = json.loads(str(content["header"][()]))
        if header.pop("kind") != _KIND:
            raise ValueError("the file contains something else")
        version = header.pop("format")
        if version != _FORMAT:
            raise ValueError(
                f"the file has format {version}, but this version of skhisto reads "
                f"format {_FORMAT}. Install a newer skhisto"
            )
        return {**header, **{name: content[name] for name in _ARRAYS}}


def _check_size(file: BinaryIO, max_bytes: int) -> None:
    # zipfile never expands more than the size that is stated in the directory.
    with zipfile.ZipFile(file) as archive:
        n_bytes = sum(member.file_size for member in archive.infolist())
    file.seek(0)
    if n_bytes > max_bytes:
        raise ValueError(
            f"the arrays have {n_bytes:,} bytes, but the limit is {max_bytes:,}. Pass "
            "a higher max_bytes if you trust the file"
        )
