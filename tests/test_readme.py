"""The README: its Python blocks run, and its commands are the ones that CI runs."""

import functools
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skhisto import PatchCNNClassifier, make_patches

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON_BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)


def write_kaggle_folder(folder):
    """Write a folder as Kaggle has it: nothing says which slide a patch is from."""
    X, y = make_patches(36, size=96, random_state=0)
    ids = [f"{i:04x}" for i in range(len(X))]
    subsets = {"train": range(30), "test": range(30, 36)}
    for subset, rows in subsets.items():
        (folder / subset).mkdir(parents=True)
        for i in rows:
            Image.fromarray(X[i]).save(folder / subset / f"{ids[i]}.tif")
    lines = [f"{ids[i]},{y[i]}" for i in subsets["train"]]
    (folder / "train_labels.csv").write_text("\n".join(["id,label", *lines, ""]))


@pytest.fixture
def quick_fits(monkeypatch):
    """Fit tiny networks for one epoch, whatever the README asks for."""
    fit = PatchCNNClassifier.fit

    @functools.wraps(fit)
    def quick_fit(self, *args, **kwargs):
        self.set_params(filters=(2,), dense_units=2, epochs=1)
        return fit(self, *args, **kwargs)

    monkeypatch.setattr(PatchCNNClassifier, "fit", quick_fit)


def test_readme_scripts_run(tmp_path, monkeypatch, quick_fits):
    assert len(PYTHON_BLOCKS) >= 2
    monkeypatch.chdir(tmp_path)
    write_kaggle_folder(tmp_path / "patches")
    namespace = {}  # later blocks go on from earlier ones
    for block in PYTHON_BLOCKS:
        exec(compile(block, "README.md", "exec"), namespace)

    submission = np.genfromtxt("submission.csv", delimiter=",", names=True, dtype=None)
    assert len(submission) == 6


def test_ci_runs_the_test_command_of_the_readme():
    (command,) = [c for c in COMMANDS if c.endswith("-m pytest")]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert command in script.splitlines()


def test_github_workflow_runs_the_ci_script():
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "run: bash .ci/run" in workflow


def test_example_command_of_the_readme_names_a_script():
    (command,) = [c for c in COMMANDS if "examples/" in c]
    assert (ROOT / command.split()[-1]).is_file()


@pytest.mark.parametrize("target", re.findall(r"\]\(([^)]+)\)", README))
def test_files_that_the_readme_links_to_exist(target):
    if target.startswith("https://"):
        return
    path, _, section = target.partition("#")
    text = (ROOT / path).read_text(encoding="utf-8") if section else ""
    assert (ROOT / path).is_file()
    assert section.replace("-", " ") in text.lower()
