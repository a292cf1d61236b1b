"""Labels, groups and coordinates from file names."""

import re

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhisto.datasets._file_names import coords_of, parse_names

seeded = settings(derandomize=True, deadline=None)

words = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=8)
rows = st.lists(
    st.tuples(words, words, st.integers(0, 10**6), st.integers(-(10**6), 10**6)),
    min_size=1,
    max_size=8,
)


@seeded
@given(rows)
def test_what_was_written_into_names_is_found_in_them(rows):
    names = [f"d/{slide}_{label}_x{x}_y{y}.png" for slide, label, x, y in rows]
    pattern = r"^(?P<group>[^_]+)_(?P<label>[^_]+)_x(?P<x>\d+)_y(?P<y>-?\d+)\."
    parts = parse_names(names, pattern)
    assert parts["group"].tolist() == [row[0] for row in rows]
    assert parts["label"].tolist() == [row[1] for row in rows]
    assert coords_of(parts, names).tolist() == [[row[2], row[3]] for row in rows]


@seeded
@given(st.lists(st.tuples(words, words), min_size=1, max_size=5))
def test_a_pattern_with_a_slash_sees_the_folders(pairs):
    names = [f"{folder}/{name}.png" for folder, name in pairs]
    parts = parse_names(names, "^(?P<label>[^/]+)/")
    assert parts["label"].tolist() == [folder for folder, _ in pairs]


@seeded
@given(st.lists(words, min_size=1, max_size=5))
def test_a_pattern_without_a_slash_sees_the_name_alone(names):
    paths = [f"folder/{name}" for name in names]
    parts = parse_names(paths, r"^(?P<name>\w)")
    assert parts["name"].tolist() == [name[0] for name in names]


@seeded
@given(st.lists(words, min_size=1, max_size=12, unique=True), words)
def test_all_names_without_a_match_are_counted(names, wanted):
    pattern = f"^(?P<label>{re.escape(wanted)})$"
    n_unmatched = sum(name != wanted for name in names)
    if n_unmatched == 0:
        assert parse_names(names, pattern)["label"].tolist() == names
        return
    with pytest.raises(ValueError, match=f"does not match {n_unmatched} file name"):
        parse_names(names, pattern)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?P<label>", r"'\(\?P<label>' is not a regular expression"),
        ("_class(.)", "has no named group. Name the parts"),
        (r"x(?P<x>\d+)", "names only one of x and y"),
        ("(?P<label>z)?", r"'label' .* does not match in 1 file name: a_x1_yb\.png"),
    ],
)
def test_a_bad_pattern_is_named(pattern, message):
    with pytest.raises(ValueError, match=message):
        parse_names(["a_x1_yb.png"], pattern)


def test_coordinates_must_be_numbers():
    parts = parse_names(["x1_yb.png"], "x(?P<x>.)_y(?P<y>.)")
    with pytest.raises(
        ValueError, match=r"must match numbers.* 1 file name: x1_yb\.png"
    ):
        coords_of(parts, ["x1_yb.png"])


def test_without_coordinates_there_are_none():
    assert coords_of(pd.DataFrame({"label": ["a"]}), ["a.png"]) is None
