"""Submission files."""

import os
import re
import stat

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skhisto.datasets import write_submission
from skhisto.datasets._id_table import read_id_table

words = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "submission.csv"


def test_rows_are_in_the_order_of_the_ids(path):
    write_submission(path, ["b", "a"], [0.25, 1])
    assert path.read_bytes() == b"id,label\nb,0.25\na,1.0\n"


def test_of_two_columns_the_second_is_the_probability_of_tumour(path):
    write_submission(path, ["b", "a"], np.array([[0.75, 0.25], [0, 1]]))
    assert path.read_text() == "id,label\nb,0.25\na,1.0\n"


@pytest.mark.parametrize("container", [list, np.array, pd.Series])
def test_ids_and_probabilities_come_in_any_container(path, container):
    write_submission(path, container(["b", "00123"]), container([0.25, 0.5]))
    assert path.read_text() == "id,label\nb,0.25\n00123,0.5\n"


def test_a_sample_gives_the_order(path, tmp_path):
    sample = tmp_path / "sample_submission.csv"
    sample.write_text("id,label\n00123,0\nNA,0\n1e5,0\n")
    write_submission(path, ["1e5", "00123", "NA"], [0.5, 0.0, 0.25], sample=sample)
    assert path.read_text() == "id,label\n00123,0.0\nNA,0.25\n1e5,0.5\n"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(words, st.floats(0, 1)), min_size=1, unique_by=lambda row: row[0]
    )
)
def test_ids_and_probabilities_survive(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("csv") / "submission.csv"
    ids, proba = zip(*rows, strict=True)
    write_submission(path, ids, proba)
    table = read_id_table(path, ["label"])
    assert tuple(table.index) == ids
    assert tuple(float(label) for label in table["label"]) == proba


def test_an_older_file_is_replaced_and_nothing_is_left_beside(path):
    path.write_text("older")
    write_submission(path, ["a"], [0.5])
    assert path.read_text() == "id,label\na,0.5\n"
    assert os.listdir(path.parent) == [path.name]


def test_the_file_is_as_readable_as_any_other(path):
    other = path.with_name("other")
    other.write_text("")
    write_submission(path, ["a"], [0.5])
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_a_failure_while_writing_leaves_the_older_file_and_nothing_else(
    path, monkeypatch
):
    def fail(source, target):
        raise OSError("disk full")

    path.write_text("older")
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_submission(path, ["a"], [0.5])
    assert path.read_text() == "older"
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("ids", "proba", "message"),
    [
        (["a", "b"], [0.5], "2 ids, but 1 probabilities"),
        (["a", "b"], [0.5, np.nan], r"not for 1 id: b\. The first is nan"),
        (["a", "b"], [-0.1, 1.1], r"not for 2 ids: a, b\. The first is -0\.1"),
        (["a", "b", "a"], [0, 0, 0], "more than one entry for 1 id: a"),
        (["a", None], [0, 0], "1 row: 2 without an id"),
        (["a", ""], [0, 0], "1 row: 2 without an id"),
        (["a", np.nan], [0, 0], "1 row: 2 without an id"),
        (["a", "b"], np.zeros((2, 3)), r"Got \(2, 3\)"),
        (["a", "b"], np.zeros((2, 1)), r"Got \(2, 1\)"),
        (["a", "b"], ["low", "high"], r"proba must be an array of numbers.*'low'"),
        (["a", "b"], [[0.5, 0.5], [1]], "proba must be an array of numbers"),
        ([["a"], ["b"]], [0, 0], r"ids must have shape \(n_patches,\), got \(2, 1\)"),
        (pd.DataFrame({"id": ["a", "b"]}), [0, 0], r"got \(2, 1\).* pass its column"),
        ([], [], "at least one id"),
    ],
)
def test_bad_values_are_named_and_nothing_is_written(path, ids, proba, message):
    with pytest.raises(ValueError, match=message):
        write_submission(path, ids, proba)
    assert not os.listdir(path.parent)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ("id\na\nb\nc\nd\n", r"No probability was given for 2 ids: c, d in .*s\.csv'"),
        ("id\na\n", r"s\.csv' does not have 1 id: b\."),
        ("name\na\nb\n", r"s\.csv' must have the columns"),
        ("id\na\na\nb\n", r"s\.csv' has more than one row for 1 id: a"),
        ("id\n", r"s\.csv' has a header but no rows"),
        ("id,label\na,0\n,0\nb,0\n", r"s\.csv' has 1 row: 2 without an id"),
    ],
)
def test_a_sample_of_other_ids_is_named_and_nothing_is_written(path, sample, message):
    other = path.with_name("s.csv")
    other.write_text(sample)
    with pytest.raises(ValueError, match=message):
        write_submission(path, ["a", "b"], [0, 1], sample=other)
    assert os.listdir(path.parent) == ["s.csv"]


def test_a_missing_sample_is_named(path):
    with pytest.raises(FileNotFoundError, match=r"gone\.csv' does not exist"):
        write_submission(path, ["a"], [0.5], sample=path.with_name("gone.csv"))


def test_a_folder_is_no_file_to_write_to(path):
    with pytest.raises(
        IsADirectoryError, match=f"^'{re.escape(str(path.parent))}' is a"
    ):
        write_submission(path.parent, ["a"], [0.5])
    assert not os.listdir(path.parent)


def test_a_missing_folder_is_named(path):
    with pytest.raises(FileNotFoundError, match="gone' does not exist"):
        write_submission(path.parent / "gone" / "s.csv", ["a"], [0.5])
