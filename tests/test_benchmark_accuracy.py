"""The page on accuracy is made of records, which nothing is lost of."""

import importlib
import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def module(monkeypatch):
    """Import a module of the benchmark, which is not installed."""
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f"benchmarks.accuracy.{name}")


@pytest.fixture
def patches(module):
    """80 patches of noise in four folds, half of them positive."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (80, 96, 96, 3), dtype=np.uint8)
    return module("patches").Patches(X, np.arange(80) % 2, np.arange(80) // 20)


@pytest.fixture
def records(module, patches):
    """A record of every fit, whose predictions are right in 18 of 20 cases."""
    of_fit = {}
    for fit in module("fits").all_fits():
        target = patches.y[np.isin(patches.fold, fit.held_out)].astype(float)
        proba = np.where(np.arange(len(target)) % 20 < 18, target, 1 - target)
        proba = (0.1 + 0.8 * proba).tolist()
        record = module("records").Record(
            fit, "settings", "commit abc", 1.5, 2, {"plain": proba, "tta": proba}
        )
        of_fit[fit] = record
    return of_fit


def test_records_are_read_as_they_were_written(module, records, tmp_path):
    file = tmp_path / "fits.jsonl.gz"
    assert module("records").read(file) == {}
    for record in records.values():
        module("records").append(file, record)
    assert module("records").read(file) == records


def test_every_stored_fit_has_the_settings_of_its_recipe(module):
    settings_of = module("recipes").settings_of
    stored = module("records").read(ROOT / "benchmarks" / "accuracy" / "fits.jsonl.gz")
    assert set(stored) <= set(module("fits").all_fits())
    outdated = [
        fit
        for fit, record in stored.items()
        if record.settings != settings_of(fit.recipe, fit.seed)
    ]
    assert outdated == []


def test_the_settings_of_a_named_architecture_include_its_parameters(module):
    recipes = module("recipes")
    settings = recipes.settings_of(recipes.RECOMMENDED, 0)
    assert "CompactCNN(" in settings
    assert "stem_filters=24" in settings


def test_every_recipe_has_a_row_with_its_scores(module, records, patches):
    page = module("pages").render(records, patches)
    for recipe in module("recipes").RECIPES:
        row = next(line for line in page.splitlines() if line.startswith(f"| {recipe}"))
        cells = [cell.strip() for cell in row.split("|")[2:-1]]
        accuracy = cells[6]
        assert accuracy == "0.900"
        assert cells[9] == "0.000"  # certain by 0.9, and right in 9 of 10 cases
    assert "not fitted" not in page
    assert "made by commit abc." in page
    assert "mean of 3 networks" in page
    assert "they differ by up to 0.000 in AUC" in page
    assert "With all cores" not in page
    assert "tuned for accuracy changes it by +0.000" in page


def test_the_page_tells_the_time_of_the_recommended_recipe_on_all_cores(
    module, records, patches
):
    recommended = module("recipes").RECOMMENDED
    alone = module("records").Fit(recommended, 2, (3,))
    records[alone] = replace(records[alone], minutes=9.5, n_processes=1)
    # Those of nested cross-validation and of learning curves are no fits of a fold.
    for other in (
        replace(alone, seed=0, held_out=(0, 1)),
        replace(alone, seed=0, n_train=300),
    ):
        records[other] = replace(records[other], n_processes=1)
    page = module("pages").render(records, patches)
    assert "the recommended one took 9.5 minutes where fold 3 is held out. " in page
    assert "| 1.50 to 1.50" in page


def test_the_page_tells_how_much_seeds_differ(module, records, patches):
    recommended = module("recipes").RECOMMENDED
    for fold in range(4):
        fit = module("records").Fit(recommended, 1, (fold,))
        perfect = patches.y[patches.fold == fold].astype(float).tolist()
        better = {"plain": perfect, "tta": perfect}
        records[fit] = replace(records[fit], proba=better)
    page = module("pages").render(records, patches)
    assert "by up to 0.100 in AUC, and by up to 0.100 on a single fold" in page


def test_the_threshold_of_a_fold_is_the_highest_that_is_sensitive_enough(
    module, records, patches
):
    pages = module("pages")
    parts = [pages._inner(records, patches, 0, other) for other in (1, 2, 3)]
    # Of ten positives a fold, one has a probability of 0.1, and all are to be found.
    assert [pages._sensitive_threshold(*part) for part in parts] == [0.1] * 3


def test_what_was_not_fitted_is_said(module, records, patches):
    page = module("pages").render({}, patches)
    assert page.count("not fitted") >= len(module("recipes").RECIPES)


def test_a_fit_is_predicted_on_the_folds_that_it_was_not_trained_on(module, patches):
    main = importlib.import_module("benchmarks.accuracy.__main__")
    name = module("recipes").BASELINES[1]
    record = main.run(module("records").Fit(name, 0, (1, 3), 30), patches, 1)
    assert len(record.proba["plain"]) == 40
    assert set(record.proba) == {"plain"}


def test_fits_of_a_recipe_that_has_changed_do_not_count(
    module, records, patches, tmp_path, monkeypatch
):
    main = importlib.import_module("benchmarks.accuracy.__main__")
    settings_of = module("recipes").settings_of
    for number, record in enumerate(records.values()):
        changed = settings_of(record.fit.recipe, record.fit.seed) + "!" * (number % 2)
        module("records").append(
            tmp_path / "fits.jsonl.gz", replace(record, settings=changed)
        )
    monkeypatch.setenv("SKHISTO_DATA", str(tmp_path))
    monkeypatch.setattr(main, "load_patches", lambda folder: patches)
    shown = []
    monkeypatch.setattr(main, "render", lambda found, _: shown.append(found) or "")
    file = str(tmp_path / "fits.jsonl.gz")
    monkeypatch.setattr(sys, "argv", ["benchmark", "--file", file, "--only"])
    main.main()
    assert list(shown[0]) == list(records)[::2]


def test_the_readme_recommends_the_recipe_that_is_measured(module):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(
        r"clf = PatchCNNClassifier\(\n    arch.*?\n\)", readme, re.DOTALL
    )
    namespace = {}
    exec(f"from skhisto import PatchCNNClassifier\n{block}", namespace)
    recipes = module("recipes")
    measured = recipes.RECIPES[recipes.RECOMMENDED].make(0)[-1].set_params(tta="d4")
    assert namespace["clf"].get_params() == measured.get_params()


def test_the_figures_in_the_readme_are_those_of_the_page(module):
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    auc = dict(
        re.findall(r"^\| (\S.*?) +\| +[\d-]+ \| (0\.\d+) \|", page, re.MULTILINE)
    )
    recipes = module("recipes")
    colours = max(auc[name] for name in recipes.BASELINES)
    notebook, default = (
        next(auc[name] for name in auc if name.startswith(kind))
        for kind in ("notebook", "defaults")
    )
    recommended = auc[f"{recipes.RECOMMENDED}, tta"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (section,) = re.findall("^## Slides that.*?```", readme, re.MULTILINE | re.DOTALL)
    expected = [recommended, colours, notebook, default]
    assert re.findall(r"0\.\d{3}", section) == expected


def test_the_calibration_error_is_the_distance_of_confidence_and_accuracy(module):
    calibration_error = module("scores").calibration_error
    target = np.array([1, 1, 1, 0])
    assert calibration_error(target, np.full(4, 0.75)) == pytest.approx(0)
    assert calibration_error(target, np.full(4, 0.95)) == pytest.approx(0.2)
    assert calibration_error(1 - target, np.full(4, 0.05)) == pytest.approx(0.2)


def test_the_best_threshold_has_the_highest_accuracy(module):
    rng = np.random.default_rng(0)
    target = rng.integers(0, 2, 50)
    proba = np.clip(0.3 * target + rng.uniform(0, 0.7, 50), 0, 1)
    best = module("scores").best_threshold(target, proba)
    accuracies = [np.mean((proba >= t) == target) for t in np.linspace(0, 1, 1001)]
    assert np.mean((proba >= best) == target) == pytest.approx(max(accuracies))


def test_colours_of_patch_and_centre_are_described(module, patches):
    features = module("colour").colour_features(patches.X)
    assert features.shape == (80, 126)
    centre = patches.X[:, 32:64, 32:64].mean(axis=(1, 2))
    np.testing.assert_allclose(features[:, 63:66], centre, rtol=1e-4)
