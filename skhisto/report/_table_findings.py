"""Findings about classes and groups that are too small for folds."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from skhisto.report._finding import Finding
from skhisto.report._summary import count


def table_findings(
    y: np.ndarray | None, groups: np.ndarray | None, n_splits: int
) -> Iterator[Finding]:
    """Yield classes and groups that are too few or too small.

    Groups of a single class are also yielded, unless all patches have the same label.
    """
    if y is not None:
        if len(pd.unique(y)) == 1:
            detail = "all patches have this label, but a classifier needs 2 classes"
            yield Finding("single class", label=y[0], value=len(y), detail=detail)
        yield from _small_classes(y, groups, n_splits)
    if groups is None:
        return
    sizes = pd.Series(groups).value_counts(sort=False)
    if len(sizes) < n_splits:
        found = count(len(sizes), "group", "groups")
        detail = f"{found}, but {n_splits} folds need at least {n_splits}"
        yield Finding("few groups", value=len(sizes), detail=detail)
    for group, size in sizes[sizes < n_splits].items():
        patches = count(size, "patch", "patches")
        detail = f"{patches}, fewer than the {n_splits} folds"
        yield Finding("small group", group=group, value=size, detail=detail)
    if y is not None and len(pd.unique(y)) > 1:
        yield from _groups_of_one_class(y, groups)


def _small_classes(
    y: np.ndarray, groups: np.ndarray | None, n_splits: int
) -> Iterator[Finding]:
    what = ("patch", "patches") if groups is None else ("group", "groups")
    preposition = "" if groups is None else "in "
    units = pd.Series(np.arange(len(y)) if groups is None else groups)
    for label, n_units in units.groupby(y).nunique().items():
        if n_units < n_splits:
            found = preposition + count(n_units, *what)
            detail = f"{found}, but {n_splits} folds need at least {n_splits}"
            yield Finding("small class", label=label, value=n_units, detail=detail)


def _groups_of_one_class(y: np.ndarray, groups: np.ndarray) -> Iterator[Finding]:
    by_group = pd.Series(y).groupby(groups)
    for group, n_classes in by_group.nunique().items():
        members = by_group.get_group(group)
        if n_classes == 1 and len(members) > 1:
            label = members.iloc[0]
            detail = f"all {len(members)} patches have the label {label}"
            yield Finding(
                "group of one class",
                group=group,
                label=label,
                value=len(members),
                detail=detail,
            )
