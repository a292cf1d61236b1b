"""Checkpoint files, which contain arrays and one JSON document."""

import hashlib
import json
import os
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

_DOCUMENT = "checkpoint.json"
_SUFFIX = ".npy"

Arrays = Mapping[str, np.ndarray]


class CheckpointFile:
    """A ``.npz`` file with arrays and a JSON document, which is replaced atomically.

    Parameters
    ----------
    folder : path-like
        The folder of the file. It must not contain other files.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.path = Path(folder, "checkpoint.npz")

    def read(self) -> tuple[dict[str, Any], dict[str, np.ndarray]] | None:
        """Return the document and the arrays, or None if the file does not exist.

        Raises
        ------
        OSError
            If the file cannot be opened.
        ValueError
            If the file is truncated or corrupt.
        """
        try:
            with open(self.path, "rb") as file:
                return _read(file)
        except FileNotFoundError:
            return None
        except OSError:
            raise
        except Exception as error:  # damaged ZIP files raise many types
            raise ValueError(f"it is truncated or corrupt ({error})") from error

    def write(self, document: Mapping[str, Any], arrays: Arrays) -> None:
        """Replace the file. An error leaves the old file unchanged.

        Raises
        ------
        OSError
            If the file cannot be written, such as on a full disk.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_name(f"{self.path.name}.{uuid4().hex}.tmp")
        try:
            with open(temporary, "xb") as file:
                _write(file, document, arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        _sync_folder(self.path.parent)

    def remove_leftovers(self) -> None:
        """Remove the temporary files of processes that were killed."""
        for path in self.path.parent.glob(f"{self.path.name}.*.tmp"):
            with suppress(OSError):
                path.unlink()


def _read(file: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    n_bytes = file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename} is compressed")
        # Overlapping members could exhaust the memory.
        if sum(member.file_size for member in members) > n_bytes:
            raise ValueError("its members are larger than the file")
        document = json.loads(archive.read(_DOCUMENT))
        if len(set(document["arrays"])) < len(document["arrays"]):
            raise ValueError("it lists an array twice")
        arrays = {}
        for name in document["arrays"]:
            with archive.open(name + _SUFFIX) as member_file:
                arrays[name] = np.lib.format.read_array(member_file, allow_pickle=False)
    if document.pop("sha256") != _digest(document, arrays):
        raise ValueError("its checksum differs from its contents")
    return document, arrays


def _write(file: Any, document: Mapping[str, Any], arrays: Arrays) -> None:
    document = dict(document) | {"arrays": list(arrays)}
    document["sha256"] = _digest(document, arrays)
    with zipfile.ZipFile(file, "w") as archive:
        text = json.dumps(document, allow_nan=False, indent=1)
        archive.writestr(zipfile.ZipInfo(_DOCUMENT), text)
        for name, array in arrays.items():
            with archive.open(name + _SUFFIX, "w", force_zip64=True) as member_file:
                np.lib.format.write_array(member_file, array, allow_pickle=False)


def _digest(document: Mapping[str, Any], arrays: Arrays) -> str:
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for array in arrays.values():
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _sync_folder(folder: Path) -> None:
    """Flush a folder to disk, so that a renamed file survives a power failure."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
