"""The page on accuracy is made of scores, and scores of probabilities."""

import importlib
import json
import re
import sys
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
SCORES = ROOT / "benchmarks" / "accuracy" / "scores.json"


@pytest.fixture(scope="module")
def module():
    """Import a module of the benchmark, which is not a part of the package."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.syspath_prepend(ROOT)
        yield lambda name: importlib.import_module(f"benchmarks.accuracy.{name}")


@pytest.fixture(scope="module")
def patches(module):
    """80 patches of noise in four folds, half of them positive."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 256, (80, 96, 96, 3), dtype=np.uint8)
    return module("fits").Patches(X, np.arange(80) % 2, np.arange(80) // 20)


@pytest.fixture(scope="module")
def all_records(module, patches):
    """A record of every fit, whose predictions are right in 18 of 20 cases."""
    of_fit = {}
    settings_of = cache(module("recipes").settings_of)
    for fit in module("fits").all_fits():
        target = patches.y[np.isin(patches.fold, fit.held_out)].astype(float)
        proba = np.where(np.arange(len(target)) % 20 < 18, target, 1 - target)
        proba = (0.1 + 0.8 * proba).tolist()
        of_fit[fit] = module("fits").Record(
            fit=fit,
            settings=settings_of(fit.recipe, fit.seed),
            commit="commit abc",
            date="2026-01-02",
            machine="a machine",
            n_processes=2,
            minutes=1.5,
            proba={"plain": proba, "tta": proba},
        )
    return of_fit


@pytest.fixture(scope="module")
def all_results(module, all_records, patches):
    return of_records(module, all_records, patches)


@pytest.fixture
def records(all_records):
    """Records that a test may change."""
    return dict(all_records)


@pytest.fixture
def recommended(module, all_records):
    """Records of the recommended recipe that a test may change."""
    recipe = module("recipes").RECOMMENDED
    return {f: record for f, record in all_records.items() if f.recipe == recipe}


@pytest.fixture
def results(all_results):
    """Results that a test may change."""
    return deepcopy(all_results)


def of_records(module, records, patches):
    results = module("results")
    return results.update(results.Results([], [], {}), records, patches)


def row_of(page, label):
    """The cells of a row, without its label."""
    row = next(line for line in page.splitlines() if line.startswith(f"| {label} "))
    return [cell.strip() for cell in row.split("|")[2:-1]]


def test_records_are_read_as_they_were_written(module, records, tmp_path):
    file = tmp_path / "fits.jsonl.gz"
    assert module("fits").read(file) == {}
    for record in records.values():
        module("fits").append(file, record)
    assert module("fits").read(file) == records


def test_every_stored_score_has_the_settings_of_its_recipes(module):
    stored = json.loads(SCORES.read_text(encoding="utf-8"))["entries"]
    settings = module("results").current_settings()
    outdated = [
        key for key, entry in stored.items() if entry["settings"] != settings.get(key)
    ]
    assert stored
    assert outdated == [], "run python -m benchmarks.accuracy --only --write"


def test_the_page_is_made_of_the_stored_scores(module):
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    assert page == module("pages").render(module("results").read_results(SCORES))


def test_the_settings_of_a_named_architecture_include_its_parameters(module):
    recipes = module("recipes")
    settings = recipes.settings_of(recipes.RECOMMENDED, 0)
    assert "CompactCNN(" in settings
    assert "stem_filters=24" in settings


def test_long_settings_are_described_whole(module):
    recipes = module("recipes")
    settings = [recipes.settings_of(name, 0) for name in recipes.RECIPES]
    assert max(map(len, settings)) > 700  # where scikit-learn begins to abridge
    assert not [text for text in settings if "..." in text]


def test_every_recipe_has_a_row_with_its_scores(module, results):
    page = module("pages").render(results)
    for recipe in module("recipes").RECIPES:
        cells = row_of(page, recipe)
        assert cells[6] == "0.900"  # accuracy
        assert float(cells[9]) == 0  # certain by 0.9, and right in 9 of 10 cases
        assert cells[10:12] == ["1.50 to 1.50", "2"]
    assert "not fitted yet |" not in page
    assert "- Machine: a machine\n- Date: 2026-01-02\n- Code: commit abc\n" in page
    assert "differ by up to 0.000 in AUC" in page
    assert "tuned for accuracy changes the accuracy by +0.000" in page


def test_of_several_seeds_the_shortest_time_counts(module, recommended, patches):
    alone = module("fits").Fit(module("recipes").RECOMMENDED, 2, (3,))
    recommended[alone] = replace(recommended[alone], minutes=0.5, n_processes=1)
    page = module("pages").render(of_records(module, recommended, patches))
    assert row_of(page, alone.recipe)[10:12] == ["0.500 to 1.50", "1, 2"]
    mean = row_of(page, f"{alone.recipe}, mean of 3 networks")
    assert mean[10:12] == ["3.50 to 4.50", "1, 2"]


def test_the_page_tells_how_much_seeds_differ(module, recommended, patches):
    for fold in range(4):
        fit = module("fits").Fit(module("recipes").RECOMMENDED, 1, (fold,))
        perfect = patches.y[patches.fold == fold].astype(float).tolist()
        better = {"plain": perfect, "tta": perfect}
        recommended[fit] = replace(recommended[fit], proba=better)
    page = module("pages").render(of_records(module, recommended, patches))
    assert "by up to 0.100 in AUC, and by up to 0.100 on a single fold" in page


def test_the_mean_of_recipes_is_the_mean_of_their_logits(module, records):
    recipes = module("recipes")
    runs = [module("rows").Run(name) for name in recipes.BASELINES]
    for run, proba in zip(runs, [[0.5, 0.0], [0.9, 0.0]], strict=True):
        for fold in range(4):
            fit = run.fit(fold)
            records[fit] = replace(records[fit], proba={"plain": proba})
    prediction = module("rows").Prediction(tuple(runs))
    for proba in prediction.probas(records):
        np.testing.assert_allclose(proba, [0.75, 0], atol=1e-6)


def test_pretrained_networks_are_averaged_with_the_recommended_one(module):
    recipes, rows = module("recipes"), module("rows")
    labels = {row.label: row.predictions for row in rows.pretrained_rows()}
    frozen, tuned = (labels[name] for name in labels if name.startswith("mean of"))
    assert [[run.seed for run in pair.runs] for pair in frozen] == [
        [0, 0],
        [0, 1],
        [0, 2],
    ]
    assert [[run.seed for run in pair.runs] for pair in tuned] == [
        [0, 0],
        [1, 1],
        [2, 2],
    ]
    assert {pair.runs[0].recipe for pair in frozen} == {recipes.FROZEN}
    assert {pair.runs[0].recipe for pair in tuned} == {recipes.FINE_TUNED}
    assert {pair.runs[1].recipe for pair in frozen + tuned} == {recipes.RECOMMENDED}


def test_the_threshold_of_a_fold_is_the_highest_that_is_sensitive_enough(
    module, records, patches
):
    decisions = module("decisions")
    parts = [decisions._inner(records, patches, 0, other) for other in (1, 2, 3)]
    # Of ten positives a fold, one has a probability of 0.1, and all must be found.
    thresholds = [decisions._sensitive_threshold(*part) for part in parts]
    assert thresholds == pytest.approx([0.1] * 3)
    scores = decisions.score_decisions(records, patches)
    assert scores[decisions.PLAIN]["sensitivity"] == pytest.approx(0.9)
    assert scores[decisions.SENSITIVE]["sensitivity"] == 1


def test_the_page_says_what_was_not_fitted(module, results):
    page = module("pages").render(results._replace(entries={}))
    assert page.count("not fitted yet |") >= len(module("recipes").RECIPES)


def test_scores_stay_if_their_probabilities_are_missing(
    module, recommended, results, patches
):
    few = {f: record for f, record in recommended.items() if f.held_out != (0,)}
    assert module("results").update(results, few, patches) == results
    assert of_records(module, few, patches).entries == {}


def test_new_probabilities_replace_scores(module, recommended, results, patches):
    newer = {f: replace(r, commit="commit def") for f, r in recommended.items()}
    updated = module("results").update(results, newer, patches)
    assert set(updated.entries) == set(results.entries)
    new = [key for key, e in updated.entries.items() if e["commit"] == ["commit def"]]
    assert new
    assert all(key.removeprefix("decisions: ").startswith("recomm") for key in new)


def test_the_file_of_scores_is_read_as_it_was_written(module, results, tmp_path):
    file = tmp_path / "scores.json"
    assert module("results").read_results(file).entries == {}
    file.write_text(module("results").as_json(results), encoding="utf-8")
    assert module("results").read_results(file) == results


def test_scores_of_a_recipe_that_has_changed_do_not_count(module, results, tmp_path):
    changed = str(module("rows").step_rows()[0].predictions[0])
    results.entries[changed]["settings"] += "!"
    results.entries["a recipe of the past"] = results.entries[changed]
    file = tmp_path / "scores.json"
    file.write_text(module("results").as_json(results), encoding="utf-8")
    left = module("results").read_results(file).entries
    assert set(results.entries) - set(left) == {changed, "a recipe of the past"}


def test_a_fit_is_predicted_on_the_folds_that_it_was_not_trained_on(module, patches):
    main = module("__main__")
    name = module("recipes").BASELINES[1]
    record = main.run(module("fits").Fit(name, 0, (1, 3), 30), patches, 1)
    assert len(record.proba["plain"]) == 40
    assert set(record.proba) == {"plain"}


def test_fits_of_a_recipe_that_has_changed_do_not_count(
    module, records, patches, tmp_path, monkeypatch
):
    main = module("__main__")
    for number, record in enumerate(records.values()):
        changed = record.settings + "!" * (number % 2)
        module("fits").append(
            tmp_path / "fits.jsonl.gz", replace(record, settings=changed)
        )
    used = []

    def update(results, found, _):
        used.extend(found)
        return results

    monkeypatch.setenv("SKHISTO_DATA", str(tmp_path))
    monkeypatch.setattr(main, "load_patches", lambda folder: patches)
    monkeypatch.setattr(main, "update", update)
    file = str(tmp_path / "fits.jsonl.gz")
    monkeypatch.setattr(sys, "argv", ["benchmark", "--file", file, "--only"])
    main.main()
    assert used == list(records)[::2]


def test_the_readme_recommends_the_recipe_that_is_measured(module):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(
        r"clf = PatchCNNClassifier\(\n    architecture=\"compact.*?\n\)",
        readme,
        re.DOTALL,
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


def test_the_threshold_of_a_fold_is_tuned_on_the_other_folds(module):
    targets = [np.array([0, 1])] * 2
    probas = [np.array([0.1, 0.2]), np.array([0.7, 0.8])]
    scores = module("scores").score(targets, probas)
    assert scores["AUC"] == 1
    assert scores["at a tuned threshold"] == 0.5


def test_colours_of_patch_and_centre_are_described(module, patches):
    features = module("baselines").colour_features(patches.X)
    assert features.shape == (80, 126)
    centre = patches.X[:, 32:64, 32:64].mean(axis=(1, 2))
    np.testing.assert_allclose(features[:, 63:66], centre, rtol=1e-4)
