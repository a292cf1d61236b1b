"""The summary of a report as text."""

from collections.abc import Mapping

import pandas as pd

from skhisto.report._finding import PROBLEMS

_MOST_EXAMPLES = 3


def summary_of(
    findings: pd.DataFrame, n_patches: int, unchecked: Mapping[str, str]
) -> str:
    """Return one line per problem, and the problems not found or not checked."""
    found = {
        name: findings[findings["problem"] == name]
        for name in findings["problem"].unique().tolist()
    }
    width = max((len(problem) for problem in found), default=0) + 2
    lines = [f"  {problem + ':':<{width}}{_line(found[problem])}" for problem in found]
    title = f"Report of {n_patches:,} patch{'' if n_patches == 1 else 'es'}"
    missing = [name for name in PROBLEMS if name not in found and name not in unchecked]
    if missing:
        lines.append(f"Not found: {', '.join(missing)}.")
    if unchecked:
        lines.append(f"Not checked: {_with_reasons(unchecked)}.")
    return "\n".join([title, *lines])


def _with_reasons(unchecked: Mapping[str, str]) -> str:
    """Return the names of problems, grouped by reason."""
    parts = []
    for reason in dict.fromkeys(unchecked.values()):
        names = [name for name, why in unchecked.items() if why == reason]
        parts.append(f"{', '.join(names)} ({reason})")
    return "; ".join(parts)


def _line(found: pd.DataFrame) -> str:
    if found["set"].notna().any():
        return _duplicates(found)
    if found["row"].notna().any():
        examples = ", ".join(map(str, found["row"].head(_MOST_EXAMPLES)))
        what = "such as " if len(found) > _MOST_EXAMPLES else ""
        return f"{count(len(found), 'patch', 'patches')} ({what}{examples})"
    return _classes_or_groups(found)


def _duplicates(found: pd.DataFrame) -> str:
    sets = found.drop_duplicates("set")
    across = sets["across"].str.split(", ").explode()
    counts = across[across != ""].value_counts(sort=False)
    where = ", ".join(f"{n} across {name}" for name, n in counts.items())
    patches = count(len(found), "patch", "patches")
    text = f"{patches} in {count(len(sets), 'set', 'sets')}"
    return f"{text} ({where})" if where else text


def _classes_or_groups(found: pd.DataFrame) -> str:
    names = found["group"].where(found["group"].notna(), found["label"])
    examples = [
        detail if pd.isna(name) else f"{name}: {detail}"
        for name, detail in zip(names, found["detail"], strict=True)
    ]
    more = len(examples) - _MOST_EXAMPLES
    shown = "; ".join(examples[:_MOST_EXAMPLES])
    return f"{shown}, and {more} more" if more > 0 else shown


def count(n: int, one: str, many: str) -> str:
    """Return a number with its noun in the singular or plural."""
    return f"{n:,} {one if n == 1 else many}"
