"""Sets of patches that are equal or look alike."""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from skhisto.report._finding import Finding
from skhisto.report._near_duplicates import sets_of_near_duplicates


def duplicate_findings(
    digests: np.ndarray,
    coefs: np.ndarray,
    blank: np.ndarray,
    columns: Mapping[str, np.ndarray | None],
) -> Iterator[Finding]:
    """Yield the members of all sets of duplicates, most severe sets first.

    Parameters
    ----------
    digests : ndarray of shape (n,), object
        Digests of the pixels. None for files that cannot be read.
    coefs : ndarray of shape (n, 8, 8)
        Coefficients for the perceptual hash.
    blank : ndarray of shape (n,), bool
        Patches of one colour and glass. They look alike without being copies.
    columns : mapping of str to ndarray of shape (n,) or None
        Values that should be equal within a set: groups, classes and splits, by their
        name in the report.
    """
    rows = np.flatnonzero(~blank & (digests != None))  # noqa: E711 (of each item)
    copies = pd.factorize(digests[rows])[0]
    first_copies = np.unique(copies, return_index=True)[1]
    alike = sets_of_near_duplicates(coefs[rows[first_copies]])[copies]
    exact = list(_sets(copies))
    # A set of exact copies only is not reported as near duplicates.
    near = [members for members in _sets(alike) if np.ptp(copies[members]) > 0]
    number = 0
    for problem, sets in (("exact duplicate", exact), ("near duplicate", near)):
        described = [
            (rows[members], _across(rows[members], columns)) for members in sets
        ]
        for members, across in sorted(described, key=lambda each: each[1] == ""):
            for row in members:
                yield Finding(
                    problem, row=row, value=len(members), set=number, across=across
                )
            number += 1


def _sets(numbers: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the positions of each number that occurs more than once."""
    order = np.argsort(numbers, kind="stable")
    starts = np.flatnonzero(np.diff(numbers[order], prepend=-1))
    for members in np.split(order, starts[1:]):
        if len(members) > 1:
            yield members


def _across(rows: np.ndarray, columns: Mapping[str, np.ndarray | None]) -> str:
    """Return the names of the columns in which some patches differ."""
    return ", ".join(
        name
        for name, values in columns.items()
        if values is not None and len(pd.unique(values[rows])) > 1
    )
