"""Who may import whom, as docs/architecture.rst says."""

import ast
import io
import tokenize
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import skhisto

PACKAGE = Path(skhisto.__file__).parent
MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))

# What every part may import.
FREE = {"_atomic_file", "_saved_format", "_types"}
# For each part of the package, the parts that it may import, also for types only.
ALLOWED = {
    "_atomic_file": set(),
    "_fork": set(),
    "_openvino": set(),
    "_saved_format": set(),
    "_threads": set(),
    "_types": set(),
    "_value_object": set(),
    "metrics": set(),
    "clusters": set(),
    "patches": set(),
    "_stain": set(),
    "architectures": {"_value_object"},
    "augmentation": {"_value_object", "_stain", "patches"},
    "preprocessing": {"_stain", "patches"},
    "datasets": {"_stain", "patches", "slides"},
    "slides": {"_stain", "patches"},
    "_data": {"patches"},
    "_keras": {"_data", "_fork", "_openvino", "_threads", "patches"},
    "_classifier": {
        *("_data", "_keras", "_value_object", "architectures", "augmentation"),
        "patches",
    },
    "embedding": {
        *("_classifier", "_data", "_keras", "_openvino", "_threads", "architectures"),
        "patches",
    },
    "export": {
        *("_classifier", "_keras", "_openvino", "architectures", "embedding"),
        *("patches", "preprocessing"),
    },
    "inspection": {"_classifier", "_data", "_keras", "patches"},
    "maps": {
        *("_classifier", "_data", "_keras", "embedding"),
        *("inspection", "patches", "preprocessing", "slides"),
    },
    "report": {"_data", "inspection", "patches"},
    "_commands": {"_keras", "maps", "slides"},
    "__main__": {"_commands"},
}
# For each library that takes time to import, the modules that may import it.
LAZY = {
    "tensorflow": ("_keras/",),
    # The last two import Keras for types only.
    "keras": ("_keras/", "architectures/", "_classifier/patch_cnn.py", "_types.py"),
    "scikeras": ("_keras/compiling.py",),
    "matplotlib": (
        "inspection/",
        "maps/_display.py",
        "report/_result.py",
        "_commands/map_files.py",
    ),
    "onnxruntime": ("embedding/_onnx_engines.py",),
    "openvino": ("_openvino.py",),
    "h5py": ("patches/_hdf5.py", "datasets/_features.py"),
    "openslide": ("slides/_openslide_reader.py",),
    "shapely": ("slides/_polygons.py",),
    "tifffile": ("datasets/_slide_file.py",),
    "distributed": ("clusters/",),
    "cleanlab": ("report/_doubtful_labels.py",),
    "onnx": ("_keras/export_graph.py", "export/_onnx.py"),
    "tf2onnx": ("_keras/export_graph.py", "export/_onnx.py"),
    "skops": ("export/_model_card.py", "_commands/model_file.py"),
}
MAX_LINES = 400


@cache
def tree_of(module):
    return ast.parse((PACKAGE / module).read_text())


def names_in(nodes):
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports_of(module):
    """Names of all that a module imports anywhere."""
    return set(names_in(ast.walk(tree_of(module))))


def imports_at_the_top_of(module):
    """Names of all that is imported when a module is."""
    return set(names_in(tree_of(module).body))


def part_of(module):
    return module.parts[0].removesuffix(".py")


@pytest.mark.parametrize(
    "module", [m for m in MODULES if m != Path("__init__.py")], ids=str
)
def test_a_module_imports_only_the_parts_below_its_own(module):
    part = part_of(module)
    parts = {n.split(".")[1] for n in imports_of(module) if n.startswith("skhisto.")}
    assert parts - {part, *FREE} <= ALLOWED[part]


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_slow_libraries_are_imported_where_they_are_needed_and_late(module):
    for library, places in LAZY.items():
        if library in {name.split(".")[0] for name in imports_of(module)}:
            assert str(module.as_posix()).startswith(places)
    at_the_top = {name.split(".")[0] for name in imports_at_the_top_of(module)}
    if part_of(module) != "_keras":
        assert not at_the_top & set(LAZY)
        assert not any(
            name.startswith("skhisto._keras") for name in imports_at_the_top_of(module)
        )


def test_no_modules_import_each_other_in_a_circle():
    names = {
        ".".join(["skhisto", *m.with_suffix("").parts]).removesuffix(".__init__"): m
        for m in MODULES
    }
    graph = {
        name: {
            found
            for imported in imports_of(module)
            for found in (imported, imported.rpartition(".")[0])
            if found in names and found not in ("skhisto", name)
        }
        for name, module in names.items()
    }
    assert list(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_modules_are_short_apart_from_docstrings_and_comments(module):
    assert len(code_lines(module)) <= MAX_LINES


def code_lines(module):
    """Numbers of the lines that hold code."""
    source = (PACKAGE / module).read_text()
    ignored = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT}
    ignored |= {tokenize.DEDENT, tokenize.ENDMARKER}
    lines = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in ignored:
            lines |= set(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            lines -= set(range(node.lineno, node.end_lineno + 1))
    return lines
