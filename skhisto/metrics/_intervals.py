"""Confidence intervals of metrics that resample whole slides."""

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
_NEAREST = 0.2  # to a bound, relative to the estimate's distance from it


@dataclass(frozen=True)
class BootstrapInterval:
    """A metric with its confidence interval.

    `bootstrap_interval` makes it.

    Parameters
    ----------
    estimate : float
        The metric of all samples.
    low, high : float
        The confidence interval.
    confidence : float
        Probability that such an interval contains the true value.
    n_groups : int
        Number of groups, such as slides.
    n_resamples : int
        Number of resamples that were drawn.
    n_dropped : int
        How many of them were not used, because a class was missing.
    method : {"logit t", "t", "Clopper-Pearson"}
        How the interval was computed, see `bootstrap_interval`.

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
    """Confidence interval of a metric, from resamples of whole slides.

    Patches of one slide are alike, so that the number of slides determines how certain
    a metric is. Each resample draws as many groups as there are, with replacement, and
    takes all samples of each group that is drawn.

    Parameters
    ----------
    metric : callable
        A metric of scikit-learn or any function of ``(y_true, y_score)`` that returns a
        number, such as `sklearn.metrics.roc_auc_score`.
    y_true : array-like of shape (n,)
        True labels.
    y_score : array-like of shape (n,) or (n, n_classes)
        What `metric` takes as its second argument: probabilities, scores or labels.
    groups : array-like of shape (n,), default=None
        Slide or patient of each sample. None takes each sample as a group of its own.
    confidence : float, default=0.95
        Probability that the interval contains the true value, in (0, 1).
    n_resamples : int, default=1000
        Number of resamples, at least 100.
    bounds : tuple of float or None, default=(0, 1)
        Lowest and highest possible value of the metric. ``(-1, 1)`` for Matthews'
        correlation coefficient. None for metrics without bounds, such as the log loss.
    random_state : int, RandomState instance or None, default=None
        An int makes the interval reproducible.

    Returns
    -------
    interval : BootstrapInterval

    Raises
    ------
    ValueError
        If numbers of samples differ, if there are fewer than 2 groups, if `bounds` are
        not two ascending numbers, if the metric is not a finite number or outside
        `bounds`, or if fewer than 2 resamples contain all classes.

    Warns
    -----
    UserWarning
        If there are fewer than 10 groups.

    See Also
    --------
    aggregate_by_group : Scores of slides.

    Notes
    -----
    Percentiles of resamples are too narrow for few groups [1]_. Instead, the interval
    is the estimate plus and minus a quantile of Student's t distribution times the
    standard error, with the number of groups minus 1 as degrees of freedom. The
    standard error is the standard deviation over resamples, times
    ``sqrt(n_groups / (n_groups - 1))``: a resample has the variance of a sample
    divided by its number, not by this number minus 1.

    - "logit t": for metrics with bounds. The interval is computed for the logit
      of the metric, scaled to [0, 1], and transformed back, so that it stays within
      the bounds. Resamples at a bound, where the logit is infinite, are moved inwards
      by 20 % of the distance between estimate and bound. With 1 %, intervals of
      one score a slide are up to four times wider, for the same coverage.
    - "t": for metrics without bounds. The interval is symmetric.
    - "Clopper-Pearson": if the estimate equals a bound, all resamples do so too, and
      the standard error is 0. The other end of the interval is then that of a
      proportion if each group is a success.

    A resample that lacks a class of `y_true` is dropped and counted.

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
        raise ValueError(f"An interval needs at least 2 groups; got {n_groups}.")
    draws = draw_groups(n_groups, n_resamples, random_state)
    draws = draws[_have_all_classes(true, codes, draws)]
    if len(draws) < 2:
        raise ValueError(
            f"Of {n_resamples} resamples, only {len(draws)} contain all classes. More "
            "groups of each class are needed."
        )
    order = np.argsort(codes, kind="stable")
    rows_of = np.split(order, np.cumsum(np.bincount(codes))[:-1])
    resamples = [np.concatenate([rows_of[i] for i in draw]) for draw in draws]
    estimate = _value(metric, true, score, bounds)
    replicates = [_value(metric, true[r], score[r], bounds) for r in resamples]
    if n_groups < _FEW_GROUPS:
        warnings.warn(
            f"The interval was computed from {n_groups} groups. With fewer than "
            f"{_FEW_GROUPS}, it is wide and may be too narrow nevertheless.",
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
    """Return the groups of each resample, of shape (n_resamples, n_groups)."""
    random = check_random_state(random_state)
    return random.randint(n_groups, size=(n_resamples, n_groups))


def interval_from(
    estimate: float,
    replicates: np.ndarray,
    n_groups: int,
    confidence: float,
    bounds: tuple[float, float] | None,
) -> tuple[float, float, str]:
    """Return an interval and how it was computed, from the metric of resamples."""
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
            "bounds must be the lowest and the highest value of the metric, as in "
            f"(0, 1), or None; got {bounds!r}."
        )


def _have_all_classes(
    true: np.ndarray, codes: np.ndarray, draws: np.ndarray
) -> np.ndarray:
    """Return which resamples contain all classes. Numbers have no classes."""
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
        raise ValueError(f"The metric must be a finite number; got {value}.")
    if bounds is not None and not bounds[0] <= value <= bounds[1]:
        raise ValueError(
            f"The metric is {value}, outside bounds={bounds}. Pass its lowest and "
            "highest value as bounds, or bounds=None if it has none."
        )
    return value
