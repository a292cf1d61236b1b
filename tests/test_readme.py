"""The README: its Python blocks run, and its commands are the ones that CI runs."""

import re
from pathlib import Path

import numpy as np
import pytest

import skhisto
from skhisto import make_patches, make_slide

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON_BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = re.findall(r"^python3 -m venv .*$", README, re.MULTILINE)


@pytest.fixture
def slides(kaggle_folder):
    """Slides and their annotations in the working directory."""
    for seed, name in enumerate("abc"):
        made = make_slide((256, 256), random_state=seed, path=f"{name}.tif")
        made.annotations.to_geojson(f"{name}.geojson")


@pytest.fixture
def few_patches(monkeypatch):
    """Make a fifth of the synthetic patches, of all slides."""

    def fewer(*args, **kwargs):
        return tuple(part[::5] for part in make_patches(*args, **kwargs))

    monkeypatch.setattr(skhisto, "make_patches", fewer)


@pytest.mark.usefixtures("few_patches", "quick_fits", "slides")
def test_readme_scripts_run():
    assert len(PYTHON_BLOCKS) >= 2
    namespace = {}  # later blocks go on from earlier ones
    for block in PYTHON_BLOCKS:
        exec(compile(block, "README.md", "exec"), namespace)

    submission = np.genfromtxt("submission.csv", delimiter=",", names=True, dtype=None)
    assert len(submission) == 6
    assert Path("c_map.geojson").is_file()


def test_ci_runs_the_test_command_of_the_readme():
    (command,) = [c for c in COMMANDS if "-m pytest" in c]
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
