"""What needs the public address of the repository or of the site.

Both addresses are in ``pyproject.toml``, in the table ``tool.skhisto``. They are empty
until the project is published. Links that need an address are left out until then.
``docs/conf.py`` uses this module for the site, ``hatch_build.py`` for the package.
"""

import inspect
import re
import sys
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BRANCH = "main"
_GITHUB = "https://github.com/"
_SIDEBAR = ["page-toc", "edit-this-page", "sg_download_links"]
_RELATIVE_LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!\w+:|#)([^)]+)\)")


def addresses() -> tuple[str, str]:
    """Return the addresses of the repository and of the site, "" if unknown."""
    table = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    own = table["tool"]["skhisto"]
    return own["repository"].rstrip("/"), own["site"].rstrip("/")


def package_urls(repository: str, site: str) -> dict[str, str]:
    """Return the links that a package index shows."""
    urls = {
        "Homepage": site,
        "Documentation": site and f"{site}/user_guide/index.html",
        "Source": repository,
        "Issues": repository and f"{repository}/issues",
        "Changelog": repository and f"{repository}/blob/{BRANCH}/CHANGELOG.md",
    }
    return {name: url for name, url in urls.items() if url}


def absolute_links(markdown: str, repository: str) -> str:
    """Return a text whose links to files work outside of the repository."""
    if not repository:
        return markdown

    def absolute(link: re.Match[str]) -> str:
        mark, text, path = link.groups()
        kind = "raw" if mark else "blob"
        return f"{mark}[{text}]({repository}/{kind}/{BRANCH}/{path})"

    return _RELATIVE_LINK.sub(absolute, markdown)


def sphinx_settings(repository: str, site: str, version: str) -> dict[str, Any]:
    """Return the settings of Sphinx that need an address.

    Values that are lists or dicts are added to those of ``docs/conf.py``.
    """
    settings: dict[str, Any] = {
        "extensions": [],
        "html_context": {},
        "html_theme_options": {},
        "sphinx_gallery_conf": {},
    }
    if repository:
        owner, name = repository.removeprefix(_GITHUB).split("/")
        settings["extensions"].append("sphinx.ext.linkcode")
        settings["linkcode_resolve"] = source_links(repository)
        settings["html_context"] |= {
            "github_user": owner,
            "github_repo": name,
            "github_version": BRANCH,
            "doc_path": "docs",
        }
        settings["html_theme_options"] |= {
            "github_url": repository,
            "use_edit_page_button": True,
            "secondary_sidebar_items": _SIDEBAR,
        }
        settings["sphinx_gallery_conf"]["binder"] = {
            "org": owner,
            "repo": name,
            "branch": "gh-pages",  # where the site is published
            "binderhub_url": "https://mybinder.org",
            "dependencies": "binder/requirements.txt",
        }
    if site:
        settings["html_baseurl"] = f"{site}/"
        settings["html_context"]["social_image"] = f"{site}/_images/quickstart.png"
        settings["html_theme_options"] |= {
            "switcher": {
                "json_url": f"{site}/switcher.json",
                "version_match": version,
            },
            "check_switcher": False,  # the file is written by this build
            "navbar_end": ["version-switcher", "theme-switcher", "navbar-icon-links"],
        }
    return settings


def switcher_entries(site: str, version: str) -> list[dict[str, str]]:
    """Return the versions that the site offers: the one that is built."""
    return [{"version": version, "url": f"{site}/"}]


def source_links(
    repository: str,
) -> Callable[[str, Mapping[str, str]], str | None]:
    """Return the function with which Sphinx links objects to their source."""

    def resolve(domain: str, info: Mapping[str, str]) -> str | None:
        found: Any = sys.modules.get(info["module"])
        for name in info["fullname"].split("."):
            found = getattr(found, name, None)
        try:
            path, start = _place(inspect.unwrap(found))
        except (TypeError, OSError, StopIteration):
            return None  # attributes and properties
        if not path.is_relative_to(ROOT):
            return None
        place = path.relative_to(ROOT).as_posix()
        return f"{repository}/blob/{BRANCH}/{place}#L{start}"

    return resolve


def _place(found: Any) -> tuple[Path, int]:
    """Return the file and the line of the definition of a function or a class.

    Public classes name the module that users import them from, so that `inspect` looks
    in the wrong file. Their methods know the right one.
    """
    if not inspect.isclass(found):
        path = Path(inspect.getsourcefile(found) or "").resolve()
        return path, inspect.getsourcelines(found)[1]
    methods = filter(inspect.isfunction, vars(found).values())
    files = (Path(method.__code__.co_filename).resolve() for method in methods)
    path = next(file for file in files if file.is_file())
    lines = path.read_text(encoding="utf-8").splitlines()
    start = f"class {found.__name__}"
    return path, next(i for i, line in enumerate(lines, 1) if line.startswith(start))
