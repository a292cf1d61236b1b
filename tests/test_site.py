"""The site: its index of pages, its API page, its bibliography, and public addresses."""

import importlib
import importlib.util
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

import skhisto

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
REPOSITORY = "https://github.com/someone/skhisto"
SITE = "https://someone.example/skhisto"


def text_of(*parts):
    return Path(DOCS, *parts).read_text(encoding="utf-8")


def load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


site_address = load(DOCS / "site_address.py")


# The pages


def test_llms_txt_lists_every_page_once():
    links = re.findall(r"\]\(_sources/([^)]+)\.txt\)", text_of("llms.txt"))
    # docs/auto_examples and docs/generated are made by builds of the site.
    folders = (DOCS, DOCS / "user_guide")
    pages = [p for folder in folders for p in folder.iterdir()]
    names = [
        page.relative_to(DOCS).as_posix()
        for page in pages
        if page.suffix in {".rst", ".md"} and page.name != "sg_execution_times.rst"
    ]
    assert sorted(links) == sorted(names)


def test_the_home_page_and_the_readme_show_the_same_code():
    (home,) = re.findall(
        r"code-block:: python\n\n((?: {4}.*\n|\n)+)", text_of("index.rst")
    )
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    first = re.search(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert inspect.cleandoc(home) == first.group(1).strip()


# The API page


def documented():
    """Names of the API page, with their modules."""
    module, found = "", []
    for line in text_of("api.rst").splitlines():
        if match := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = match.group(1)
        elif match := re.fullmatch(r" {4}(\w+)", line):
            found.append((module, match.group(1)))
    return found


def public_modules():
    yield skhisto
    for info in pkgutil.iter_modules(skhisto.__path__):
        if not info.name.startswith("_"):
            yield importlib.import_module(f"skhisto.{info.name}")


def test_the_api_page_lists_every_public_object_once():
    objects = [getattr(importlib.import_module(m), name) for m, name in documented()]
    assert len(objects) == len(set(objects))
    public = {
        getattr(module, name) for module in public_modules() for name in module.__all__
    }
    assert set(objects) == public


@pytest.mark.parametrize(("module", "name"), documented())
def test_every_public_object_has_a_signature_and_one_line(module, name):
    public = getattr(importlib.import_module(module), name)
    inspect.signature(public)
    summary, _, _ = inspect.getdoc(public).partition("\n\n")
    assert summary.endswith(".")
    assert "]_" not in summary  # citations belong into the description


# The bibliography


def cited_titles():
    """Titles in the references of docstrings and of the guide."""
    files = [*(ROOT / "skhisto").rglob("*.py"), *(DOCS / "user_guide").glob("*.rst")]
    for path in files:
        text = " ".join(path.read_text(encoding="utf-8").split())
        yield from re.findall(r'\.\. \[\w+\] [^"]{3,250}? "([^"]{15,200})', text)


def test_the_bibliography_has_every_cited_publication():
    bibliography = " ".join(text_of("bibliography.rst").split()).lower()
    titles = sorted(set(cited_titles()))
    assert len(titles) >= 25
    missing = [t for t in titles if t.rstrip(".,").lower() not in bibliography]
    assert missing == []


# Public addresses


def test_without_addresses_nothing_depends_on_one():
    settings = site_address.sphinx_settings("", "", "1.0")
    assert not any(settings.values())
    assert site_address.package_urls("", "") == {}
    assert site_address.absolute_links("[a](docs/a.md)", "") == "[a](docs/a.md)"


def test_with_a_repository_pages_can_be_edited_and_link_to_sources():
    settings = site_address.sphinx_settings(REPOSITORY, "", "1.0")
    assert settings["html_theme_options"]["use_edit_page_button"]
    assert settings["html_context"]["github_user"] == "someone"
    assert settings["extensions"] == ["sphinx.ext.linkcode"]
    assert settings["sphinx_gallery_conf"]["binder"]["org"] == "someone"
    assert "html_baseurl" not in settings
    requirements = settings["sphinx_gallery_conf"]["binder"]["dependencies"]
    assert (DOCS / requirements).is_file()


def test_with_a_site_there_are_a_version_switcher_and_a_social_card():
    settings = site_address.sphinx_settings("", SITE, "1.0")
    switcher = settings["html_theme_options"]["switcher"]
    assert switcher == {"json_url": f"{SITE}/switcher.json", "version_match": "1.0"}
    assert settings["html_context"]["social_image"].startswith(SITE)
    assert (DOCS / "images" / "quickstart.png").is_file()
    entries = site_address.switcher_entries(SITE, "1.0")
    assert entries == [{"version": "1.0", "url": f"{SITE}/"}]


def test_links_of_the_readme_become_absolute():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    absolute = site_address.absolute_links(readme, REPOSITORY)
    targets = re.findall(r"\]\(([^)]+)\)", absolute)
    assert len(targets) == len(re.findall(r"\]\(([^)]+)\)", readme)) > 10
    assert all(target.startswith("https://") for target in targets)
    assert f"{REPOSITORY}/raw/main/docs/images/quickstart.png" in targets
    assert f"{REPOSITORY}/blob/main/LICENSE" in targets


@pytest.mark.parametrize(
    ("fullname", "definition"),
    [
        ("CenterCrop", "class CenterCrop"),
        ("CenterCrop.transform", "def transform"),
        ("ProbabilityMap", "class ProbabilityMap"),  # a dataclass
        ("make_patches", "def make_patches"),
    ],
)
def test_objects_link_to_the_line_of_their_definition(fullname, definition):
    link = site_address.source_links(REPOSITORY)
    url = link("py", {"module": "skhisto", "fullname": fullname})
    path, _, line = url.removeprefix(f"{REPOSITORY}/blob/main/").partition("#L")
    source = (ROOT / path).read_text(encoding="utf-8").splitlines()
    # Decorators belong to a definition.
    assert any(definition in text for text in source[int(line) - 1 : int(line) + 20])


def test_objects_without_source_have_no_link():
    link = site_address.source_links(REPOSITORY)
    assert link("py", {"module": "skhisto", "fullname": "no.such.name"}) is None


def test_the_addresses_are_those_of_the_project_table(tmp_path, monkeypatch):
    table = f'[tool.skhisto]\nrepository = "{REPOSITORY}/"\nsite = "{SITE}"\n'
    (tmp_path / "pyproject.toml").write_text(table)
    monkeypatch.setattr(site_address, "ROOT", tmp_path)
    assert site_address.addresses() == (REPOSITORY, SITE)
    assert site_address.package_urls(REPOSITORY, SITE)["Source"] == REPOSITORY
