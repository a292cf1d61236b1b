"""How Sphinx builds the site: ``python -m sphinx -W docs docs/_build/html``."""

import json
import os
import sys
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx_gallery.sorting import ExplicitOrder

sys.path.insert(0, str(Path(__file__).parent))
from site_address import addresses, sphinx_settings, switcher_entries

# Pictures are the same wherever they are made: of synthetic patches, on the processor.
os.environ.pop("SKHISTO_DATA", None)
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

project = "skhisto"
author = "The skhisto developers"
version = release = version_of("skhisto")

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "_templates"]
templates_path = ["_templates"]
default_role = "py:obj"
rst_prolog = ".. currentmodule:: skhisto"
autosummary_generate = True
autodoc_typehints = "none"
toc_object_entries_show_parents = "hide"
myst_heading_anchors = 3

numpydoc_show_class_members = False
# Nobody calls these constructors: one is of a protocol, the other of a result.
numpydoc_validation_exclude = {r"\.PatchSource$", r"\.PatchReport$"}
numpydoc_validation_checks = {
    "all",
    # Some one-line docstrings say it all, and methods need no further references or
    # examples of their own: tests see to it that each public object has an example.
    "ES01",
    "EX01",
    "SA01",
    # As in scikit-learn, returned values have names.
    "RT02",
    # Summaries may say what an object is, types what is returned.
    "RT03",
    "SS05",
    "YD01",
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    "within_subsection_order": ExplicitOrder(
        [
            "plot_quickstart.py",
            "plot_data_set.py",
            "plot_patch_report.py",
            "plot_slide_leakage.py",
            "plot_slide_map.py",
            "plot_slide_scores.py",
            "plot_grid_search.py",
            "plot_learning_curves.py",
            "plot_thresholds.py",
            "plot_prediction_sets.py",
            "plot_augmentation.py",
            "plot_stain_normalization.py",
            "plot_explanations.py",
            "plot_embeddings.py",
            "plot_few_labels.py",
            "plot_fine_tuning.py",
            "plot_own_network.py",
            "plot_saving.py",
            "plot_kaggle_notebook.py",
        ]
    ),
    "doc_module": ("skhisto",),
    "reference_url": {"skhisto": None},
    "backreferences_dir": "generated/backreferences",
    # Titles and the like are drawn, and nothing to print.
    "ignore_repr_types": "matplotlib",
    "remove_config_comments": True,
    "show_memory": False,
    "show_signature": False,
    "abort_on_example_error": True,
}

html_title = "skhisto"
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["skhisto.css"]
html_extra_path = ["llms.txt"]
html_show_sourcelink = False
html_context = {}
# Pages without others below them have nothing to show beside them.
_SINGLE_PAGES = (
    "install coming_from accuracy benchmarks architecture bibliography changelog"
)
html_sidebars = {page: [] for page in _SINGLE_PAGES.split()}
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc", "sg_download_links"],
    "header_links_before_dropdown": 4,
}

_REPOSITORY, _SITE = addresses()
for _name, _value in sphinx_settings(_REPOSITORY, _SITE, version).items():
    if isinstance(_value, dict):
        globals()[_name] |= _value
    elif isinstance(_value, list):
        globals()[_name] += _value
    else:
        globals()[_name] = _value


def _write_switcher(app, error):
    if _SITE and not error:
        entries = json.dumps(switcher_entries(_SITE, version))
        Path(app.outdir, "switcher.json").write_text(entries + "\n", encoding="utf-8")


def _hide_edit_button(app, pagename, templatename, context, doctree):
    if pagename.startswith(("generated/", "auto_examples/")):  # no file to edit
        context["theme_use_edit_page_button"] = False


def setup(app):
    """Connect what Sphinx has no setting for."""
    app.connect("html-page-context", _hide_edit_button)
    app.connect("build-finished", _write_switcher)
