import importlib.metadata
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from skhisto._commands import packages
from skhisto._commands.packages import (
    REQUIRED,
    examine,
    import_errors,
    requirements_by_extra,
)

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def listed(monkeypatch):
    """Pretend that the metadata of skhisto list something else."""

    def listed(requirements, extras):
        metadata = importlib.metadata.metadata("numpy")
        del metadata["Provides-Extra"]
        for extra in extras:
            metadata["Provides-Extra"] = extra
        monkeypatch.setattr(packages, "requires", lambda name: requirements)
        monkeypatch.setattr(packages, "metadata", lambda name: metadata)

    return listed


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Write modules that another process can import."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def modules(**sources):
        for name, source in sources.items():
            (tmp_path / f"{name}.py").write_text(source)

    return modules


def test_extras_are_read_from_the_metadata(listed):
    requirements = ["numpy>=2", "a>=1; extra == 'new'", "b; extra == 'tests'"]
    listed(requirements, ["new", "tests"])
    found = requirements_by_extra()
    assert found == {
        REQUIRED: [Requirement("numpy>=2")],
        "new": [Requirement(requirements[1])],
    }


def test_requirements_of_other_systems_are_left_out(listed):
    listed(
        ["a; sys_platform == 'no such'", "b; extra == 'x' and python_version < '3'"],
        ["x"],
    )
    assert requirements_by_extra() == {REQUIRED: [], "x": []}


def test_nothing_is_listed_if_skhisto_is_not_installed(monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(packages, "requires", missing)
    assert requirements_by_extra() == {}


def test_the_extras_of_developers_exist():
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    assert set(extras) > packages._FOR_DEVELOPERS


def test_packages_are_missing_or_too_old_or_fine():
    missing, old, fine = map(Requirement, ["no-such-package", "numpy<1", "NumPy>=2"])
    found = examine([missing, old, fine])
    assert found[missing].problem == "not installed"
    assert found[old].problem == "skhisto needs <1"
    assert found[fine].problem is None
    assert found[fine].version == importlib.metadata.version("numpy")


def test_broken_packages_are_found(monkeypatch, modules):
    modules(broken_module="raise OSError('libbroken.so is\\nmissing')")
    monkeypatch.setattr(packages, "_module_of", lambda name: "broken_module")
    requirement = Requirement("numpy")
    assert examine([requirement])[requirement].problem == (
        "OSError: libbroken.so is missing"
    )


def test_a_module_that_ends_python_does_not_hide_the_others(modules):
    modules(
        crashing="import os; os._exit(7)",
        leaving="import sys; sys.exit('bye')",
        talking="print('imported nonsense'); print('no newline', end='')",
        broken="1 / 0",
    )
    names = ["crashing", "leaving", "talking", "json", "broken", "no_such_module"]
    assert import_errors(names) == {
        "crashing": "the import ended Python with code 7",
        "leaving": "SystemExit: bye",
        "broken": "ZeroDivisionError: division by zero",
        "no_such_module": "ModuleNotFoundError: No module named 'no_such_module'",
    }


def test_a_module_that_hangs_is_given_up(modules, monkeypatch):
    monkeypatch.setattr(packages, "_SECONDS_FOR_IMPORTS", 4)
    modules(hanging="import time; time.sleep(100)")
    assert import_errors(["json", "hanging"]) == {
        "hanging": "the import took more than 4 s"
    }


@pytest.mark.parametrize(
    ("name", "module"),
    [("scikit-learn", "sklearn"), ("Pillow", "PIL"), ("pytest", "pytest")],
)
def test_the_module_of_a_package_is_found(name, module):
    assert packages._module_of(name) == module
