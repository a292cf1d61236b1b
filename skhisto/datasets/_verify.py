"""Checks of pixels against published SHA-1 sums."""

import hashlib
import os
from collections.abc import Sequence

from skhisto.datasets._id_table import listed
from skhisto.datasets._published_sets import KAGGLE
from skhisto.patches._patch_array import PatchArray


def check_sha1_ids(data: PatchArray, ids: Sequence[str], files: Sequence[str]) -> None:
    """Raise a ValueError unless each id is the SHA-1 of the pixels of its file.

    Folders in an id are ignored.
    """
    names = [os.path.basename(name) for name in ids]
    no_hash = [name for name in names if len(name) != 40 or not _is_hex(name)]
    if no_hash:
        raise ValueError(
            f"verify=True needs ids that are SHA-1 sums of the pixels, as in "
            f"{KAGGLE.name} ({KAGGLE.address}), but {listed(no_hash, 'id')} "
            f"{'is' if len(no_hash) == 1 else 'are'} not. Other data sets cannot be "
            "verified."
        )
    pairs = zip(data, names, files, strict=True)
    wrong = [
        file
        for patch, name, file in pairs
        if hashlib.sha1(patch.tobytes(), usedforsecurity=False).hexdigest() != name
    ]
    if wrong:
        raise ValueError(
            f"The pixels differ from the published ones in {listed(wrong, 'file')}: "
            "their SHA-1 is not the id. Download these files again."
        )


def _is_hex(text: str) -> bool:
    return not set(text) - set("0123456789abcdef")
