"""Confidence intervals of metrics by resampling whole slides."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats
from scipy.special import expit, logit
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, validate_params
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_consistent_length, column_or_1d

_FEW_GROUPS = 10
_NEAREST = 0.2  # smallest distance to a bound, relative to the distance of the estimate


@dataclass(frozen=True)
class BootstrapInterval:
    """A metric with its confidence interval.

    `bootstrap_interval` returns objects of this class.

    Parameters
    ----------
    estimate : float
        The metric of all samples.
    low, high : float
        Limits of the confidence interval.
    confidence : float
        Probability that such an interval contains the true value.
    n_groups : int
        Number of groups, such as slides.
    n_resamples : int
        Number of resamples that were drawn.
    n_dropped : int
        Number of resamples that were not used because a class was missing.
    method : {"logit t", "t", "Clopper-Pearson"}
        Method that computed the interval, see `bootstrap_interval`.

    Examples
    --------
    >>> from skhisto.metrics import BootstrapInterval
    >>> print(BootstrapInterval(0.912, 0.85, 0.95, 0.95, 20, 2000, 0, "logit t"))
    0.912 (95 % interval 0.850 to 0.950, 20 groups)
    """

    estimate: float
    low: float
    high: float
    confidence: float
    n_groups: int
    n_resamples: int
    n_dropped: int
    method: str

    def __str__(self) -> str:
        return (
            f"{self.estimate:.3f} ({100 * self.confidence:.4g} % interval "
            f"{self.low:.3f} to {self.high:.3f}, {self.n_groups} groups)"
        )


@validate_params(
    {
        "metric": [callable],
        "y_true": ["array-like"],
        "y_score": ["array-like"],
        "groups": ["array-like", None],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "n_resamples": [Interval(Integral, 100, None, closed="left")],
        "bounds": [tuple, list, None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def bootstrap_interval(
    metric: Callable[[Any, Any], float],
    y_true: ArrayLike,
    y_score: ArrayLike,
    groups: ArrayLike | None = None,
    *,
    confidence: float = 0.95,
    n_resamples: int = 1000,
    bounds: tuple[float, float] | None = (0, 1),
    random_state: Any = None,
) -> BootstrapInterval:
    """Compute a confidence interval of a metric by resampling whole slides.

    Patches of the same slide are similar. Therefore the uncertainty of a metric depends
    on the number of slides rather than the number of patches. Each resample draws as
    many groups as `groups` contains, with replacement, and consists of all samples of
    these groups.

    Parameters
    ----------
    metric : callable
        A function of ``(y_true, y_score)`` that returns a number, such as
        `sklearn.metrics.roc_auc_score`.
    y_true : array-like of shape (n,)
        True labels.
    y_score : array-like of shape (n,) or (n, n_classes)
        Second argument of `metric`: probabilities, scores or labels.
    groups : array-like of shape (n,), default=None
        Slide or patient of each sample. None treats each sample as its own group.
    confidence : float, default=0.95
        Probability that the interval contains the true value, in (0, 1).
    n_resamples : int, default=1000
        Number of resamples, at least 100.
    bounds : tuple of float or None, default=(0, 1)
        Lowest and highest possible value of the metric. Use ``(-1, 1)`` for Matthews'
        correlation coefficient, and None for metrics without bounds, such as the log
        loss.
    random_state : int, RandomState instance or None, default=None
        Controls the resamples. Pass an int for reproducible results.

    Returns
    -------
    interval : BootstrapInterval
        The metric and its confidence interval.

    Raises
    ------
    ValueError
        - If `y_true`, `y_score` and `groups` have different lengths.
        - If `groups` contains fewer than 2 groups.
        - If `bounds` are not two ascending numbers.
        - If the metric is not finite, or outside `bounds`.
        - If fewer than 2 resamples contain all classes.

    Warns
    -----
    UserWarning
        If `groups` contains fewer than 10 groups.

    See Also
    --------
    aggregate_by_group : Scores of slides.

    Notes
    -----
    For few groups, intervals between percentiles of the resamples are too narrow [1]_.
    Instead, the interval is the estimate plus and minus the standard error times a
    quantile of Student's t distribution with ``n_groups - 1`` degrees of freedom. The
    standard error is the standard deviation over the resamples times
    ``sqrt(n_groups / (n_groups - 1))``. The factor corrects the bias of the bootstrap
    variance. The method depends on the bounds:

    - "logit t": for metrics with bounds. The metric is scaled to [0, 1], the interval
      is computed for its logit, and the limits are transformed back. As a result, the
      interval is within the bounds. The logit of a resample at a bound is infinite.
      Such resamples are moved inwards by 20 % of the distance between the estimate and
      the bound. With 1 %, intervals for one score per slide are up to four times as
      wide and have the same coverage.
    - "t": for metrics without bounds. The interval is symmetric.
    - "Clopper-Pearson": if the estimate is equal to a bound. All resamples are then
      equal to it, and the standard error is 0. The other limit is the Clopper-Pearson
      limit of a proportion for which each group is a success.

    Resamples that lack a class of `y_true` are dropped and counted.

    ``python -m benchmarks.intervals`` measures on simulated slides how often the
    interval contains the true value.

    References
    ----------
    .. [1] T. Hesterberg, "What Teachers Should Know About the Bootstrap", The American
       Statistician 69(4), 2015, https://doi.org/10.1080/00031305.2015.1089789

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.metrics import roc_auc_score
    >>> from skhisto.metrics import bootstrap_interval
    >>> rng = np.random.default_rng(0)
    >>> slides = np.repeat(np.arange(20), 50)
    >>> y_true = rng.integers(2, size=1000)
    >>> y_score = y_true + rng.normal(size=1000) + rng.normal(size=20)[slides]
    >>> print(
    ...     bootstrap_interval(
    ...         roc_auc_score, y_true, y_score, slides, n_resamples=200, random_state=0
    ...     )
    ... )
    0.718 (95 % interval 0.679 to 0.753, 20 groups)
    """
    _check_bounds(bounds)
    true, score = column_or_1d(y_true), np.asarray(y_score)
    given = np.arange(len(true)) if groups is None else column_or_1d(groups)
    check_consistent_length(true, score, given)
    _, codes = np.unique(given, return_inverse=True)
    n_groups = int(codes.max(initial=-1)) + 1
    if n_groups < 2:
        raise ValueError(
            f"A confidence interval needs at least 2 groups; got {n_groups}."
        )
    draws = draw_groups(n_groups, n_resamples, random_state)
    draws = draws[_have_all_classes(true, codes, draws)]
    if len(draws) < 2:
        raise ValueError(
            f"Only {len(draws)} of {n_resamples} resamples contain all classes. Pass "
            "more groups of each class."
        )
    order = np.argsort(codes, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    resamples = [np.concatenate([rows_of[i] for i in draw]) for draw in draws]
    estimate = _value(metric, true, score, bounds)
    replicates = [_value(metric, true[r], score[r], bounds) for r in resamples]
    if n_groups < _FEW_GROUPS:
        warnings.warn(
            f"The interval was computed from {n_groups} groups. With fewer than "
            f"{_FEW_GROUPS} groups, it may be too narrow.",
            UserWarning,
            stacklevel=2,
        )
    low, high, method = interval_from(
        estimate, np.asarray(replicates), n_groups, confidence, bounds
    )
    n_dropped = n_resamples - len(draws)
    return BootstrapInterval(
        estimate, low, high, confidence, n_groups, n_resamples, n_dropped, method
    )


def draw_groups(n_groups: int, n_resamples: int, random_state: Any) -> np.ndarray:
    """Draw the groups of each resample, shape (n_resamples, n_groups)."""
    random = check_random_state(random_state)
    return random.randint(n_groups, size=(n_resamples, n_groups))


def interval_from(
    estimate: float,
    replicates: np.ndarray,
    n_groups: int,
    confidence: float,
    bounds: tuple[float, float] | None,
) -> tuple[float, float, str]:
    """Return the limits of the interval and the name of the method."""
    tail = (1 - confidence) / 2
    quantile = stats.t.isf(tail, n_groups - 1) * np.sqrt(n_groups / (n_groups - 1))
    if bounds is None:
        reach = quantile * float(replicates.std(ddof=1))
        return estimate - reach, estimate + reach, "t"
    lowest, width = bounds[0], bounds[1] - bounds[0]
    share = (estimate - lowest) / width
    if share in (0, 1):
        end = tail ** (1 / n_groups)
        low, high = (end, 1.0) if share == 1 else (0.0, 1 - end)
        method = "Clopper-Pearson"
    else:
        # The logit of a bound is infinite.
        nearest = _NEAREST * min(share, 1 - share)
        shares = np.clip((replicates - lowest) / width, nearest, 1 - nearest)
        reach = quantile * logit(shares).std(ddof=1)
        low, high = expit(logit(share) + np.array([-reach, reach]))
        method = "logit t"
    return float(lowest + width * low), float(lowest + width * high), method


def _check_bounds(bounds: Any) -> None:
    is_pair = bounds is None or (
        len(bounds) == 2
        and all(isinstance(bound, Real) and math.isfinite(bound) for bound in bounds)
        and bounds[0] < bounds[1]
    )
    if not is_pair:
        raise ValueError(
            "bounds must be the lowest and the highest value of the metric, such as "
            f"(0, 1), or None; got {bounds!r}."
        )


def _have_all_classes(
    true: np.ndarray, codes: np.ndarray, draws: np.ndarray
) -> np.ndarray:
    """Return which resamples contain all classes, or all if labels are continuous."""
    if type_of_target(true) not in ("binary", "multiclass"):
        return np.ones(len(draws), bool)
    labels, of_row = np.unique(true, return_inverse=True)
    has_class = np.zeros((draws.shape[1], len(labels)), bool)
    has_class[codes, of_row] = True
    return has_class[draws].any(axis=1).all(axis=1)


def _value(
    metric: Callable[[Any, Any], float],
    true: np.ndarray,
    score: np.ndarray,
    bounds: tuple[float, float] | None,
) -> float:
    value = float(metric(true, score))
    if not np.isfinite(value):
        raise ValueError(f"The metric must return a finite number; got {value}.")
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        raise ValueError(
            f"The metric is {value}, which is outside bounds={bounds}. Pass its lowest "
            "and highest value as bounds, or bounds=None if it is unbounded."
        )
    return value
