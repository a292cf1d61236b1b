"""Checks of PatchCamelyon files against the published ones."""

import gzip
import hashlib
import os
import warnings
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from skhisto.patches._patch_array import PatchArray
from skhisto.patches._transformed import chunks

N_PUBLISHED = {"train": 262_144, "valid": 32_768, "test": 32_768}
"""The published number of patches of each subset."""

# The table at https://github.com/basveeling/pcam swaps the sums of "valid" and "test"
# (see issues 1 and 4 there). These are the sums of the linked files.
PUBLISHED_MD5 = {
    "camelyonpatch_level_2_split_train_x.h5.gz": "1571f514728f59376b705fc836ff4b63",
    "camelyonpatch_level_2_split_train_y.h5.gz": "35c2d7259d906cfc8143347bb8e05be7",
    "camelyonpatch_level_2_split_valid_x.h5.gz": "d5b63470df7cfa627aeec8b9dc0c066e",
    "camelyonpatch_level_2_split_valid_y.h5.gz": "2b85f58b927af9964a4c15b8f7e8f179",
    "camelyonpatch_level_2_split_test_x.h5.gz": "d8c2d60d490dbd479f8199bdfa0cf6ec",
    "camelyonpatch_level_2_split_test_y.h5.gz": "60a7035772fbdb7f34eb86d4420cf66a",
}
"""MD5 sums of the compressed files."""

_CHUNK_BYTES = 2**20


def compare_number(path: str, n_patches: int, subset: str, *, must_equal: bool) -> str:
    """Compare the number of patches with the published one and describe the result.

    Raises
    ------
    ValueError
        If the numbers differ and `must_equal` is true.

    Warns
    -----
    UserWarning
        If the numbers differ and `must_equal` is false.
    """
    n_published = N_PUBLISHED[subset]
    if n_patches == n_published:
        return "The number of patches here is the same."
    message = (
        f"'{path}' contains {n_patches:,} patches, but the published file contains "
        f"{n_published:,}. The file is incomplete or belongs to another subset."
    )
    if must_equal:
        raise ValueError(f"{message} Download it again.")
    warnings.warn(message, UserWarning, stacklevel=3)
    return f"There are {n_patches:,} patches here. They are not the complete subset."


def verify_file(path: str, data: PatchArray | None) -> None:
    """Raise a ValueError if a file differs from the published one.

    Parameters
    ----------
    path : str
        The HDF5 file. It is compared with a compressed file in the same folder, if
        there is one.
    data : PatchArray or None
        The patches of the file. They are read if there is no compressed file.
    """
    archive = f"{path}.gz"
    if not os.path.exists(archive):
        if data is not None:
            for part in chunks(data):
                np.asarray(data[part])  # raises an error if the file is damaged
        return
    expected, found = PUBLISHED_MD5[os.path.basename(archive)], _md5_of(archive)
    if found != expected:
        raise ValueError(
            f"'{archive}' is not the published file. Its MD5 sum is {found}, but the "
            f"published sum is {expected}. Download it again."
        )
    if not _has_content_of(path, archive):
        raise ValueError(
            f"'{path}' and the published file '{archive}' have different contents. "
            "Decompress it again."
        )


def _md5_of(path: str) -> str:
    md5 = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        for chunk in _chunks(file):
            md5.update(chunk)
    return md5.hexdigest()


def _has_content_of(path: str, archive: str) -> bool:
    with gzip.open(archive) as packed, open(path, "rb") as file:
        for chunk in _chunks(packed):
            if file.read(len(chunk)) != chunk:
                return False
        return not file.read(1)


def _chunks(file: BinaryIO | gzip.GzipFile) -> Iterator[bytes]:
    while chunk := file.read(_CHUNK_BYTES):
        yield chunk
