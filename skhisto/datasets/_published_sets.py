"""Published data sets that are recognised by file names or class names."""

import re
from collections.abc import Collection, Sequence
from typing import NamedTuple

_SHA1 = re.compile(r"[0-9a-f]{40}")


class PublishedSet(NamedTuple):
    """A published data set of image files.

    Attributes
    ----------
    name : str
    address : str
        Where it is published.
    size : tuple of int (height, width)
        In pixels.
    rows : dict of str to int
        Number of published patches of each part.
    meaning : str
        The meaning of the labels.
    """

    name: str
    address: str
    size: tuple[int, int]
    rows: dict[str, int]
    meaning: str


KAGGLE = PublishedSet(
    "Histopathologic Cancer Detection (Kaggle)",
    "https://www.kaggle.com/c/histopathologic-cancer-detection",
    (96, 96),
    {"train": 220_025, "test": 57_458},
    "Label 1 means that the central 32x32 pixels contain at least one pixel of tumour.",
)
_BY_CLASSES: dict[frozenset[object], PublishedSet] = {
    frozenset(
        {
            "01_TUMOR",
            "02_STROMA",
            "03_COMPLEX",
            "04_LYMPHO",
            "05_DEBRIS",
            "06_MUCOSA",
            "07_ADIPOSE",
            "08_EMPTY",
        }
    ): PublishedSet(
        "Kather 2016, textures in colorectal cancer",
        "https://doi.org/10.5281/zenodo.53169",
        (150, 150),
        {"": 5_000},
        "The labels are the eight tissue classes of the publication.",
    ),
    frozenset(
        {"ADI", "BACK", "DEB", "LYM", "MUC", "MUS", "NORM", "STR", "TUM"}
    ): PublishedSet(
        "NCT-CRC-HE-100K or CRC-VAL-HE-7K",
        "https://doi.org/10.5281/zenodo.1214456",
        (224, 224),
        {"NCT-CRC-HE-100K": 100_000, "CRC-VAL-HE-7K": 7_180},
        "The labels are the nine tissue classes of the publication.",
    ),
}


def recognise(
    ids: Sequence[str], labels: Collection[object] | None
) -> PublishedSet | None:
    """Recognise a published set by its ids or class names."""
    if all(_SHA1.fullmatch(name) for name in ids):
        return KAGGLE
    return None if labels is None else _BY_CLASSES.get(frozenset(labels))


def description(
    found: PublishedSet | None,
    n_patches: int,
    size: tuple[int, int],
    *,
    has_labels: bool,
) -> str:
    """Describe the published set, how the patches differ, and what labels mean."""
    if found is None:
        return "The meaning of the labels is not known."
    parts = " and ".join(
        f"{rows:,} patches{f' ({part})' * bool(part)}"
        for part, rows in found.rows.items()
    )
    height, width = found.size
    lines = [
        f"The names match {found.name}. It is published at {found.address} with "
        f"{parts} of {height}x{width} pixels."
    ]
    if size != found.size:
        lines.append(
            f"The patches here have {size[0]}x{size[1]} pixels. They were changed or "
            "belong to another data set."
        )
        return "\n".join(lines)
    if n_patches not in found.rows.values():
        lines.append(
            f"There are {n_patches:,} patches here. They are not the complete data set."
        )
    if has_labels:
        lines.append(found.meaning)
    return "\n".join(lines)
