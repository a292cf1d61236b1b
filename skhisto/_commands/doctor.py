"""``python -m skhisto doctor``: a report of installed packages and engines."""

import argparse
import os
import platform
from collections.abc import Iterator, Sequence
from typing import Any

from packaging.requirements import Requirement

import skhisto
from skhisto._commands.packages import (
    REQUIRED,
    Package,
    examine,
    requirements_by_extra,
)

_DESCRIPTION = """\
Report versions, how networks are computed on this machine, and missing packages.

All packages are imported once in a separate process, which takes up to a minute.
"""
_EPILOG = """\
exit codes:
  0  all required packages are installed and work
  1  a required package is missing or broken
"""
_ENGINES = {
    "openslide-python": ("OpenSlide", "slides of scanners"),
    "onnxruntime": ("ONNX Runtime", "ONNX files in PatchEmbedder, and exports"),
    "openvino": ("OpenVINO", "predictions, PatchEmbedder and exports"),
}


def add_to(commands: Any) -> None:
    """Add the command to a parser."""
    parser = commands.add_parser(
        "doctor",
        help="report versions, precision, engines and missing extras",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, parser=parser)


def run(arguments: argparse.Namespace) -> int:
    """Print the report and return the exit code."""
    by_extra = requirements_by_extra()
    listed = {r.name: r for needed in by_extra.values() for r in needed}
    engines = [listed.get(name, Requirement(name)) for name in _ENGINES]
    examined = examine({*engines, *(r for needed in by_extra.values() for r in needed)})
    packages = {
        extra: [examined[requirement] for requirement in needed]
        for extra, needed in by_extra.items()
    }
    required = packages.pop(REQUIRED, [])
    _print_section("Versions", _versions(required))
    _print_section("Computation", _computation(required))
    _print_section("Engines", _engines([examined[engine] for engine in engines]))
    _print_section("Extras", _extras(packages))
    return 1 if any(package.problem for package in required) else 0


def _print_section(title: str, rows: Iterator[tuple[str, str]]) -> None:
    print(title)
    for name, text in rows:
        print(f"  {name:<18}{text}")
    print(flush=True)


def _versions(required: Sequence[Package]) -> Iterator[tuple[str, str]]:
    yield "skhisto", skhisto.__version__
    yield "Python", platform.python_version()
    yield "system", f"{platform.system()} {platform.release()}, {platform.machine()}"
    for package in required:
        yield package.name, _state(package)


def _computation(required: Sequence[Package]) -> Iterator[tuple[str, str]]:
    yield "cores", str(_n_cores())
    needed = {"keras", "tensorflow"}
    broken = [p.name for p in required if p.problem and p.name in needed]
    if broken:
        yield "precision", f"unknown, because {' and '.join(broken)} cannot be used"
        return
    try:
        from skhisto._keras._threads import n_threads
        from skhisto._keras.devices import names_of_gpus
        from skhisto._keras.precision import explain_auto

        precision, reason = explain_auto()
        gpus, threads = names_of_gpus(), n_threads()
    except Exception as error:  # TensorFlow and Keras raise many types of errors
        yield "precision", f"unknown. {type(error).__name__}: {error}"
        return
    yield "threads", str(threads)
    yield "GPUs", ", ".join(gpus) or "none"
    yield 'precision="auto"', f"{precision}. {reason}"


def _engines(packages: Sequence[Package]) -> Iterator[tuple[str, str]]:
    for package in packages:
        title, purpose = _ENGINES[package.name]
        yield title, f"{_state(package)} (for {purpose})"


def _extras(packages: dict[str, list[Package]]) -> Iterator[tuple[str, str]]:
    if not packages:
        yield "unknown", "skhisto is not installed as a package"
    for extra, found in packages.items():
        problems = [package for package in found if package.problem]
        if not problems:
            yield extra, "installed"
            continue
        causes = "; ".join(f"{p.name}: {_state(p)}" for p in problems)
        yield extra, f'{causes}. Run: pip install "skhisto[{extra}]"'


def _state(package: Package) -> str:
    if package.problem is None:
        return str(package.version)
    if package.version is None:
        return package.problem
    return f"{package.version}, but {package.problem}"


def _n_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
