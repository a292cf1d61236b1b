"""Metadata that no tool compares: the citation and the extras of skhisto itself."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

import skhisto

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_the_citation_names_the_version_of_the_package():
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.findall(r"^version: (.*)$", text, re.MULTILINE) == [skhisto.__version__]


def test_extras_that_extras_and_groups_refer_to_exist():
    extras = PYPROJECT["project"]["optional-dependencies"]
    lists = [*extras.values(), *PYPROJECT["dependency-groups"].values()]
    texts = [text for texts in lists for text in texts if isinstance(text, str)]
    own = [r for r in map(Requirement, texts) if r.name == "skhisto"]
    assert own
    assert set().union(*(requirement.extras for requirement in own)) <= extras.keys()
