"""Comparison of patches with what was published."""

import hashlib
import os
from collections.abc import Sequence

from skhisto.datasets._id_table import listed
from skhisto.datasets._published_sets import KAGGLE
from skhisto.patches._patch_array import PatchArray


def check_sha1_ids(data: PatchArray, ids: Sequence[str], files: Sequence[str]) -> None:
    """Raise a ValueError unless each id is the SHA-1 of the pixels of its file.

    Ids may contain folders, of which only the last part counts.
    """
    names = [os.path.basename(name) for name in ids]
    no_hash = [name for name in names if len(name) != 40 or not _is_hex(name)]
    if no_hash:
        raise ValueError(
            f"verify=True compares the pixels with ids that are SHA-1 sums, as in "
            f"{KAGGLE.name} ({KAGGLE.address}), but {listed(no_hash, 'id')} "
            f"{'is' if len(no_hash) == 1 else 'are'} not. Other data sets publish no "
            "sums of their pixels that skhisto knows."
        )
    pairs = zip(data, names, files, strict=True)
    wrong = [
        file
        for patch, name, file in pairs
        if hashlib.sha1(patch.tobytes(), usedforsecurity=False).hexdigest() != name
    ]
    if wrong:
        raise ValueError(
            f"The pixels are not the published ones in {listed(wrong, 'file')}. The "
            "SHA-1 of the pixels differs from the id. Download these files again."
        )


def _is_hex(text: str) -> bool:
    return not set(text) - set("0123456789abcdef")
