"""What ``import skhisto`` takes beyond ``import sklearn``, and its peers."""

import subprocess
import sys

from benchmarks.options import Options
from benchmarks.table import Section, Table, as_text, median, spread
from benchmarks.worker import INSTALL

BASE = "sklearn"
OURS = "skhisto"
MODULES = [BASE, OURS, "keras", "scikeras.wrappers", "skorch"]
CODE = """
import sys, time
start = time.perf_counter()
import {module}
print(time.perf_counter() - start, "tensorflow" in sys.modules, "torch" in sys.modules)
"""


def run(options: Options) -> Section:
    """Measure imports."""
    n_rounds = options.rounds
    modules = MODULES[:2] if options.quick else MODULES
    for module in modules:  # bytecode and page cache
        _import(module)
    seconds: dict[str, list[float]] = {module: [] for module in modules}
    notes: dict[str, str] = {}
    for _ in range(n_rounds):
        for module in modules:
            answer = _import(module)
            if isinstance(answer, str):
                notes[module] = answer
                continue
            time, *imported = answer
            seconds[module].append(time)
            names = zip(("TensorFlow", "PyTorch"), imported, strict=True)
            notes[module] = _and([name for name, is_in in names if is_in])
    base, ours = median(seconds[BASE]), median(seconds[OURS])
    table = Table(["", "s", "lowest to highest", f"s beyond {BASE}", "this / skhisto"])
    for module in modules:
        name, time = f"import {module}", median(seconds[module])
        if not seconds[module]:
            table.fail(name, notes[module])
            continue
        table.add(
            name,
            time,
            spread(seconds[module]),
            time - base,
            time / ours,
            note=f"imports {notes[module]}",
        )
    table.remarks.append(
        f"`import skhisto` takes {as_text(ours - base)} s longer than `import {BASE}` "
        f"and imports {notes[OURS]}."
    )
    return Section(
        "Import time",
        f"Seconds that an import takes in a new Python; medians over {n_rounds} "
        "turn(s), after one that is not counted.",
        [table],
    )


def _import(module: str) -> tuple[float, bool, bool] | str:
    done = subprocess.run(
        [sys.executable, "-c", CODE.format(module=module)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last_line = done.stderr.strip().splitlines()[-1]
        return INSTALL if "ModuleNotFoundError" in last_line else last_line
    time, *imported = done.stdout.split()[-3:]
    tensorflow, torch = (word == "True" for word in imported)
    return float(time), tensorflow, torch


def _and(names: list[str]) -> str:
    return " and ".join(names) if names else "neither TensorFlow nor PyTorch"
