"""The benchmarks run, also where a peer is missing or breaks. Nothing is timed."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture
def module(monkeypatch):
    """Import a module of the benchmarks, which are not installed."""
    monkeypatch.syspath_prepend(ROOT)
    return lambda name: importlib.import_module(f"benchmarks.{name}")


def run_benchmarks(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_one_command_prints_a_section_and_writes_it(tmp_path):
    file = tmp_path / "results.md"
    done = run_benchmarks("importing", "--quick", "--output", file)
    assert done.returncode == 0, done.stderr
    heading, section = file.read_text().split("<!-- section: importing -->")
    assert heading.startswith("# Benchmarks\n")
    assert section.strip() in done.stdout
    assert "and imports neither TensorFlow nor PyTorch." in section
    assert "- Command: `python -m benchmarks importing --quick`" in section
    assert "- Machine: " in section
    assert list(tmp_path.iterdir()) == [file]


def test_a_section_is_replaced_and_the_others_stay(module, tmp_path):
    replace_section = module("page").replace_section
    file, order = tmp_path / "results.md", ["first", "second", "third"]
    for name, text in [("third", "c"), ("gone", "-"), ("first", "a"), ("third", "d")]:
        replace_section(file, "# Title\n", name, f"## {name}\n\n{text}\n", order)
    assert file.read_text() == (
        "# Title\n\n"
        "<!-- section: first -->\n## first\n\na\n\n"
        "<!-- section: third -->\n## third\n\nd\n"
    )


def test_the_page_has_only_sections_of_the_command_in_its_order(module):
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    main = module("__main__")
    assert text.startswith(main.HEADING.strip())
    names = re.findall(r"^<!-- section: (\w+) -->\n## ", text, re.MULTILINE)
    assert names == [name for name in main.SECTIONS if name in names]
    assert text.count("\n## ") == len(names)
    assert text.count("- Command: `python -m benchmarks") == len(names)


@pytest.fixture
def long_run(module):
    """What a long run works on."""
    return module("soak").Soak()


def test_a_long_run_does_all_its_work_and_tells_its_state(long_run, module):
    for kind in module("soak").WORK:
        megabytes, n_threads, n_handles = long_run.work(kind, range(2))
        assert megabytes > 0
        assert n_threads > 0
        assert n_handles > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "no such section: nonsense"),
        (["--quick", "--write"], "--write takes sections that are measured in full"),
        (["--rounds", 0], "--rounds must be at least 1"),
    ],
)
def test_the_command_refuses_what_makes_no_sense(arguments, message):
    done = run_benchmarks(*arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_the_others_go_on_where_one_is_missing_or_breaks(module):
    entries = {
        "fine": (dict, ({"answer": 42},)),
        "missing": (importlib.import_module, ("no_such_peer",)),
        "broken": (int, ("nonsense",)),
        "crashing": (os._exit, (3,)),
        "breaking later": (list, ()),
    }
    with module("contest").Contest("test", entries) as contest:
        assert contest.each("get", "answer") == {"fine": 42}
        answers = contest.rounds(2, "get", lambda name: ("answer",))
        assert contest.peak_megabytes().keys() == {"fine"}
    assert answers == {name: [42, 42] * (name == "fine") for name in entries}
    assert contest.errors == {
        "missing": "not installed: pip install -e . --group benchmarks",
        "broken": "ValueError: invalid literal for int() with base 10: 'nonsense'",
        "crashing": "the process ended with code 3: it printed nothing",
        "breaking later": "AttributeError: 'list' object has no attribute 'get'",
    }


def test_a_table_shows_contenders_that_fail_with_their_error(module):
    entries = {"fine": (dict, ({"answer": 42},)), "broken": (int, ("nonsense",))}
    with module("contest").Contest("test", entries) as contest:
        answers = contest.each("get", "answer")
    table = module("table").Table(["", "answer"])
    contest.fill(table, lambda name: [answers[name]], {"fine": "a note"})
    _, _, fine, broken = table.markdown().splitlines()
    assert [cell.strip() for cell in fine.split("|")[1:-1]] == ["fine", "42", "a note"]
    assert broken.startswith("| broken |      - | ValueError: invalid literal")


def test_a_single_contender_answers_or_raises_its_error(module):
    alone = module("contest").alone
    calls = [("get", "answer"), ("get", "question")]
    answers, megabytes = alone("test", (dict, ({"answer": 42},)), *calls)
    assert answers == [42, None]
    assert megabytes > 0
    with pytest.raises(module("worker").WorkerError, match="has no attribute 'get'"):
        alone("test", (list, ()), *calls)


def test_a_table_is_aligned_and_has_notes_only_where_there_are_some(module):
    table = module("table").Table(["", "patches/s"])
    table.add("ours", 1234.5)
    table.add("a peer", 0.123456)
    assert table.markdown().splitlines() == [
        "|        | patches/s |",
        "| ------ | --------: |",
        "| ours   |     1,234 |",
        "| a peer |     0.123 |",
    ]
    table.fail("another", "not installed")
    assert (
        table.markdown().splitlines()[-1] == "| another |         - | not installed |"
    )


def test_folders_are_left_out_of_messages(module):
    text = "cannot open '/home/somebody/a b/c-d/file.onnx' at 3.5 patches/s"
    shortened = module("worker").without_folders(text)
    assert "somebody" not in shortened
    assert shortened.endswith("file.onnx' at 3.5 patches/s")


def test_speckle_is_the_share_of_smooth_neighbours_that_are_torn_apart(module):
    stains = module("stains")
    before = np.full((3, 3, 3), 100, np.uint8)
    before[0, 0] = 109  # still smooth
    after = before.copy()
    after[1, 1] = 150  # torn from four neighbours, of 12 pairs
    assert stains.speckle(before, after) == 4 / 12
    before[1, 1] = 110  # not smooth
    assert stains.speckle(before, after) == 0


def test_stains_of_real_patches_are_measured(real_data):
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.stains", "--quick"],
        cwd=ROOT,
        env={**os.environ, "SKHISTO_DATA": str(real_data)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("| reinhard |") == done.stdout.count("| macenko  |") == 3
