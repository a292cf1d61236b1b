"""Measure how often intervals over slides contain the true AUC.

Run from the root of the repository::

    python -m benchmarks.intervals
    python -m benchmarks.intervals --repetitions 20    # few, as a test

Scores of patches are binormal. The score of a patch is the sum of three normal numbers:
the offset of its slide, the separation of its slide if the patch is positive, and noise
of the patch. The true AUC is the one over infinitely many slides. There, a positive and
a negative patch come from two slides. Their difference is normal, and its mean is the
mean separation. Therefore the AUC is::

    Phi(mean separation / sqrt(2 (var(offset) + var(noise)) + var(separation)))

The table shows the share of intervals that contain it, for the interval of
`skhisto.metrics.bootstrap_interval` and for percentiles of resamples. It takes a few
minutes on one core.
"""

import argparse
from typing import NamedTuple

import numpy as np
from scipy import stats

from benchmarks.table import Table
from skhisto.metrics._intervals import draw_groups, interval_from

N_SLIDES = (4, 10, 20, 40)
N_RESAMPLES = 400
CONFIDENCE = 0.95


class Setting(NamedTuple):
    """Parameters of simulated slides. The variance of scores in a class is 1."""

    name: str
    auc: float
    slide_share: float  # of the variance that is due to the offset of the slide
    separation_sd: float  # between slides
    one_class_a_slide: bool
    n_patches: tuple[int, int] = (30, 90)  # of a slide


SETTINGS = (
    Setting("mixed slides", 0.90, 0.1, 0.3, False),
    Setting("mixed slides, high AUC", 0.97, 0.2, 0.3, False),
    Setting("mixed slides, strong effect", 0.90, 0.4, 0.3, False),
    Setting("slides of one class", 0.90, 0.1, 0.3, True),
    Setting("slides of one class, high AUC", 0.97, 0.2, 0.3, True),
    Setting("slides of one class, strong effect", 0.90, 0.4, 0.3, True),
    Setting("one score a slide", 0.90, 0.0, 0.0, True, (1, 2)),
)


class Pairs(NamedTuple):
    """Counts that determine the AUC of any choice of slides.

    ``n_wins[i, j]`` counts how often a positive patch of slide i has a higher score
    than a negative patch of slide j.
    """

    n_wins: np.ndarray
    n_positive: np.ndarray
    n_negative: np.ndarray

    def auc(self, draws: np.ndarray) -> np.ndarray:
        """Return the AUC of each draw of slides. NaN if a class is missing."""
        n_slides = len(self.n_positive)
        times = np.stack([np.bincount(draw, minlength=n_slides) for draw in draws])
        n_pairs = (times @ self.n_positive) * (times @ self.n_negative)
        with np.errstate(invalid="ignore"):
            return np.einsum("bi,ij,bj->b", times, self.n_wins, times) / n_pairs


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.intervals")
    parser.add_argument("--repetitions", type=int, default=1000)
    print(table(parser.parse_args().repetitions).markdown())


def table(repetitions: int) -> Table:
    """Return the coverage of both kinds of interval in all settings."""
    found = Table(["", "slides", *KINDS, "median width", "dropped"])
    for setting in SETTINGS:
        for n_slides in N_SLIDES:
            hits, width, dropped = coverage(setting, n_slides, repetitions)
            found.add(setting.name, n_slides, *hits.values(), width, dropped)
    return found


def coverage(
    setting: Setting, n_slides: int, repetitions: int, seed: int = 0
) -> tuple[dict[str, float], float, float]:
    """Return the share of intervals that contain the true AUC, for each kind.

    Returns
    -------
    hits : dict
        The share by the name of the kind.
    width : float
        Median width of the first kind.
    dropped : float
        Share of resamples without one of the classes.
    """
    rng = np.random.default_rng(seed)
    ends, n_kept = [], []
    while len(ends) < repetitions:
        pairs = count_pairs(*simulate(setting, n_slides, rng))
        if not (pairs.n_positive.any() and pairs.n_negative.any()):
            continue
        draws = draw_groups(n_slides, N_RESAMPLES, int(rng.integers(2**31)))
        resampled = pairs.auc(draws)
        resampled = resampled[np.isfinite(resampled)]
        (estimate,) = pairs.auc(np.arange(n_slides)[None])
        ends.append([c(estimate, resampled, n_slides) for c in KINDS.values()])
        n_kept.append(len(resampled))
    low, high = np.moveaxis(np.array(ends), 2, 0)
    share = ((low <= setting.auc) & (setting.auc <= high)).mean(axis=0)
    hits = dict(zip(KINDS, share.tolist(), strict=True))
    width = float(np.median(high[:, 0] - low[:, 0]))
    return hits, width, 1 - float(np.mean(n_kept)) / N_RESAMPLES


def simulate(
    setting: Setting, n_slides: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return labels, scores and slides of patches."""
    slides = np.repeat(np.arange(n_slides), rng.integers(*setting.n_patches, n_slides))
    if setting.one_class_a_slide:
        y_true = slides % 2
    else:
        y_true = (rng.random(len(slides)) < rng.beta(2, 2, n_slides)[slides]).astype(
            int
        )
    variance = 2 + setting.separation_sd**2
    separation = stats.norm.ppf(setting.auc) * np.sqrt(variance)
    separations = rng.normal(separation, setting.separation_sd, n_slides)
    offsets = rng.normal(0, np.sqrt(setting.slide_share), n_slides)
    noise = rng.normal(0, np.sqrt(1 - setting.slide_share), len(slides))
    return y_true, offsets[slides] + separations[slides] * y_true + noise, slides


def count_pairs(y_true: np.ndarray, y_score: np.ndarray, slides: np.ndarray) -> Pairs:
    """Compare all positive with all negative patches. Scores must differ."""
    n_slides = slides.max() + 1
    order = np.argsort(y_score)
    is_positive, slide = y_true[order] == 1, slides[order]
    is_of_slide = slide[:, None] == np.arange(n_slides)
    n_below = np.cumsum(is_of_slide & ~is_positive[:, None], axis=0)[is_positive]
    n_wins = is_of_slide[is_positive].T.astype(float) @ n_below
    n_positive, n_negative = (
        np.bincount(slide[which], minlength=n_slides).astype(float)
        for which in (is_positive, ~is_positive)
    )
    return Pairs(n_wins, n_positive, n_negative)


def _skhisto(estimate: float, resampled: np.ndarray, n: int) -> tuple[float, float]:
    return interval_from(estimate, resampled, n, CONFIDENCE, (0, 1))[:2]


def _percentiles(estimate: float, resampled: np.ndarray, n: int) -> tuple[float, float]:
    low, high = np.quantile(resampled, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return low, high


KINDS = {"skhisto": _skhisto, "percentiles": _percentiles}


if __name__ == "__main__":
    main()
