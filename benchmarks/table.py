"""Tables that are read as well on a terminal as in Markdown."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import floor, isnan, log10, nan

Cell = str | float | int


@dataclass
class Table:
    """A table with a caption above it, and with remarks below it.

    Parameters
    ----------
    columns : list of str
        Headings, with units.
    caption : str, default=""
    remarks : list of str
    """

    columns: list[str]
    caption: str = ""
    remarks: list[str] = field(default_factory=list)
    _rows: list[list[str]] = field(default_factory=list)

    def add(self, *cells: Cell, note: str = "") -> None:
        """Add a row. Strings stand as they are; a note goes into a last column."""
        self._rows.append([*map(as_text, cells), note])

    def fail(self, name: str, error: str) -> None:
        """Add a row without numbers."""
        self._rows.append([name, *["-"] * (len(self.columns) - 1), error])

    def markdown(self) -> str:
        """Return the table as Markdown, with aligned columns."""
        rows = [[*self.columns, "notes"], *self._rows]
        if not any(row[-1] for row in self._rows):
            rows = [row[:-1] for row in rows]
        columns = [_aligned(list(cells)) for cells in zip(*rows, strict=True)]
        lines = [f"| {' | '.join(cells)} |" for cells in zip(*columns, strict=True)]
        parts = [self.caption, "\n".join(lines)]
        parts.append("\n".join(f"- {remark}" for remark in self.remarks))
        return "\n\n".join(part for part in parts if part)


@dataclass
class Section:
    """A part of the results.

    Parameters
    ----------
    title : str
    intro : str
        What was measured, and how, for a stranger.
    tables : list of Table
    """

    title: str
    intro: str
    tables: list[Table]

    def markdown(self) -> str:
        """Return the section as Markdown."""
        parts = [f"## {self.title}", self.intro]
        return "\n\n".join([*parts, *(table.markdown() for table in self.tables)])


def as_text(cell: Cell) -> str:
    """Return a number with three digits, but with all that are before the point."""
    if isinstance(cell, str):
        return cell
    if isnan(cell):
        return "-"
    if isinstance(cell, int) or cell == 0:
        return f"{cell:,.0f}"
    digits = 2 - floor(log10(abs(cell)))
    return f"{cell:,.{min(max(digits, 0), 3)}f}"


def median(values: Sequence[float]) -> float:
    """Return the median, NaN of no values."""
    return statistics.median(values) if values else nan


def spread(values: Sequence[float]) -> str:
    """Return the lowest and the highest value."""
    return f"{as_text(min(values))} to {as_text(max(values))}" if values else "-"


def _aligned(column: list[str]) -> list[str]:
    """Pad a column, heading first, and put the rule below its heading."""
    width = max(map(len, column))
    # Words stand on the left, numbers on the right.
    if any(any(character.isalpha() for character in cell) for cell in column[1:]):
        cells, rule = [cell.ljust(width) for cell in column], "-" * width
    else:
        cells, rule = [cell.rjust(width) for cell in column], "-" * (width - 1) + ":"
    return [cells[0], rule, *cells[1:]]
