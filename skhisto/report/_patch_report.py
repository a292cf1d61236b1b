"""Search for problems in a data set before training."""

from collections.abc import Iterable
from dataclasses import asdict
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, validate_params

from skhisto._data.checks import check_labels
from skhisto.patches._definition import as_patches
from skhisto.patches._patch_array import check_groups
from skhisto.report._bad_pixels import is_blank, odd_ones, pixel_findings
from skhisto.report._doubtful_labels import check_proba, label_findings
from skhisto.report._duplicates import duplicate_findings
from skhisto.report._finding import PROBLEMS, Finding
from skhisto.report._images import is_paths
from skhisto.report._result import PatchReport
from skhisto.report._survey import survey
from skhisto.report._table_findings import table_findings


@validate_params(
    {"n_splits": [Interval(Integral, 2, None, closed="left")]},
    prefer_skip_nested_validation=True,
)
def patch_report(
    X: Any,
    y: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    proba: ArrayLike | None = None,
    *,
    splits: ArrayLike | None = None,
    n_splits: int = 5,
) -> PatchReport:
    """Find problems in a data set before training.

    Each patch is read once, and the data are not changed. The report lists patches to
    look at. A finding is not always an error. For example, fat tissue looks mostly like
    glass.

    Parameters
    ----------
    X : array-like or PatchArray of shape (n, height, width, channels), or sequence of \
            paths
        Patches, see :class:`PatchArray`, or names of image files of any size and mode.
        Files are loaded in small batches.
    y : array-like of shape (n,), default=None
        Labels of the patches.
    groups : array-like of shape (n,), default=None
        Slide or patient of each patch. None uses the groups of `X` if it is a
        PatchArray with groups.
    proba : array-like of shape (n, n_classes) or (n,), default=None
        Out-of-fold probabilities of the classes, for example from
        ``cross_val_predict(..., method="predict_proba")``. The columns are in the order
        of the sorted labels. With two classes, the last column is sufficient. Requires
        the package cleanlab (``pip install cleanlab``).
    splits : array-like of shape (n,), default=None
        The part of the data set that each patch belongs to, such as "train" or "test".
    n_splits : int, default=5
        Number of folds for which classes and groups must be large enough.

    Returns
    -------
    report : PatchReport
        ``print(report)`` shows a summary, ``report.findings`` is a DataFrame, and
        ``report.plot()`` shows the patches.

    Raises
    ------
    FileNotFoundError
        If a file does not exist.
    ImportError
        If `proba` is given and cleanlab is not installed.
    TypeError
        If X is a data set, a loader, an iterator or a mapping.
    ValueError
        If X is not a valid stack of patches, if arguments have different lengths, or if
        `proba` does not contain probabilities of the classes.

    See Also
    --------
    PatchReport : The result.
    PatchGridDisplay : Show patches.
    ClassBalanceDisplay : Show the number of patches of each class and group.

    Notes
    -----
    The problems are:

    - "unreadable": a file is not a supported image.
    - "odd size", "odd mode": an image differs from most others in size, or in dtype or
      number of channels. Of equally frequent sizes, the first one counts as usual.
    - "single colour": the standard deviation of each channel is below 2 of 255.
    - "glass": at least 98 % of the pixels are bright (180 or more) and colourless
      (channels differ by at most 30).
    - "blur": `sharpness` is below 0.30, or it is below 0.36 and at least 3.5 robust
      standard deviations below the median of the data set [1]_. Glass is not included.
    - "pen": at least 5 % of the pixels have the colour of green, blue or black ink.
      Folds and the dark edge of a slide can look like black ink. Red ink is not found,
      because its colour cannot be distinguished from blood.
    - "exact duplicate": all pixels are equal.
    - "near duplicate": patches look alike, possibly after rotation by 90 degrees or a
      flip. Their perceptual hashes [2]_ differ in at most 7 of 64 bits, and the
      coefficients behind the hashes have a cosine of at least 0.95. Copies that are
      shifted by more than one or two pixels are not found. Patches of a single colour
      and glass are not compared.
    - "doubtful label": `proba` contradicts the label by the definition of confident
      learning [3]_.
    - "single class": all patches have the same label.
    - "small class": a class has fewer than `n_splits` patches or, with groups, is in
      fewer than `n_splits` groups.
    - "small group": a group has fewer than `n_splits` patches.
    - "few groups": there are fewer than `n_splits` groups.
    - "group of one class": all patches of a group have the same label, but other
      groups have other labels.

    Glass and ink are only measured in RGB and RGBA patches. The range is 0 to 255 for
    uint8 and 0 to 65,535 for uint16. For other numbers, it is 0 to 1 if the first
    patches do not exceed 1, and 0 to 255 otherwise.

    The report needs about 300 bytes per patch, and reads the pixels of a few dozen
    patches at a time. Comparing all pairs would take 4 n**2 comparisons of hashes,
    which is 200 billion for 220,000 patches. Multi-index hashing [4]_ finds the same
    pairs with a small fraction of these comparisons.

    References
    ----------
    .. [1] S. Pertuz, D. Puig, M. A. Garcia. "Analysis of focus measure operators for
       shape-from-focus". Pattern Recognition 46(5), 2013, compares measures of
       sharpness.
    .. [2] C. Zauner. "Implementation and Benchmarking of Perceptual Image Hash
       Functions". Master's thesis, Upper Austria University of Applied Sciences, 2010.
    .. [3] C. G. Northcutt, L. Jiang, I. L. Chuang. "Confident Learning: Estimating
       Uncertainty in Dataset Labels". Journal of Artificial Intelligence Research 70,
       2021.
    .. [4] M. Norouzi, A. Punjani, D. J. Fleet. "Fast Search in Hamming Space with
       Multi-Index Hashing". CVPR 2012.

    Examples
    --------
    >>> import numpy as np
    >>> from skhisto import make_patches, patch_report
    >>> X, y, slides = make_patches(200, size=48, random_state=0, return_groups=True)
    >>> X[7] = np.rot90(X[3])  # of another slide
    >>> X[9] = 255
    >>> report = patch_report(X, y, groups=slides)
    >>> print(report)  # doctest: +NORMALIZE_WHITESPACE
    Report of 200 patches
      single colour:  1 patch (9)
      near duplicate: 2 patches in 1 set (1 across groups)
    Not found: unreadable, odd size, odd mode, glass, blur, pen, exact duplicate, single
    class, small class, small group, few groups, group of one class.
    Not checked: doubtful label (needs y and proba).
    >>> report.rows("near duplicate")
    array([3, 7])
    """
    X = X if is_paths(X) else as_patches(X)
    n_patches = len(X)
    groups = getattr(X, "groups", None) if groups is None else groups
    y = None if y is None else check_labels(y, n_patches)
    groups = check_groups(groups, n_patches)
    splits = check_groups(splits, n_patches)
    proba = check_proba(proba, y)
    found = survey(X)
    columns = {"groups": groups, "classes": y, "splits": splits}
    findings = [
        *(Finding("unreadable", row=i, detail=why) for i, why in found.unreadable),
        *odd_ones(found.measures),
        *pixel_findings(found.measures),
        *duplicate_findings(
            found.digests, found.coefs, is_blank(found.measures), columns
        ),
        *([] if y is None or proba is None else label_findings(y, proba)),
        *table_findings(y, groups, n_splits),
    ]
    table = _table(findings, y, groups, splits)
    return PatchReport(X, table, found.measures, _unchecked(y, groups, proba))


