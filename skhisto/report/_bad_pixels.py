"""Patches with unusable pixels: one colour, glass, blur, ink, odd sizes."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from skhisto.report._finding import Finding

MIN_CONTRAST = 2.0  # grey levels of 255, above the noise of a camera
MIN_GLASS = 0.98  # 0.95 would also find fat tissue
MIN_INK = 0.05

# Limits of `sharpness`, chosen on PatchCamelyon and synthetic patches that were blurred
# by Gaussians of 1 to 3 pixels. Below 0.30 nearly all patches are blurred, and above
# 0.36 few are. In between, a patch is reported if it is an outlier of its data set.
SURELY_BLURRED, SURELY_SHARP = 0.30, 0.36
_OUTLIER = 3.5  # robust standard deviations below the median
_MAD_TO_STD = 1.4826  # for a normal distribution


def pixel_findings(measures: pd.DataFrame) -> Iterator[Finding]:
    """Yield the findings of all measures, most extreme first.

    A patch of one colour is not reported as glass or ink. Patches of one colour and
    glass are not reported as blurred, because only noise and dust determine their
    sharpness.
    """
    single = measures["contrast"] < MIN_CONTRAST
    glass = (measures["glass"] >= MIN_GLASS) & ~single
    ink = (measures["ink"] >= MIN_INK) & ~single
    with_content = ~single & ~glass
    limit = _sharpness_limit(measures["sharpness"][with_content])
    blurred = (measures["sharpness"] < limit) & with_content
    for problem, is_found, measure, lowest_first in (
        ("single colour", single, "contrast", True),
        ("glass", glass, "glass", False),
        ("blur", blurred, "sharpness", True),
        ("pen", ink, "ink", False),
    ):
        found = measures[measure][is_found].sort_values(ascending=lowest_first)
        for row, value in zip(found.index.to_numpy(), found, strict=True):
            yield Finding(problem, row=row, value=value)


def odd_ones(measures: pd.DataFrame) -> Iterator[Finding]:
    """Yield images whose size or mode differs from most images.

    Of equally frequent sizes, the first one counts as usual.
    """
    sizes = measures[["height", "width"]].dropna().astype(int).agg(tuple, axis=1)
    for problem, kinds in (
        ("odd size", sizes.map(lambda size: f"{size[0]}x{size[1]} pixels")),
        ("odd mode", measures["mode"].dropna()),
    ):
        # value_counts keeps the order of occurrence for equal counts.
        usual = kinds.value_counts(sort=False).idxmax() if len(kinds) else None
        odd = kinds[kinds != usual]
        for row, kind in zip(odd.index.to_numpy(), odd, strict=True):
            yield Finding(problem, row=row, detail=f"{kind}, most have {usual}")


def is_blank(measures: pd.DataFrame) -> np.ndarray:
    """Return which patches have too little content for a comparison with others."""
    blank = (measures["contrast"] < MIN_CONTRAST) | (measures["glass"] >= MIN_GLASS)
    return blank.to_numpy()


def _sharpness_limit(values: pd.Series) -> float:
    """Return the sharpness below which a patch of this data set is blurred."""
    if not values.notna().any():
        return SURELY_BLURRED
    median = values.median()
    spread = _MAD_TO_STD * (values - median).abs().median()
    return float(np.clip(median - _OUTLIER * spread, SURELY_BLURRED, SURELY_SHARP))
