#!/usr/bin/env -S uv run --script

# /// script
# dependencies = ["nox>=2025.10.14"]
# ///

"""Tasks of developers: ``nox --list`` describes them, ``nox -s lint`` runs one.

Each task installs what it needs in a virtual environment of its own. To use the current
environment, which needs the group "dev", run
``nox --no-venv --no-install -s lint types docs``.
"""

from pathlib import Path

import nox

nox.needs_version = ">=2025.10.14"
nox.options.default_venv_backend = "uv|virtualenv"

ROOT = Path(__file__).parent
PROJECT = nox.project.load_toml(ROOT / "pyproject.toml")


def install(session: nox.Session, *groups: str) -> None:
    """Install skhisto from this folder, and groups of dependencies."""
    session.install("-e", ".", *nox.project.dependency_groups(PROJECT, *groups))


def build_site(session: nox.Session, *options: str) -> None:
    """Build the documentation and check the links between its pages."""
    install(session, "docs")
    site = "docs/_build/html"
    sphinx = ("python", "-m", "sphinx", "-W", "--keep-going", *options)
    session.run(*sphinx, "docs", site)
    # LinkChecker gives up the rights of root, and then cannot read files of root.
    check = """
from linkcheck.command import linkchecker as command
command.drop_privileges = lambda: None
command.linkchecker()
"""
    config = ("--no-status", "--config", "docs/linkcheckerrc")
    session.run("python", "-c", check, *config, f"{site}/index.html")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, spelling, workflows and the repository itself."""
    install(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("codespell")
    session.run("zizmor", "--offline", "--quiet", ".")
    session.run("repo-review", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    install(session, "lint")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation without running the gallery, which takes minutes."""
    build_site(session, "-q", "-D", "plot_gallery=0")


@nox.session(default=False)
def gallery(session: nox.Session) -> None:
    """Build the documentation and run every example of the gallery."""
    build_site(session)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests in two processes; arguments after "--" go to pytest."""
    session.install("-e", ".[tests]")
    session.run("python", "-m", "pytest", "-n", "2", *session.posargs)


@nox.session(default=False)
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches the tests run."""
    install(session, "coverage")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", "-n", "2", *session.posargs)
    session.run("coverage", "combine")
    session.run("coverage", "report")


@nox.session(default=False)
def mutation(session: nox.Session) -> None:
    """Find changes of the code that no test notices."""
    install(session, "mutation")
    session.run("mutmut", "run", *session.posargs)
    session.run("mutmut", "results")


@nox.session(default=False)
def build(session: nox.Session) -> None:
    """Build the source archive and the wheel, check them and import the wheel."""
    session.install(*nox.project.dependency_groups(PROJECT, "build"))
    folder = Path(session.create_tmp())
    session.run("python", "-m", "build", "--outdir", str(folder))
    (wheel,) = folder.glob("*.whl")
    (archive,) = folder.glob("*.tar.gz")
    session.run("twine", "check", "--strict", str(wheel), str(archive))
    session.run("check-wheel-contents", str(wheel))
    session.install(str(wheel))
    session.chdir(folder)
    session.run("python", "-c", "import skhisto; print(skhisto.__file__)")


@nox.session(default=False, python="3.11", venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest versions that pyproject.toml allows."""
    session.install("--resolution", "lowest-direct", "-e", ".[tests]")
    session.run("python", "-m", "pytest", *session.posargs)


@nox.session(default=False)
def benchmarks(session: nox.Session) -> None:
    """Measure speed and memory beside peers; arguments after "--" choose what."""
    install(session, "benchmarks")
    session.run("python", "-m", "benchmarks", *session.posargs)


if __name__ == "__main__":
    nox.main()
