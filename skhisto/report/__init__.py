"""Report of problems in a data set before training."""

from skhisto.report._patch_report import patch_report
from skhisto.report._result import PatchReport

__all__ = ["PatchReport", "patch_report"]
