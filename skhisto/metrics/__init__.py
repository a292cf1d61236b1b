"""Metrics that scikit-learn lacks, scores of slides, and confidence intervals."""

from skhisto.metrics._by_group import aggregate_by_group, share_above, top_k
from skhisto.metrics._intervals import BootstrapInterval, bootstrap_interval
from skhisto.metrics._specificity import specificity_at_sensitivity

__all__ = [
    "BootstrapInterval",
    "aggregate_by_group",
    "bootstrap_interval",
    "share_above",
    "specificity_at_sensitivity",
    "top_k",
]
