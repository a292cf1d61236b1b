"""A finding: a problem and its location."""

from dataclasses import dataclass
from math import nan
from typing import Any

PROBLEMS = (
    "unreadable",
    "odd size",
    "odd mode",
    "single colour",
    "glass",
    "blur",
    "pen",
    "exact duplicate",
    "near duplicate",
    "doubtful label",
    "single class",
    "small class",
    "small group",
    "few groups",
    "group of one class",
)
"""All problems, in the order of the report."""


@dataclass(frozen=True)
class Finding:
    """A row of the table of findings, see `PatchReport`."""

    problem: str
    row: int | None = None
    value: float = nan
    set: int | None = None
    across: str = ""
    label: Any = None
    group: Any = None
    detail: str = ""
