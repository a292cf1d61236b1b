"""The file of scores, which is a part of the repository.

It contains an entry for each prediction on the page, and one for decisions. Entries
remain valid if the probabilities behind them are not available.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.accuracy.decisions import FITS, score_decisions
from benchmarks.accuracy.fits import FOLDS, Fit, Patches
from benchmarks.accuracy.recipes import RECOMMENDED, settings_of
from benchmarks.accuracy.rows import Records, all_predictions
from benchmarks.accuracy.scores import score

N_DIGITS = 4
DECISIONS = f"decisions: {RECOMMENDED}, tta, seed 0"

Entry = dict[str, Any]


class Results(NamedTuple):
    """The content of the page.

    Attributes
    ----------
    n_patches, n_tumour : list of int
        Number of patches of each fold, and of those with tumour.
    entries : dict of str to dict
        Scores, minutes for each fold, and the origin of the fits.
    """

    n_patches: list[int]
    n_tumour: list[int]
    entries: dict[str, Entry]


def read_results(file: Path) -> Results:
    """Read the file, without entries of recipes whose settings have changed."""
    if not file.exists():
        return Results([], [], {})
    results = Results(**json.loads(file.read_text(encoding="utf-8")))
    current = current_settings()
    entries = {
        key: entry
        for key, entry in results.entries.items()
        if entry["settings"] == current.get(key)
    }
    return results._replace(entries=entries)


def as_json(results: Results) -> str:
    """Return the content of the file."""
    return json.dumps(results._asdict(), indent=1, sort_keys=True) + "\n"


def update(results: Results, records: Records, patches: Patches) -> Results:
    """Return results with new entries if their records are complete."""
    settings = current_settings()
    new = {
        key: _rounded(entry | {"settings": settings[key]})
        for key, entry in _entries(records, patches)
    }
    n_patches = np.bincount(patches.fold).tolist()
    n_tumour = np.bincount(patches.fold[patches.y == 1]).tolist()
    return Results(n_patches, n_tumour, results.entries | new)


def current_settings() -> dict[str, str]:
    """Return a hash of the settings of each entry that the page may show."""
    settings = {
        str(prediction): [settings_of(run.recipe, run.seed) for run in prediction.runs]
        for prediction in all_predictions()
    }
    settings[DECISIONS] = [settings_of(RECOMMENDED, 0)]
    return {
        key: hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
        for key, parts in settings.items()
    }


def _entries(records: Records, patches: Patches) -> Iterator[tuple[str, Entry]]:
    targets = [patches.y[patches.fold == fold] for fold in FOLDS]
    for prediction in all_predictions():
        if records.keys() >= set(prediction.fits):
            entry = _origin(records, prediction.fits)
            entry["minutes"] = prediction.minutes(records)
            entry["scores"] = score(targets, prediction.probas(records))
            yield str(prediction), entry
    if records.keys() >= set(FITS):
        scores = score_decisions(records, patches)
        yield DECISIONS, _origin(records, FITS) | {"scores": scores}


def _origin(records: Records, fits: list[Fit]) -> Entry:
    """Return the distinct origins of the fits."""
    return {
        name: sorted({getattr(records[fit], name) for fit in fits})
        for name in ("commit", "date", "machine", "n_processes")
    }


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return round(float(value), N_DIGITS) if isinstance(value, float) else value