def _table(
    findings: Iterable[Finding],
    y: np.ndarray | None,
    groups: np.ndarray | None,
    splits: np.ndarray | None,
) -> pd.DataFrame:
    """Return findings in the order of the report, with labels, groups and splits."""
    columns = [*Finding.__dataclass_fields__, "split"]
    # dtype object, because missing values would convert integers to floats.
    records = [asdict(each) for each in findings]
    table = pd.DataFrame(records, columns=columns, dtype=object)
    rows = table["row"].notna()
    for column, values in {"label": y, "group": groups, "split": splits}.items():
        if values is not None:
            table.loc[rows, column] = values[table["row"][rows].astype(int)].tolist()
    table = table.astype({"row": "Int64", "set": "Int64", "value": float})
    order = table["problem"].map(PROBLEMS.index).argsort(kind="stable")
    order_of_columns = [*columns[:-2], "split", "detail"]
    return table.iloc[order][order_of_columns].reset_index(drop=True)


def _unchecked(
    y: np.ndarray | None, groups: np.ndarray | None, proba: np.ndarray | None
) -> dict[str, str]:
    """Return the problems that were not checked for lack of arguments."""
    needs = {
        "doubtful label": {"y": y, "proba": proba},
        "single class": {"y": y},
        "small class": {"y": y},
        "small group": {"groups": groups},
        "few groups": {"groups": groups},
        "group of one class": {"y": y, "groups": groups},
    }
    return {
        problem: f"needs {' and '.join(arguments)}"
        for problem, arguments in needs.items()
        if any(value is None for value in arguments.values())
    }
