"""The result of `patch_report`: tables, a summary and plots."""

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from skhisto.inspection._patch_grid import PatchGridDisplay
from skhisto.report._finding import PROBLEMS
from skhisto.report._images import is_paths, rgb_pictures
from skhisto.report._summary import summary_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST_TABLE = 10  # maximum number of rows in notebooks
_MOST_ROWS = 14  # maximum number of sets of duplicates in a plot


class PatchReport:
    """Problems of a data set, as returned by `patch_report`.

    ``print(report)`` shows one line per problem, and ``report.plot()`` shows patches.

    Attributes
    ----------
    findings : DataFrame
        One row per finding, in the order of the summary. Columns:

        - ``problem``: name of the problem, see `patch_report`.
        - ``row``: position of the patch in X. Missing for a class or a group.
        - ``value``: the measure behind the finding, such as the sharpness. For
          duplicates, it is the number of patches in the set. For labels, it is the
          probability of the given label. For classes and groups, it is their size.
        - ``set``: number of the set of duplicates, otherwise missing.
        - ``across``: which of "groups", "classes" and "splits" differ within the set
          of duplicates, separated by commas.
        - ``label``, ``group``, ``split``: label, group and split of the patch, or the
          class or group with the problem.
        - ``detail``: explanation.
    measures : DataFrame of n rows
        One row per patch. Columns:

        - ``height``, ``width``: size in pixels.
        - ``mode``: dtype and number of channels.
        - ``contrast``: standard deviation of the pixels, in grey levels from 0 to 255.
        - ``sharpness``: difference of adjacent pixels, relative to the difference of
          pixels 4 apart. It is 0.25 without fine detail and 1 for noise.
        - ``glass``: share of bright, colourless pixels.
        - ``ink``: share of pixels with the colour of green, blue or black ink.

    See Also
    --------
    patch_report : Create the report.

    Examples
    --------
    >>> from skhisto import make_patches, patch_report
    >>> X, y = make_patches(40, size=24, random_state=0)
    >>> X[[5, 8]] = 240
    >>> report = patch_report(X, y)
    >>> report.findings[["problem", "row", "label"]]
             problem  row label
    0  single colour    5     1
    1  single colour    8     0
    >>> display = report.plot()
    """

    __module__ = "skhisto"

    def __init__(
        self,
        X: Any,
        findings: pd.DataFrame,
        measures: pd.DataFrame,
        unchecked: dict[str, str],
    ) -> None:
        self._X = X
        self._unchecked = unchecked
        self.findings = findings
        self.measures = measures

    def __repr__(self) -> str:
        return summary_of(self.findings, len(self.measures), self._unchecked)

    def _repr_html_(self) -> str:
        table = self.findings.dropna(axis=1, how="all").to_html(max_rows=_LONGEST_TABLE)
        return f"<pre>{escape(repr(self))}</pre>{table}"

    def rows(self, *problems: str) -> np.ndarray:
        """Return the positions of the patches with some problems.

        Parameters
        ----------
        *problems : str
            Names of problems. Without names, patches with any problem are returned.

        Returns
        -------
        rows : ndarray of shape (n_found,), int
            Sorted, unique positions in X.

        Raises
        ------
        ValueError
            If a name is unknown.
        """
        found = self._of(problems or PROBLEMS)
        return np.unique(found["row"].dropna().to_numpy(dtype=int))

    def plot(
        self,
        *problems: str,
        n_patches: int = 6,
        ax: "Axes | None" = None,
    ) -> PatchGridDisplay:
        """Show the patches with some problems, with one row per problem.

        If a single problem is shown, each set of duplicates has its own row.

        Parameters
        ----------
        *problems : str
            Names of problems. Without names, all problems of patches are shown.
        n_patches : int, default=6
            Maximum number of patches in a row. Patches with extreme values come first.
        ax : matplotlib Axes, default=None
            Axes to draw on. None creates a new figure.

        Returns
        -------
        display : PatchGridDisplay
            Titles are positions in X. Images of odd sizes are resized. At most 14 sets
            of duplicates are shown.

        Raises
        ------
        ImportError
            If Matplotlib is not installed.
        ValueError
            If a name is unknown.
        """
        found = self._of(problems or PROBLEMS).dropna(subset="row")
        found = found[found["problem"] != "unreadable"]
        by_set = len(problems) == 1 and found["set"].notna().any()
        by = "set" if by_set else "problem"
        found = found.groupby(by, sort=False).head(n_patches)
        found = found[found[by].isin(found[by].unique()[:_MOST_ROWS])]
        names = ("set " + found["set"].astype(str)) if by_set else found["problem"]
        rows = found["row"].to_numpy(dtype=int)
        is_first = ~names.duplicated()
        display = PatchGridDisplay(
            self._pictures(rows),
            y_true=pd.factorize(names)[0],
            display_labels=list(names.unique()),
            titles=[
                f"{name}: {row}" if first else str(row)
                for name, row, first in zip(names, rows, is_first, strict=True)
            ],
        )
        return display.plot(ax=ax, n_columns=n_patches, row_per_class=True)

    def _of(self, problems: tuple[str, ...]) -> pd.DataFrame:
        if unknown := sorted(set(problems) - set(PROBLEMS)):
            raise ValueError(
                f"Unknown problem {unknown[0]!r}. Available problems: "
                f"{', '.join(PROBLEMS)}."
            )
        return self.findings[self.findings["problem"].isin(problems)]

    def _pictures(self, rows: np.ndarray) -> Any:
        if not is_paths(self._X):
            return self._X[rows]
        sizes = self.measures[["height", "width"]].dropna().astype(int)
        usual = sizes.value_counts().index[0] if len(rows) else (1, 1)
        return rgb_pictures([self._X[row] for row in rows], usual)
