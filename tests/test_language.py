"""The docstrings rarely contain phrases that read as translated."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

import skhisto

PACKAGE = Path(skhisto.__file__).parent
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)

# How often the docstrings may contain a phrase per 10,000 words: the highest rates in
# skrub, imbalanced-learn, verde, hazardous and scikit-learn.
LIMITS = {
    "is no, are no": (r"\b(?:is|are)\s+no\b", 2),
    "suit": (r"\bsuits?\b", 0),
    "former": (r"\bformer\b", 1),
    "whatever": (r"\bwhatever\b", 0),
    "stands, lies": (r"\b(?:stands?|lies?)\b", 0.1),
    "anew": (r"\banew\b", 0),
    "semicolon": (r";(?=\s|$)", 13),
}


@cache
def docstrings():
    """Return the file, the first line number and the text of each docstring."""
    return [
        (
            path.relative_to(PACKAGE.parent),
            node.body[0].lineno,
            node.body[0].value.value,
        )
        for path in sorted(PACKAGE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None
    ]


def n_words():
    return sum(len(text.split()) for *_, text in docstrings())


@pytest.mark.parametrize("phrase", LIMITS)
def test_docstrings_rarely_contain_a_phrase_that_reads_as_translated(phrase):
    pattern, limit = LIMITS[phrase]
    places = []
    for path, first_line, text in docstrings():
        for match in re.finditer(pattern, text, re.IGNORECASE):
            n_lines = text.count("\n", 0, match.start())
            line = text.splitlines()[n_lines].strip()
            places.append(f"{path}:{first_line + n_lines}: {line}")
    rate = 10_000 * len(places) / n_words()
    assert rate <= limit, "\n".join(
        [f"{rate:.1f} in 10,000 words, but at most {limit} are allowed:", *places]
    )


def test_the_docstrings_are_found():
    assert n_words() > 10_000
