"""Required packages, and which of them are installed and work."""

import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import (
    PackageNotFoundError,
    metadata,
    packages_distributions,
    requires,
    version,
)

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REQUIRED = ""
"""The key of the packages that are always required."""

# For those who work on skhisto itself.
_FOR_DEVELOPERS = {"tests"}
_SECONDS_FOR_IMPORTS = 300
_MARK = "skhisto: imported "
_CHILD = f"""
import importlib, json, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        cause = None
    except BaseException as error:
        cause = type(error).__name__ + ": " + " ".join(str(error).split())
    print("\\n{_MARK}" + json.dumps([name, cause]), flush=True)
"""


@dataclass(frozen=True)
class Package:
    """A package that skhisto needs.

    Parameters
    ----------
    name : str
        Name on PyPI.
    version : str or None
        Installed version.
    problem : str or None
        The reason why the package cannot be used.
    """

    name: str
    version: str | None
    problem: str | None


def requirements_by_extra() -> dict[str, list[Requirement]]:
    """Return the requirements in the metadata of skhisto, for each user extra.

    Returns
    -------
    requirements : dict
        The key `REQUIRED` has the packages that are always required. Empty if skhisto
        itself is not installed.
    """
    try:
        listed = [Requirement(text) for text in requires("skhisto") or []]
        extras = metadata("skhisto").get_all("Provides-Extra") or []
    except PackageNotFoundError:
        return {}
    found = {
        extra: [r for r in listed if r.marker and r.marker.evaluate({"extra": extra})]
        for extra in extras
        if extra not in _FOR_DEVELOPERS
    }
    always = [r for r in listed if not r.marker or r.marker.evaluate({"extra": ""})]
    found = {
        extra: [r for r in needed if r not in always] for extra, needed in found.items()
    }
    return {REQUIRED: always, **found}


def examine(requirements: Iterable[Requirement]) -> dict[Requirement, Package]:
    """Check which packages are installed, have the right version and work."""
    packages = {requirement: _installed(requirement) for requirement in requirements}
    modules = {
        package.name: _module_of(package.name)
        for package in packages.values()
        if package.version is not None
    }
    errors = import_errors(sorted({module for module in modules.values() if module}))
    return {
        requirement: Package(
            package.name,
            package.version,
            package.problem or errors.get(modules.get(package.name) or ""),
        )
        for requirement, package in packages.items()
    }


def import_errors(modules: Sequence[str]) -> dict[str, str]:
    """Return the reasons why modules cannot be imported.

    A separate process imports them, because a broken library can crash it.

    Parameters
    ----------
    modules : sequence of str
        Names of the modules.

    Returns
    -------
    errors : dict
        Maps the names of modules that failed to the cause.
    """
    errors = {}
    left = list(modules)
    while left:
        output, end = _import_in_child(left)
        lines = [line for line in output.splitlines() if line.startswith(_MARK)]
        for line in lines:
            name, cause = json.loads(line.removeprefix(_MARK))
            left.remove(name)
            if cause is not None:
                errors[name] = cause
        if left:
            errors[left.pop(0)] = end
    return errors


def _import_in_child(modules: Sequence[str]) -> tuple[str, str]:
    """Return the output of the process and how it ended."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CHILD, *modules],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS_FOR_IMPORTS,
            text=True,
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        output = error.stdout or b""
        text = output.decode(errors="replace") if isinstance(output, bytes) else output
        return text, f"the import took more than {_SECONDS_FOR_IMPORTS} s"
    return done.stdout, f"the import ended Python with code {done.returncode}"


def _installed(requirement: Requirement) -> Package:
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return Package(requirement.name, None, "not installed")
    fits = requirement.specifier.contains(found, prereleases=True)
    problem = None if fits else f"skhisto needs {requirement.specifier}"
    return Package(requirement.name, found, problem)


def _module_of(name: str) -> str | None:
    """Return the module of a package to import."""
    modules = sorted(
        module
        for module, names in packages_distributions().items()
        if canonicalize_name(name) in map(canonicalize_name, names)
        and module.isidentifier()
        and not module.startswith("_")
    )
    of_same_name = [
        m for m in modules if canonicalize_name(m) == canonicalize_name(name)
    ]
    return next(iter(of_same_name or modules), None)
