"""Who may import whom, as docs/architecture.rst says."""

import ast
from pathlib import Path

import pytest

import skhisto

PACKAGE = Path(skhisto.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imports_of(module):
    """Names of all modules that are imported for more than their types."""
    tree = ast.parse((PACKAGE / module).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imported(module, *names):
    return [
        found
        for found in imports_of(module)
        for name in names
        if found == name or found.startswith(f"{name}.")
    ]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_modules_import_only_what_is_below_them(module):
    folder = module.parts[0]
    if folder != "_network":
        assert not imported(module, "keras", "tensorflow", "scikeras")
    if module.name != "assembly.py":
        assert not imported(module, "scikeras")
    if folder == "_images":
        assert not imported(
            module, "sklearn", "skhisto.preprocessing", "skhisto.datasets"
        )
    if folder == "augmentation":
        assert not imported(module, "skhisto.preprocessing")
    if folder in ("_images", "augmentation", "preprocessing", "datasets", "_network"):
        assert not imported(
            module, "skhisto._classifier.patch_cnn", "skhisto._classifier.fitting"
        )
    if folder in ("_images", "augmentation", "preprocessing", "datasets"):
        assert not imported(
            module, "skhisto._keras", "skhisto._data.samples", "skhisto._data.checks"
        )
    if folder in ("_images", "datasets"):
        assert not imported(module, "skhisto.augmentation")
    if module.name in ("_input.py", "_samples.py", "_validation_split.py"):
        assert not imported(module, "skhisto._keras", "skhisto._classifier.fitting")
    if module.name in ("_early_stopping.py", "_epoch_tasks.py"):
        assert not imported(module, "skhisto")
    if folder != "inspection":
        assert not imported(module, "matplotlib", "skhisto.inspection") or (
            module == Path("__init__.py")
        )
    if folder == "_network":
        assert not imported(module, "skhisto.augmentation", "skhisto.preprocessing")
